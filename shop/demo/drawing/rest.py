"""Home and bath."""

from shop.demo.drawing.canvas import Canvas
from shop.demo.drawing.carrying import peg
from shop.demo.drawing.table import rim
from shop.demo.palette import COLOURS, dark, light, luminance

CREAM = COLOURS["Cream"]


def fold(c: Canvas, half: float, y: float, h: float, tone: str) -> None:
    """One fold of thick cloth, its round edge to the left."""
    c.path(
        f"M{-half + h / 2} {y - h}H{half}V{y}H{-half + h / 2}"
        f"A{h / 2} {h / 2} 0 0 1 {-half + h / 2} {y - h}Z",
        c.linear((0, light(tone, 0.2)), (5, tone), (10, dark(tone, 0.28)), x2=0.1, y2=1),
    )


def blanket(c: Canvas, tone: str) -> None:
    c.shadow(220)
    for level in range(4):
        y = -level * 62
        fold(c, 226 - level * 4, y, 66, tone if level % 2 else light(tone, 0.08))
        c.path(f"M-190 {y - 33}H216", stroke=dark(tone, 0.4), width=3, opacity=0.4)
    for x, w, shade in (
        (-96, 40, CREAM),
        (-36, 14, COLOURS["Ochre"]),
        (70, 40, CREAM),
        (130, 14, COLOURS["Ochre"]),
    ):
        c.path(f"M{x} -250V-2", stroke=shade, width=w, opacity=0.85)
    for level in range(1, 4):
        c.path(f"M-216 {-level * 62}H222", stroke=dark(tone, 0.5), width=4, opacity=0.6)
    c.path("".join(f"M214 {y}h26" for y in range(-246, 0, 9)), stroke=light(tone, 0.2), width=4)


def cushion(c: Canvas, tone: str) -> None:
    c.shadow(206)
    c.path(
        "M-196 -340Q0 -310 196 -340Q218 -344 214 -320Q190 -170 214 -22Q218 4 196 0"
        "Q0 -30 -196 0Q-218 4 -214 -22Q-190 -170 -214 -320Q-218 -344 -196 -340Z",
        c.cloth(tone),
    )
    rings = ""
    for row, y in enumerate(range(-292, -20, 44)):
        for x in range(-154 + row % 2 * 44, 170, 88):
            rings += f"M{x - 44} {y}a44 44 0 0 1 88 0M{x - 26} {y}a26 26 0 0 1 52 0"
    c.path(rings, stroke=CREAM, width=4, dash="9 6", opacity=0.85)
    c.path("M-180 -322Q0 -294 180 -322", stroke="#fff", width=6, opacity=0.2)
    for x, y in ((-204, -330), (204, -330), (-204, -10), (204, -10)):
        c.oval(x, y, 13, 13, COLOURS["Ochre"])


def incense(c: Canvas, tone: str, bowl: str = "plum") -> None:
    glaze = COLOURS[bowl.title()]
    c.shadow(118)
    for x, tip in ((-26, -64), (4, 6), (32, 78)):
        c.path(f"M{x} -120L{tip} -330", stroke=COLOURS["Tea"], width=6)
        c.oval(tip, -332, 5, 7, COLOURS["Signal"])
        c.oval(tip, -332, 16, 16, c.glow("#ff9a5c", 0.8))
    for x, opacity in ((-64, 0.26), (6, 0.36), (78, 0.22)):
        c.path(
            f"M{x} -344c-40 -50 30 -74 -4 -124s24 -70 -8 -120",
            stroke="#fff6e6",
            width=9,
            opacity=opacity,
        )
    c.lathe([(70, -16), (78, 0)], c.turned(dark(glaze, 0.2)))
    c.lathe([(138, -140), (144, -96), (112, -36), (70, -14)], c.turned(glaze))
    rim(c, -140, 138, glaze, inside="#d8cdb8")
    c.path("M-118 -104Q-112 -66 -86 -40", stroke="#fff", width=9, opacity=0.28)
    c.path("M-138 -96Q0 -70 140 -96", stroke=light(glaze, 0.45), width=5, opacity=0.7)


def vase(c: Canvas, tone: str) -> None:
    c.shadow(104)
    c.path(
        "M10 -270C30 -360 -40 -420 30 -540M14 -400Q80 -430 104 -490M-2 -440Q-60 -470 -76 -520",
        stroke=COLOURS["Tea"],
        width=9,
    )
    leaf = "#5d7a52" if luminance(tone) > 0.3 else "#8fae82"
    for x, y, turn in (
        (30, -540, -10),
        (104, -490, 30),
        (-76, -520, -60),
        (60, -424, 60),
        (-30, -456, -100),
        (22, -490, 70),
        (76, -462, -20),
    ):
        with c.group(f"translate({x} {y}) rotate({turn})"):
            c.path("M0 0C-26 -24 -20 -58 0 -78C20 -58 26 -24 0 0Z", leaf)
    for x, y in ((48, -410), (-52, -494), (92, -462)):
        c.oval(x, y, 13, 13, COLOURS["Persimmon"])
        c.oval(x - 4, y - 4, 4, 4, "#fff", opacity=0.6)
    c.path(
        "M-6 -276Q6 -286 34 -276C30 -220 30 -196 84 -150C140 -90 116 0 70 0H-70"
        "C-116 0 -140 -80 -92 -140C-40 -196 -20 -220 -6 -276Z",
        c.turned(tone),
    )
    c.oval(14, -278, 21, 6, dark(tone, 0.55))
    c.path("M-86 -126Q-112 -80 -96 -40", stroke="#fff", width=11, opacity=0.32)
    c.path(
        "M-112 -64C-60 -30 -10 -96 40 -60S100 -50 114 -70C110 -20 96 0 70 0H-70"
        "C-96 0 -112 -30 -112 -64Z",
        dark(tone, 0.3),
        opacity=0.35,
    )


def bell(c: Canvas, tone: str) -> None:
    peg(c)
    c.path("M0 0V110M0 270V360", stroke=COLOURS["Black"], width=4)
    c.lathe([(26, 96), (84, 124), (112, 180), (116, 226), (146, 262)], c.turned(tone), foot=0.14)
    c.oval(0, 262, 146, 19, dark(tone, 0.55))
    c.oval(0, 92, 26, 12, stroke=dark(tone, 0.2), width=10)
    for y in (150, 214):
        c.path(
            f"M{-100 - (y - 150) * 0.2} {y}Q0 {y + 22} {100 + (y - 150) * 0.2} {y}",
            stroke=light(tone, 0.4),
            width=4,
            opacity=0.6,
        )
    c.oval(0, 284, 17, 17, c.turned(COLOURS["Brass"]))
    with c.group("translate(0 356) rotate(-5)"):
        c.path("M-42 0H42V136Q0 150 -42 136Z", c.cloth(CREAM))
        c.path("M-30 96Q-14 60 4 92T32 84", stroke=COLOURS["Indigo"], width=6)
        c.oval(14, 38, 15, 15, COLOURS["Signal"], opacity=0.85)
    c.path("M-76 140Q-98 180 -98 224", stroke="#fff", width=9, opacity=0.25)


def stool(c: Canvas, tone: str) -> None:
    c.shadow(176)
    c.path("M14 -210L24 -40H58L44 -210Z", c.turned(dark(tone, 0.35)))
    c.path("M-112 -220L-176 0H-136L-62 -220Z", c.turned(dark(tone, 0.1)))
    c.path("M112 -220L176 0H136L62 -220Z", c.turned(dark(tone, 0.14)))
    c.lathe([(198, -262), (198, -240), (184, -212)], c.turned(tone))
    c.oval(0, -262, 198, 38, c.cloth(light(tone, 0.22)))
    for r in (150, 104, 58):
        c.path(
            f"M{-r} -262Q{-r * 0.3:.0f} {-262 - r * 0.19:.0f} {r} -266",
            stroke=dark(tone, 0.35),
            width=3,
            opacity=0.35,
        )
    for x, y in ((-104, -258), (104, -258), (20, -284)):
        c.oval(x, y, 21, 7, dark(tone, 0.25))
        c.path(f"M{x - 14} {y + 3}L{x + 14} {y - 3}", stroke=light(tone, 0.4), width=4)


def basket(c: Canvas, tone: str) -> None:
    c.shadow(186)
    for x in (-112, 112):
        c.path(
            f"M{x - 54} -238C{x - 54} -330 {x + 54} -330 {x + 54} -238",
            stroke=dark(tone, 0.3),
            width=17,
        )
        c.path(
            f"M{x - 54} -242C{x - 54} -326 {x + 54} -326 {x + 54} -242",
            stroke=light(tone, 0.15),
            width=8,
        )
    c.oval(0, -238, 214, 34, dark(tone, 0.55))
    c.lathe([(214, -238), (208, -140), (176, 0)], c.turned(tone), foot=0.12)
    for row, shade in enumerate((dark(tone, 0.35), light(tone, 0.35))):
        for y in range(-214 + row * 22, 4, 44):
            half = 212 - (y + 214) ** 1.15 * 0.085
            c.path(
                f"M{-half:.0f} {y}Q0 {y + 30 - (y + 238) * 0.03:.0f} {half:.0f} {y}",
                stroke=shade,
                width=13,
                dash="26 20" if row else "20 26",
                opacity=0.62,
            )
    c.path("M-214 -238A214 34 0 0 0 214 -238", stroke=dark(tone, 0.25), width=19)
    c.path("M-214 -240A214 34 0 0 0 214 -240", stroke=light(tone, 0.3), width=9, dash="20 9")


def soap(c: Canvas, tone: str, bar: str = "Sage") -> None:
    colour = COLOURS[bar]
    c.shadow(206)
    c.path("M-216 -44H216L190 0H-190Z", c.cloth(COLOURS["Walnut"]))
    for x in range(-150, 190, 60):
        c.path(f"M{x} -40L{x * 0.9:.0f} -4", stroke=dark(COLOURS["Walnut"], 0.5), width=9)
    c.rect(-168, -142, 336, 98, c.turned(light(colour, 0.12)), r=32)
    c.path("M-150 -126H140", stroke="#fff", width=9, opacity=0.4)
    with c.group("translate(18 -142) rotate(-4)"):
        c.rect(-146, -92, 292, 92, c.turned(colour), r=32)
        c.path("M-126 -76H110", stroke="#fff", width=9, opacity=0.4)
        c.rect(-38, -94, 76, 96, c.cloth(CREAM))
        c.oval(0, -46, 19, 19, stroke=dark(colour, 0.3), width=5)
        c.path("M0 -66V-26M-20 -46H20", stroke=dark(colour, 0.3), width=4)
    for x, y, r in (
        (-206, -86, 25),
        (-238, -38, 15),
        (216, -70, 19),
        (190, -20, 12),
        (-180, -132, 11),
    ):
        c.oval(x, y, r, r, "#fff", opacity=0.4)
        c.oval(x, y, r, r, stroke="#fff", width=3, opacity=0.8)


def towel(c: Canvas, tone: str) -> None:
    band = COLOURS["Harbour"] if luminance(tone) > 0.5 else CREAM
    c.shadow(214)
    for level, half in enumerate((220, 214, 216)):
        fold(c, half, -level * 70, 74, light(tone, 0.06 * level))
        c.path(f"M110 {-level * 70 - 71}V{-level * 70 - 3}", stroke=band, width=11, opacity=0.85)
        c.path(f"M132 {-level * 70 - 71}V{-level * 70 - 3}", stroke=band, width=4, opacity=0.85)
        c.path(f"M-180 {-level * 70 - 37}H212", stroke=dark(tone, 0.4), width=3, opacity=0.3)
    for x, shade in ((-92, dark(tone, 0.08)), (72, tone)):
        with c.group(f"translate({x} -286)"):
            c.oval(0, 0, 76, 76, c.cloth(shade))
            c.path(
                "M0 0a14 14 0 0 1 28 6a32 32 0 0 1 -60 6a48 48 0 0 1 92 -28a62 62 0 0 1 -60 76",
                stroke=dark(shade, 0.35),
                width=5,
                opacity=0.55,
            )
            c.oval(0, 0, 73, 73, stroke=light(shade, 0.5), width=4, opacity=0.7)


def bucket(c: Canvas, tone: str, hoop: str = "Copper") -> None:
    metal = COLOURS[hoop]
    c.shadow(178)
    c.path("M-206 -330H-146V-190H-206ZM146 -330H206V-190H146Z", c.cloth(dark(tone, 0.1)))
    c.rect(
        -226,
        -316,
        452,
        34,
        c.linear((0, light(tone, 0.35)), (10, dark(tone, 0.3)), x2=0, y2=1),
        r=14,
    )
    c.oval(0, -234, 200, 32, dark(tone, 0.5))
    c.oval(0, -212, 182, 24, COLOURS["Sky"], opacity=0.9)
    c.path(
        "M-120 -214Q-60 -226 -10 -216M30 -206Q80 -212 120 -204", stroke="#fff", width=4, opacity=0.8
    )
    c.lathe([(200, -234), (192, -120), (180, 0)], c.turned(tone), foot=0.12)
    c.path("M-186 -234A200 32 0 0 0 200 -234", stroke=light(tone, 0.4), width=9)
    for step in range(-4, 5):
        x = step * 44
        y = 30 * (1 - (step / 4.6) ** 2)
        c.path(
            f"M{x} {-232 + y:.0f}L{x * 0.9:.0f} {y * 0.72 - 4:.0f}",
            stroke=dark(tone, 0.45),
            width=3,
            opacity=0.5,
        )
    for y, half in ((-170, 196), (-48, 185)):
        c.path(f"M{-half} {y}A{half} 28 0 0 0 {half} {y}", stroke=c.metal(metal), width=17)


def bathbrush(c: Canvas, tone: str) -> None:
    wood = c.linear((0, light(tone, 0.35)), (4, tone), (10, dark(tone, 0.35)), x2=0.4, y2=1)
    with c.group("rotate(34)"):
        c.path("M0 300Q-30 340 0 366Q30 340 0 300", stroke=COLOURS["Signal"], width=8)
        c.path("M-24 -60Q-36 140 -28 288Q0 316 28 288Q36 140 24 -60Z", wood)
        c.oval(0, 282, 8, 8, dark(tone, 0.6))
        c.path(
            "M0 -320C110 -320 128 -220 118 -150S70 -30 0 -30S-108 -80 -118 -150S-110 -320 0 -320Z",
            wood,
        )
        bristles = "".join(
            f"M{x} {y}h.1"
            for y in range(-280, -60, 22)
            for x in range(-84, 90, 21)
            if (x / 100) ** 2 + ((y + 172) / 130) ** 2 < 0.92
        )
        c.path(bristles, stroke=COLOURS["Tea"], width=17)
        c.path(bristles, stroke=light(COLOURS["Sand"], 0.2), width=8)
        c.path("M-10 -20V250", stroke="#fff", width=6, opacity=0.3)


MOTIFS = (blanket, cushion, incense, vase, bell, stool, basket, soap, towel, bucket, bathbrush)
