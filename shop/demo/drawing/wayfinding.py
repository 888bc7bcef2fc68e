"""Instruments: what tells the place, the time and the weather."""

from math import cos, pi, sin

from shop.demo.drawing.canvas import Canvas
from shop.demo.drawing.carrying import peg
from shop.demo.palette import COLOURS, dark, light, luminance

BRASS = COLOURS["Brass"]
FACE = COLOURS["Cream"]
INK = COLOURS["Ink"]


def ticks(c: Canvas, radius: float, count: int, length: float, colour: str, width: float) -> None:
    """Marks round a dial about (0, 0)."""
    d = ""
    for step in range(count):
        x, y = sin(2 * pi * step / count), -cos(2 * pi * step / count)
        inner = radius - length
        d += f"M{x * radius:.0f} {y * radius:.0f}L{x * inner:.0f} {y * inner:.0f}"
    c.path(d, stroke=colour, width=width)


def compass(c: Canvas, tone: str) -> None:
    metal = c.linear((0, light(tone, 0.6)), (4, tone), (10, dark(tone, 0.45)), x2=0.7, y2=1)
    with c.group("translate(130 -150)"):
        c.oval(0, 0, 156, 156, metal)
        c.oval(
            0, 0, 132, 132, c.linear((0, dark(tone, 0.25)), (10, light(tone, 0.3)), x2=0.7, y2=1)
        )
        c.path("M0 -70L15 -15L70 0L15 15L0 70L-15 15L-70 0L-15 -15Z", light(tone, 0.5), opacity=0.6)
    with c.group("translate(-50 70)"):
        c.rect(78, -150, 60, 44, metal, r=10)
        c.oval(0, 0, 206, 206, metal)
        c.oval(0, 0, 178, 178, dark(tone, 0.4))
        c.oval(0, 0, 170, 170, c.linear((0, "#fffaf0"), (10, "#e6d9bf"), x2=0.7, y2=1))
        ticks(c, 160, 36, 14, INK, 3)
        ticks(c, 160, 4, 30, INK, 8)
        c.path(
            "M0 -108L20 -20L108 0L20 20L0 108L-20 20L-108 0L-20 -20Z",
            COLOURS["Celadon"],
            opacity=0.8,
        )
        with c.group("rotate(24)"):
            c.path("M-17 0L0 -140L17 0Z", COLOURS["Signal"])
            c.path("M-17 0L0 140L17 0Z", INK)
            c.oval(0, 0, 13, 13, c.cloth(BRASS))
        c.path("M-130 -60A144 144 0 0 1 -30 -142", stroke="#fff", width=16, opacity=0.6)


def binoculars(c: Canvas, tone: str) -> None:
    c.shadow(190)
    trim = c.metal(BRASS)
    c.path("M-60 -150H60V-96H-60Z", c.turned(dark(tone, 0.2)))
    c.rect(-22, -226, 44, 150, c.metal(dark(BRASS, 0.1)), r=12)
    c.rect(-34, -216, 68, 36, c.turned(COLOURS["Black"]), r=8)
    for side in (-1, 1):
        with c.group(f"translate({side * 104} 0) rotate({side * -3})"):
            c.lathe([(50, -340), (54, -316), (50, -300)], c.turned(COLOURS["Black"]))
            c.lathe(
                [(44, -304), (62, -262), (84, -230), (88, -180), (94, -60), (104, -34), (104, 0)],
                c.turned(tone),
            )
            c.path("M-86 -206Q0 -192 86 -206", stroke=trim, width=9)
            c.path("M-103 -34A104 15 0 0 0 103 -34", stroke=trim, width=9)
            c.oval(0, -340, 50, 9, dark(tone, 0.6))
            c.oval(-6, -341, 26, 5, COLOURS["Sky"], opacity=0.7)
            c.path("M-64 -170L-72 -56", stroke="#fff", width=10, opacity=0.24)
    c.path("M-186 -250C-300 -200 -300 -20 -230 4", stroke=COLOURS["Chestnut"], width=11)


def tube(c: Canvas, tone: str) -> None:
    leather = COLOURS["Chestnut"] if luminance(tone) > 0.28 else COLOURS["Tan"]
    c.shadow(84)
    c.path("M76 -390C210 -330 200 -80 80 -40", stroke=dark(leather, 0.2), width=15)
    c.lathe([(82, -400), (82, -200), (82, 0)], c.turned(tone))
    for y in (-396, -36):
        c.path(f"M-82 {y}A82 13 0 0 0 82 {y}V{y + 34}A82 13 0 0 1 -82 {y + 34}Z", c.turned(leather))
    c.oval(0, -400, 82, 13, dark(tone, 0.4))
    c.path("M-52 -396V-468Q0 -486 54 -468V-396A54 9 0 0 1 -52 -396Z", c.turned(FACE))
    c.oval(1, -469, 53, 9, light(FACE, 0.5))
    c.path("M1 -469m-28 0a28 5 0 1 1 56 0", stroke=dark(FACE, 0.3), width=3)
    c.rect(-44, -290, 92, 120, c.cloth(FACE), r=5)
    c.path("M-28 -220Q-6 -262 12 -236T36 -240", stroke=COLOURS["Harbour"], width=5)
    c.path("M-28 -196H32", stroke=COLOURS["Slate"], width=4, opacity=0.6)
    with c.group("translate(-150 18)"):
        c.shadow(62)
        c.lathe([(66, -60), (66, -30), (66, 0)], c.turned(leather))
        c.oval(0, -60, 66, 11, light(leather, 0.25))


def watch(c: Canvas, tone: str) -> None:
    steel = COLOURS["Steel"]
    strap = c.linear((0, dark(tone, 0.1)), (3, light(tone, 0.2)), (10, dark(tone, 0.3)))
    with c.group("rotate(16)"):
        c.path("M-66 -120L-52 -350Q0 -368 52 -350L66 -120Z", strap)
        c.path("M-66 120L-50 350Q0 384 50 350L66 120Z", strap)
        c.path(
            "M-52 -130L-40 -336H40L52 -130M-52 130L-38 336",
            stroke=light(tone, 0.55),
            width=3,
            dash="9 8",
            opacity=0.8,
        )
        c.path("M52 130L38 336", stroke=light(tone, 0.55), width=3, dash="9 8", opacity=0.8)
        for y in (226, 266, 306):
            c.oval(0, y, 8, 8, dark(tone, 0.6))
        c.rect(130, -19, 40, 38, c.metal(steel), r=8)
        c.oval(
            0,
            0,
            150,
            150,
            c.linear((0, light(steel, 0.7)), (5, steel), (10, dark(steel, 0.45)), x2=0.7, y2=1),
        )
        c.oval(0, 0, 126, 126, c.linear((0, "#fffaf0"), (10, "#e9dfcb"), x2=0.7, y2=1))
        ticks(c, 114, 24, 12, INK, 3)
        ticks(c, 114, 4, 24, INK, 7)
        c.path("M0 14L54 -64", stroke=INK, width=11)
        c.path("M0 14L-74 -26", stroke=COLOURS["Signal"], width=8)
        c.oval(0, 0, 11, 11, INK)
        c.path("M-96 -50A108 108 0 0 1 -30 -104", stroke="#fff", width=12, opacity=0.7)


def radio(c: Canvas, tone: str) -> None:
    c.shadow(224)
    wood = COLOURS["Walnut"] if luminance(tone) > 0.3 else COLOURS["Oak"]
    c.path("M150 -270L262 -452", stroke=COLOURS["Steel"], width=7)
    c.oval(264, -456, 10, 10, COLOURS["Signal"])
    c.path(
        "M-120 -270Q-120 -330 -80 -330H60Q100 -330 100 -270", stroke=COLOURS["Chestnut"], width=17
    )
    c.rect(-240, -276, 480, 276, c.turned(wood), r=36)
    c.rect(-222, -258, 444, 240, c.cloth(tone), r=24)
    holes = "".join(f"M{x} {y}h.1" for y in range(-214, -50, 24) for x in range(-190, 0, 24))
    c.path(holes, stroke=dark(tone, 0.5), width=11)
    c.oval(
        112, -160, 80, 80, c.linear((0, light(BRASS, 0.5)), (10, dark(BRASS, 0.35)), x2=0.7, y2=1)
    )
    c.oval(112, -160, 68, 68, FACE)
    with c.group("translate(112 -160)"):
        ticks(c, 60, 20, 12, INK, 3)
        c.path("M0 0L34 -44", stroke=COLOURS["Signal"], width=7)
        c.oval(0, 0, 13, 13, c.cloth(BRASS))
    for x in (60, 112, 164):
        c.oval(x, -52, 16, 16, c.cloth(dark(wood, 0.2)))


def clock(c: Canvas, tone: str, case: bool = False) -> None:
    metal = c.linear((0, light(tone, 0.6)), (4, tone), (10, dark(tone, 0.5)), x2=0.7, y2=1)
    if case:
        c.shadow(190)
        c.path("M-168 0L-120 -330Q-116 -350 -96 -350H196L168 0Z", c.cloth(dark(tone, 0.34)))
        c.path("M-236 8L-200 -270Q-196 -300 -166 -300H130Q156 -300 156 -272L150 8Z", c.cloth(tone))
        c.path(
            "M-216 -8L-184 -268Q-182 -284 -166 -284H126Q138 -284 138 -272L134 -8Z",
            stroke=light(tone, 0.5),
            width=3,
            dash="9 8",
            opacity=0.7,
        )
        with c.group("translate(-30 -146) scale(.62)"):
            _dial(c, c.linear((0, light(BRASS, 0.6)), (10, dark(BRASS, 0.4)), x2=0.7, y2=1))
        return
    peg(c)
    c.path("M-60 110Q0 -20 60 110", stroke=dark(tone, 0.4), width=9)
    with c.group("translate(0 272)"):
        _dial(c, metal)


def _dial(c: Canvas, ring: str) -> None:
    c.oval(0, 0, 200, 200, ring)
    c.oval(0, 0, 168, 168, c.linear((0, "#fffaf0"), (10, "#e9dfcb"), x2=0.7, y2=1))
    ticks(c, 154, 60, 8, INK, 2)
    ticks(c, 154, 12, 26, INK, 7)
    c.path("M0 20L-58 -70", stroke=INK, width=14)
    c.path("M0 24L76 -100", stroke=INK, width=9)
    c.path("M-16 30L-10 -130", stroke=COLOURS["Signal"], width=4)
    c.oval(0, 0, 14, 14, INK)
    c.path("M-130 -64A146 146 0 0 1 -40 -140", stroke="#fff", width=14, opacity=0.7)


MOTIFS = (compass, binoculars, tube, watch, radio, clock)
