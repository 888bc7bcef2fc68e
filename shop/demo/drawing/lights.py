"""Lanterns, lamps and candles."""

from shop.demo.drawing.canvas import Canvas
from shop.demo.drawing.carrying import peg
from shop.demo.palette import COLOURS, dark, light

FLAME = "#ffd27a"
BRASS = COLOURS["Brass"]


def flame(c: Canvas, x: float, y: float, size: float) -> None:
    """A flame standing on (x, y), in its glow."""
    c.oval(x, y - size * 0.6, size * 3.4, size * 3.4, c.glow("#ffcf7d", 0.75))
    with c.group(f"translate({x} {y}) scale({size / 50:.2f})"):
        c.path("M0 0C-30 -6 -30 -44 0 -92C28 -44 30 -6 0 0Z", "#f59f3a")
        c.path("M0 -4C-18 -8 -17 -34 0 -64C17 -34 18 -8 0 -4Z", "#fff0c2")


def lantern(c: Canvas, tone: str) -> None:
    c.shadow(136)
    wire = dark(COLOURS["Steel"], 0.4)
    c.path("M-118 -250C-150 -470 150 -470 118 -250", stroke=wire, width=7)
    c.lathe([(92, -92), (140, -66), (142, -16), (132, 0)], c.metal(tone))
    c.path(
        "M-128 -70V-320Q-128 -352 -96 -352M128 -70V-320Q128 -352 96 -352",
        stroke=c.metal(tone),
        width=20,
    )
    c.lathe(
        [(68, -300), (104, -200), (66, -96)],
        c.linear((0, "#fff6dd"), (3, "#ffe3a6"), (10, "#c99f63")),
    )
    flame(c, 0, -136, 50)
    c.path("M-62 -258Q-84 -200 -62 -140", stroke="#fff", width=8, opacity=0.7)
    c.path(
        "M-104 -250Q0 -160 104 -250M-104 -150Q0 -230 104 -150", stroke=wire, width=5, opacity=0.8
    )
    c.lathe([(44, -402), (60, -370), (112, -342), (74, -298)], c.metal(tone))
    c.oval(0, -402, 44, 8, dark(tone, 0.3))
    c.lathe([(74, -104), (82, -88)], c.metal(BRASS))
    c.rect(132, -64, 34, 18, c.metal(BRASS), r=6)


def paperlamp(c: Canvas, tone: str, tall: bool = False) -> None:
    rx, ry, cy = (132, 210, 260) if tall else (200, 168, 224)
    c.oval(0, cy, 380, 360, c.glow("#ffd79a", 0.55))
    peg(c)
    c.path(f"M0 0V{cy - ry}", stroke=COLOURS["Black"], width=5)
    warm = c.linear((0, light(tone, 0.45)), (4, light(tone, 0.62)), (10, dark(tone, 0.16)))
    c.oval(0, cy, rx, ry, warm)
    c.oval(0, cy + 16, rx * 0.72, ry * 0.72, c.glow("#fff3cf", 0.85))
    steps = 11
    for step in range(1, steps):
        share = step / steps * 2 - 1
        half = rx * (1 - share * share) ** 0.5
        y = cy + ry * share
        c.path(
            f"M{-half:.0f} {y:.0f}Q0 {y + 15:.0f} {half:.0f} {y:.0f}",
            stroke=dark(tone, 0.35),
            width=2.5,
            opacity=0.5,
        )
    for y in (cy - ry + 4, cy + ry - 8):
        c.rect(-46, y - 8, 92, 20, c.turned(COLOURS["Black"]), r=8)
    c.path(
        f"M0 {cy + ry + 8}v44M-8 {cy + ry + 52}v48M0 {cy + ry + 52}v56M8 {cy + ry + 52}v48",
        stroke=COLOURS["Signal"],
        width=5,
    )


def desklamp(c: Canvas, tone: str) -> None:
    c.path(
        "M-30 -300L-250 0H150L70 -260Z",
        c.linear((0, "#fff0c8"), (10, "#fff0c8"), y2=1),
        opacity=0.34,
    )
    c.oval(-50, 6, 200, 26, c.glow("#ffe7b0", 0.9))
    with c.group("translate(130 0)"):
        c.shadow(96)
        c.path("M0 -24L64 -236L-60 -386", stroke=dark(BRASS, 0.35), width=19)
        c.path("M0 -24L64 -236L-60 -386", stroke=BRASS, width=11)
        c.oval(64, -236, 20, 20, c.cloth(BRASS))
        c.lathe([(40, -34), (96, -18), (100, 0)], c.turned(tone))
    with c.group("translate(66 -386) rotate(24)"):
        c.path("M-30 -44H30Q46 -40 52 0L124 120H-124L-52 0Q-46 -40 -30 -44Z", c.turned(tone))
        c.oval(0, 120, 124, 20, "#fff0c8")
        c.oval(0, 122, 50, 12, "#ffffff")
        c.oval(0, -44, 20, 9, BRASS)
        c.path("M-44 6L-96 96", stroke="#fff", width=8, opacity=0.35)


def globe(c: Canvas, tone: str) -> None:
    c.shadow(120)
    c.oval(0, -216, 420, 400, c.glow("#ffe3ae", 0.55))
    c.lathe([(112, -90), (120, -40), (126, 0)], c.turned(tone))
    for y in (-60, -34):
        c.path(f"M-120 {y}Q0 {y + 20} 120 {y}", stroke=dark(tone, 0.4), width=2, opacity=0.4)
    c.oval(
        0, -216, 166, 166, c.linear((0, "#fffdf3"), (5, "#fff0cc"), (10, "#e5bf86"), x2=0.7, y2=1)
    )
    c.oval(-30, -236, 120, 120, c.glow("#ffffff", 0.9))
    c.path("M-112 -92A112 18 0 0 0 112 -92", stroke=light(tone, 0.4), width=5)
    c.oval(66, -30, 9, 9, c.cloth(BRASS))


def candle(c: Canvas, tone: str) -> None:
    c.oval(0, -300, 400, 380, c.glow("#ffd58c", 0.4))
    c.shadow(138)
    c.lathe([(150, -22), (132, 0)], c.metal(BRASS))
    c.oval(0, -22, 150, 22, light(BRASS, 0.3))
    c.path("M146 -26C220 -70 230 10 146 -6", stroke=BRASS, width=11)
    c.lathe(
        [(84, -280), (88, -150), (88, -20)],
        c.linear((0, dark(tone, 0.05)), (3, light(tone, 0.4)), (7, tone), (10, dark(tone, 0.3))),
    )
    c.path(
        "M-84 -280A84 14 0 0 1 84 -280Q84 -240 70 -244T56 -180Q46 -160 38 -190T10 -250"
        "T-40 -246T-60 -220T-84 -250Z",
        light(tone, 0.28),
    )
    c.oval(0, -280, 84, 13, light(tone, 0.55))
    c.path("M0 -280q-6 -14 2 -28", stroke=COLOURS["Black"], width=5)
    flame(c, 1, -298, 54)


def house(c: Canvas, tone: str) -> None:
    c.oval(0, -110, 380, 300, c.glow("#ffcf7d", 0.5))
    c.shadow(150)
    c.rect(70, -372, 44, 110, c.metal(dark(tone, 0.15)))
    c.rect(-146, -220, 292, 220, c.turned(tone))
    c.path(
        "M-178 -214L-108 -344H108L178 -214Z",
        c.linear((0, light(tone, 0.25)), (10, dark(tone, 0.35)), x2=0.4, y2=1),
    )
    for step in range(-3, 4):
        c.path(f"M{step * 32} -342L{step * 50} -216", stroke=dark(tone, 0.4), width=3, opacity=0.5)
    c.path("M-178 -214H178", stroke=light(tone, 0.4), width=6)
    lit = c.linear((0, "#fff4cf"), (10, "#f9b955"), x2=0, y2=1)
    for x in (-112, 40):
        c.path(f"M{x} -70V-140Q{x + 36} -182 {x + 72} -140V-70Z", lit)
        c.path(f"M{x + 36} -160V-70M{x} -112H{x + 72}", stroke=dark(tone, 0.5), width=5)
    c.path("M-28 0V-86Q0 -118 28 -86V0Z", lit)
    for x in (-60, 0, 60):
        c.oval(x, -268, 9, 9, "#ffe09a")


def torch(c: Canvas, tone: str) -> None:
    body = c.linear(
        (0, dark(tone, 0.15)), (2.5, light(tone, 0.6)), (5, tone), (10, dark(tone, 0.5)), x2=0, y2=1
    )
    with c.group("rotate(-30)"):
        c.path(
            "M-250 -92L-620 -250V250L-250 92Z",
            c.linear((0, "#fff3c9"), (10, "#fff3c9")),
            opacity=0.3,
        )
        c.path("M-258 -96L-130 -54V54L-258 96Q-272 0 -258 -96Z", body)
        c.oval(-258, 0, 22, 96, c.linear((0, "#fffdf0"), (10, "#ffe3a0"), x2=0, y2=1))
        c.rect(-134, -54, 400, 108, body, r=12)
        for x in range(0, 200, 20):
            c.path(f"M{x} -52V52", stroke=dark(tone, 0.55), width=7, opacity=0.4)
        c.rect(-78, -34, 54, 24, c.cloth(COLOURS["Black"]), r=12)
        c.rect(262, -46, 32, 92, body, r=12)
        c.path("M294 0q50 30 20 70t-60 30", stroke=COLOURS["Cream"], width=8)


MOTIFS = (lantern, paperlamp, desklamp, globe, candle, house, torch)
