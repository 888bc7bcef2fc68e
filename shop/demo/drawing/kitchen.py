"""Knives, boards and hand tools, seen from above."""

from shop.demo.drawing.canvas import Canvas
from shop.demo.palette import COLOURS, dark, light

STEEL = COLOURS["Steel"]
BLADES = {
    "petty": "M20 -34L-262 -24Q-284 -10 -292 22Q-150 44 20 36Z",
    "nakiri": "M20 -62H-270Q-288 -60 -288 -40V70Q-284 84 -262 84H10Q20 60 20 30Z",
    "cleaver": "M20 -84H-286V96Q-130 118 20 84Z",
    "folding": "M6 -26L-216 -26Q-262 -10 -268 30Q-120 38 6 28Z",
}


def knife(c: Canvas, tone: str, blade: str = "petty") -> None:
    with c.group("rotate(-32)"):
        c.path(
            BLADES[blade],
            c.linear(
                (0, light(STEEL, 0.55)),
                (5.5, STEEL),
                (6, light(STEEL, 0.7)),
                (10, dark(STEEL, 0.12)),
                x2=0,
                y2=1,
            ),
        )
        low = {"petty": 14, "nakiri": 50, "cleaver": 62, "folding": 12}[blade]
        c.path(f"M10 {low}H-250", stroke="#fff", width=3, opacity=0.7)
        if blade in ("nakiri", "cleaver"):
            for x in range(-250, 0, 42):
                c.oval(x, -28 - x % 3 * 9, 13, 10, dark(STEEL, 0.2), opacity=0.28)
        if blade == "cleaver":
            c.oval(-252, -52, 14, 14, dark(STEEL, 0.65))
        wood = c.linear((0, light(tone, 0.32)), (4, tone), (10, dark(tone, 0.4)), x2=0, y2=1)
        if blade == "folding":
            c.path("M-6 -34H258Q284 -32 284 2T258 36H-6Q-20 0 -6 -34Z", wood)
            c.path("M0 -34L26 -74Q40 -84 44 -66L40 -34Z", c.cloth(STEEL))
            c.oval(14, 0, 9, 9, dark(tone, 0.5))
            c.path("M70 -6H236M70 8H236", stroke=dark(tone, 0.4), width=3, opacity=0.6)
            return
        c.rect(
            14,
            -36,
            40,
            72,
            c.linear((0, dark(STEEL, 0.1)), (10, dark(STEEL, 0.6)), x2=0, y2=1),
            r=6,
        )
        c.path("M50 -34L282 -40Q304 -20 302 4Q300 40 280 44L50 36Z", wood)
        for y, opacity in ((-16, 0.35), (2, 0.25), (20, 0.3)):
            c.path(
                f"M64 {y}Q170 {y - 12} 286 {y + 4}",
                stroke=dark(tone, 0.45),
                width=2,
                opacity=opacity,
            )


def board(c: Canvas, tone: str, shape: str = "long") -> None:
    wood = c.cloth(tone)
    if shape == "round":
        c.rect(-7, -30, 14, 60, COLOURS["Walnut"], r=6)
        c.path("M-26 150V40Q-26 -14 0 -14T26 40V150Z", wood)
        c.oval(0, 320, 190, 190, wood)
        c.oval(0, 18, 9, 9, dark(tone, 0.65))
        for r in (60, 104, 146):
            c.path(
                f"M{-r} {318 - r * 0.2:.0f}Q0 {318 - r} {r} {318 + r * 0.1:.0f}",
                stroke=dark(tone, 0.35),
                width=3,
                opacity=0.3,
            )
        c.oval(0, 320, 184, 184, stroke=light(tone, 0.5), width=4, opacity=0.5)
        return
    with c.group("rotate(-14)"):
        c.rect(-158, -276, 316, 552, wood, r=34)
        c.oval(0, -228, 22, 22, dark(tone, 0.6))
        c.path("M0 -250C34 -300 -28 -306 4 -340", stroke=COLOURS["Brick"], width=8)
        for x, bend in ((-112, 16), (-60, -12), (-8, 20), (54, -16), (106, 10)):
            c.path(
                f"M{x} -262C{x + bend} -100 {x - bend} 80 {x + bend / 2} 262",
                stroke=dark(tone, 0.35),
                width=3,
                opacity=0.3,
            )
        c.path("M-140 256V-236Q-140 -260 -112 -262", stroke="#fff", width=5, opacity=0.4)


def hammer(c: Canvas, tone: str) -> None:
    iron = COLOURS["Iron"]
    with c.group("rotate(36)"):
        c.path("M-22 -190L-26 0Q-44 150 -34 296Q0 316 34 296Q44 150 26 0L22 -190Z", c.turned(tone))
        for x in (-12, 2, 14):
            c.path(
                f"M{x} -160Q{x + 6} 80 {x * 1.6} 286", stroke=dark(tone, 0.4), width=2, opacity=0.4
            )
        c.path(
            "M-160 -262Q-176 -222 -160 -182H-96L-60 -196H60L110 -178Q168 -176 176 -222"
            "Q168 -268 110 -266L60 -248H-60L-96 -262Z",
            c.linear((0, light(iron, 0.5)), (4, iron), (10, dark(iron, 0.4)), x2=0, y2=1),
        )
        c.rect(-26, -256, 52, 70, c.cloth(dark(iron, 0.2)), r=8)
        c.path("M-150 -246H-98", stroke="#fff", width=5, opacity=0.35)


def snips(c: Canvas, tone: str) -> None:
    steel = COLOURS["Steel"] if tone != COLOURS["Brass"] else tone
    body = c.cloth(tone)
    with c.group("rotate(30)"):
        c.path("M-20 -10L-46 -290Q-30 -304 -14 -284L22 -10Z", c.cloth(light(steel, 0.3)))
        c.path("M20 -10L46 -290Q30 -304 14 -284L-22 -10Z", c.cloth(steel))
        c.path(
            "M-4 -20C-120 20 -128 200 -48 270Q0 304 48 270C128 200 120 20 4 -20",
            stroke=body,
            width=44,
        )
        c.path("M-22 4C-112 50 -112 190 -44 252", stroke=light(tone, 0.5), width=6, opacity=0.6)
        c.path(
            "M-106 150h44M-106 162h44M-104 174h44M-102 186h46M-98 198h46",
            stroke=COLOURS["Brick"],
            width=9,
        )


def toolbox(c: Canvas, tone: str) -> None:
    c.shadow(212)
    steel = COLOURS["Steel"]
    c.path(
        "M-76 -226V-272Q-76 -292 -54 -292H54Q76 -292 76 -272V-226",
        stroke=dark(steel, 0.3),
        width=17,
    )
    c.path("M-50 -296H50", stroke=light(steel, 0.5), width=5)
    c.path("M-226 -116L-206 0H206L226 -116Z", c.turned(dark(tone, 0.06)))
    c.path(
        "M-234 -120L-208 -226Q-204 -234 -192 -234H192Q204 -234 208 -226L234 -120Z",
        c.turned(light(tone, 0.08)),
    )
    c.rect(-238, -128, 476, 18, c.turned(dark(tone, 0.14)), r=8)
    c.rect(-28, -152, 56, 62, c.metal(steel), r=8)
    c.oval(0, -106, 7, 7, dark(steel, 0.7))
    c.path("M-200 -218H188", stroke="#fff", width=6, opacity=0.3)
    for x in (-180, 180):
        c.rect(x - 14, -70, 28, 40, dark(tone, 0.3), r=5, opacity=0.5)


def rope(c: Canvas, tone: str, turns: int = 4) -> None:
    c.shadow(190)
    for level in range(turns):
        y, half = -level * 46 - 28, 188 - level * 9 + (level % 2) * 8
        d = f"M{-half} {y}A{half} 42 0 0 0 {half} {y}A{half} 42 0 0 0 {-half} {y}"
        c.oval(0, y, half - 18, 30, dark(tone, 0.62))
        strand(c, d, tone, 46)
    top = -(turns - 1) * 46 - 28
    strand(c, f"M40 {top + 36}C170 {top + 40} 210 {top + 70} 232 {-40}Q244 -8 292 8", tone, 40)
    c.path("M282 2L300 12", stroke=COLOURS["Brick"], width=44)


def strand(c: Canvas, d: str, tone: str, width: float) -> None:
    """Laid rope along a path: an edge, the body, the twist and its light."""
    c.path(d, stroke=dark(tone, 0.48), width=width)
    c.path(d, stroke=tone, width=width - 7)
    twist = f"{width * 0.16:.0f} {width * 0.3:.0f}"
    c.path(d, stroke=light(tone, 0.38), width=width * 0.56, dash=twist, opacity=0.8)
    c.path(d, stroke=dark(tone, 0.35), width=width - 9, dash=f"2 {width * 0.46:.0f}", opacity=0.45)


def spool(c: Canvas, tone: str) -> None:
    wood = COLOURS["Oak"]
    c.shadow(150)
    c.lathe([(150, -34), (150, 0)], c.turned(wood))
    c.oval(0, -34, 150, 24, light(wood, 0.35))
    c.lathe([(100, -260), (116, -150), (100, -36)], c.turned(tone))
    for y in range(-246, -40, 16):
        half = 100 + 15 * (1 - abs(y + 150) / 110)
        c.path(
            f"M{-half:.0f} {y}A{half:.0f} 16 0 0 0 {half:.0f} {y + 5}",
            stroke=dark(tone, 0.4),
            width=3,
            opacity=0.5,
        )
    c.lathe([(150, -292), (150, -258)], c.turned(wood))
    c.oval(0, -292, 150, 24, light(wood, 0.3))
    c.oval(0, -292, 26, 6, dark(wood, 0.6))
    c.path("M104 -90C180 -70 150 -10 236 -4S300 16 330 6", stroke=tone, width=7)


def carabiner(c: Canvas, tone: str) -> None:
    c.rect(-9, -40, 18, 60, COLOURS["Walnut"], r=7)
    d = "M-70 90C-70 -14 112 -26 112 90V330C112 420 -20 430 -46 350L-70 250Z"
    c.path(d, stroke=dark(tone, 0.42), width=40)
    c.path(d, stroke=tone, width=33)
    c.path("M-72 96C-70 10 90 -4 104 80", stroke=light(tone, 0.6), width=8, opacity=0.8)
    c.path("M104 100V330", stroke=light(tone, 0.5), width=7, opacity=0.6)
    c.path(
        "M-71 120V244",
        stroke=c.metal(COLOURS["Steel"]) if tone != COLOURS["Steel"] else dark(tone, 0.2),
        width=20,
    )
    c.rect(-96, 132, 50, 84, c.metal(COLOURS["Brass"]), r=8)
    for y in range(142, 210, 11):
        c.path(f"M-94 {y}H-48", stroke=dark(COLOURS["Brass"], 0.5), width=3, opacity=0.6)


def whistle(c: Canvas, tone: str) -> None:
    cord = COLOURS["Cream"] if tone != COLOURS["Steel"] else COLOURS["Signal"]
    strand(c, "M60 40C180 120 250 10 190 -90S-60 -260 -180 -200S-240 -30 -120 -60", cord, 26)
    with c.group("rotate(-18)"):
        c.path(
            "M-250 90Q-258 60 -228 60H80Q98 52 104 30L126 34Q120 84 96 98Q20 112 -250 90Z",
            c.linear((0, light(tone, 0.55)), (4, tone), (10, dark(tone, 0.4)), x2=0, y2=1),
        )
        c.oval(
            142,
            44,
            62,
            62,
            c.linear((0, light(tone, 0.6)), (4, tone), (10, dark(tone, 0.45)), x2=0.7, y2=1),
        )
        c.oval(122, 16, 18, 9, dark(tone, 0.65))
        c.path("M-160 96Q-60 190 60 100", c.cloth(dark(tone, 0.12)))
        c.oval(-40, 146, 13, 13, stroke=light(tone, 0.4), width=6)
        c.oval(122, 22, 16, 12, "#fff", opacity=0.2)


MOTIFS = (knife, board, hammer, snips, toolbox, rope, spool, carabiner, whistle)
