"""Tea, bowls and lunch."""

from shop.demo.drawing.canvas import Canvas
from shop.demo.palette import COLOURS, dark, light, luminance

WOOD = COLOURS["Oak"]


def rim(c: Canvas, y: float, half: float, tone: str, *, inside: str = "") -> None:
    """The mouth of a turned thing: its lip, and the dark within."""
    c.oval(0, y, half, half * 0.16, light(tone, 0.28))
    c.oval(
        0,
        y + 1.5,
        half - 6,
        half * 0.16 - 3,
        c.linear((0, inside or dark(tone, 0.5)), (10, inside or dark(tone, 0.15))),
    )


def knob(c: Canvas, y: float, size: float, tone: str) -> None:
    c.oval(0, y, size, size * 0.82, c.turned(tone))
    c.oval(-size * 0.3, y - size * 0.3, size * 0.28, size * 0.2, light(tone, 0.6), opacity=0.7)


def steam(c: Canvas, x: float, y: float) -> None:
    for dx, opacity in ((-20, 0.32), (14, 0.22)):
        c.path(
            f"M{x + dx} {y}c-22 -34 24 -52 4 -92s14 -50 6 -76",
            stroke="#fffaf0",
            width=9,
            opacity=opacity,
        )


def teapot(c: Canvas, tone: str, handle: str = "side") -> None:
    c.shadow(165)
    body = c.turned(tone)
    c.path("M140 -92C196 -104 198 -160 224 -196Q244 -208 258 -190C250 -140 226 -66 128 -40Z", body)
    c.oval(241, -196, 17, 8, dark(tone, 0.5))
    c.lathe([(66, -212), (138, -176), (172, -102), (140, -28), (96, 0)], body)
    c.path(
        "M-78 -208A78 13 0 0 0 78 -208L74 -214Q40 -250 0 -250T-74 -214Z",
        c.turned(light(tone, 0.06)),
    )
    knob(c, -262, 20, tone)
    c.path("M-172 -96Q-168 -56 -140 -28", stroke=light(tone, 0.4), width=4, opacity=0.5)
    c.path(
        "M-120 -128L-262 -196Q-288 -202 -292 -178Q-292 -160 -270 -152L-128 -88Z",
        c.cloth(dark(tone, 0.1)),
    )
    c.oval(-279, -177, 12, 22, dark(tone, 0.4))
    c.path("M-116 -164Q-88 -190 -50 -200", stroke="#fff", width=7, opacity=0.3)


def gaiwan(c: Canvas, tone: str) -> None:
    c.shadow(185)
    c.lathe([(186, -30), (150, -12), (88, 0)], c.turned(light(tone, 0.1)))
    c.oval(0, -32, 186, 27, light(tone, 0.35))
    c.oval(0, -32, 120, 16, dark(tone, 0.16))
    c.lathe([(156, -186), (132, -130), (96, -70), (64, -34)], c.turned(tone))
    rim(c, -186, 156, tone)
    c.path(
        "M-138 -184A138 20 0 0 0 138 -184Q112 -240 0 -248T-138 -184Z", c.turned(light(tone, 0.08))
    )
    c.lathe([(34, -268), (24, -256), (30, -244)], c.turned(tone))
    c.oval(0, -268, 34, 6, light(tone, 0.4))
    _branch(c, -84, -110, "#2f5f8a" if luminance(tone) > 0.7 else light(tone, 0.6))


def _branch(c: Canvas, x: float, y: float, ink: str) -> None:
    """A painted twig with leaves."""
    c.path(f"M{x} {y}q50 24 92 -14t66 -6", stroke=ink, width=4, opacity=0.75)
    for dx, dy, turn in ((34, 2, 1), (64, -8, -1), (96, -18, 1), (128, -24, -1)):
        c.path(
            f"M{x + dx} {y + dy}q16 {-18 * turn} 30 {-8 * turn}q-10 {14 * turn} -30 {8 * turn}Z",
            ink,
            opacity=0.75,
        )


def cup(c: Canvas, tone: str, shape: str = "tea") -> None:
    c.shadow(108)
    steam(c, 0, -232)
    c.lathe([(132, -210), (128, -120), (104, -34), (70, -16)], c.turned(tone))
    c.lathe([(70, -18), (66, 0)], c.turned(COLOURS["Sand"]))
    rim(c, -210, 132, tone, inside="#7b5a2e")
    c.oval(-22, -206, 46, 7, "#c79a52", opacity=0.6)
    c.path("M-108 -176Q-112 -110 -92 -64", stroke="#fff", width=9, opacity=0.28)


def tin(c: Canvas, tone: str) -> None:
    c.shadow(122)
    c.lathe([(124, -300), (124, -150), (124, 0)], c.metal(tone))
    c.lathe([(127, -318), (127, -260), (127, -206)], c.metal(light(tone, 0.06)))
    c.path("M-127 -206A127 20 0 0 0 127 -206", stroke=dark(tone, 0.5), width=4, opacity=0.7)
    c.oval(0, -318, 127, 20, c.linear((0, light(tone, 0.6)), (10, dark(tone, 0.06))))
    c.oval(0, -319, 104, 15, c.linear((0, dark(tone, 0.1)), (10, light(tone, 0.4))))
    knob(c, -332, 17, light(tone, 0.2))
    for y in (-40, -52):
        c.path(f"M-124 {y}A124 20 0 0 0 124 {y}", stroke=light(tone, 0.5), width=2, opacity=0.6)


def kettle(c: Canvas, tone: str) -> None:
    c.shadow(188)
    c.path("M-96 -206C-150 -400 150 -400 96 -206", stroke=dark(COLOURS["Steel"], 0.35), width=10)
    c.path("M-62 -340Q0 -376 62 -340", stroke=COLOURS["Walnut"], width=30)
    c.path("M-58 -346Q0 -380 58 -346", stroke=light(COLOURS["Walnut"], 0.3), width=5, opacity=0.7)
    c.path(
        "M140 -120C200 -130 200 -190 246 -206L266 -190C256 -130 220 -70 150 -50Z", c.turned(tone)
    )
    c.lathe([(104, -206), (166, -160), (192, -80), (186, -14), (176, 0)], c.turned(tone), foot=0.12)
    c.path(
        "M-108 -204A108 17 0 0 0 108 -204Q80 -246 0 -250T-108 -204Z", c.turned(light(tone, 0.07))
    )
    knob(c, -262, 20, COLOURS["Walnut"])
    c.path("M-186 -14A186 24 0 0 0 186 -14", stroke=dark(tone, 0.5), width=6, opacity=0.6)
    c.path("M-150 -148Q-178 -100 -172 -50", stroke="#fff", width=10, opacity=0.3)
    steam(c, 262, -220)


def whisk(c: Canvas, tone: str, smoked: bool = False) -> None:
    wood = "#7d5a33" if smoked else tone
    c.shadow(118)
    for step in (*range(-11, 12, 2), *range(-10, 12, 2)):
        x = step * 10.6
        c.path(
            f"M{step * 5.4} -170"
            f"C{x * 1.35:.0f} -130 {x * 1.3:.0f} -40 {x:.0f} {-4 - abs(step) * 1.4:.0f}",
            stroke=light(wood, 0.25) if step % 2 else dark(wood, 0.12),
            width=4.5,
        )
    c.path("M-62 -150Q0 -132 62 -150", stroke=COLOURS["Ink"], width=7)
    c.path("M-60 -163Q0 -145 60 -163", stroke=COLOURS["Ink"], width=4)
    c.lathe([(50, -360), (52, -260), (60, -168)], c.turned(wood))
    rim(c, -360, 50, wood)
    c.path("M-51 -268A52 9 0 0 0 52 -268", stroke=dark(wood, 0.4), width=4)


def bowl(
    c: Canvas, tone: str, band: bool = False, deep: bool = False, sticks: bool = False
) -> None:
    h = 236 if deep else 184
    c.shadow(130)
    c.lathe([(70, -22), (64, 0)], c.turned(dark(tone, 0.12)))
    c.lathe([(190, -h), (178, -h * 0.62), (132, -h * 0.24), (70, -18)], c.turned(tone))
    if band:
        ink = COLOURS["Indigo"] if luminance(tone) > 0.6 else light(tone, 0.65)
        c.path(f"M-186 {-h + 40}A190 30 0 0 0 186 {-h + 40}", stroke=ink, width=13, opacity=0.85)
        c.path(f"M-180 {-h + 62}A186 30 0 0 0 180 {-h + 62}", stroke=ink, width=4, opacity=0.85)
    rim(c, -h, 190, tone)
    c.path(f"M-164 {-h + 56}Q-160 {-h + 108} -128 -62", stroke="#fff", width=10, opacity=0.25)
    if sticks:
        for shift in (0, 15):
            c.path(
                f"M-262 {-h - 26 + shift}L250 {-h - 6 + shift * 1.6}",
                stroke=COLOURS["Brick"],
                width=9,
            )
            c.path(
                f"M-262 {-h - 28 + shift}L120 {-h - 13 + shift * 1.4}",
                stroke="#fff",
                width=2,
                opacity=0.4,
            )
        steam(c, 10, -h - 44)


def mug(c: Canvas, tone: str) -> None:
    trim = COLOURS["Navy"] if luminance(tone) > 0.3 else COLOURS["Cream"]
    c.shadow(132)
    c.path("M118 -196C236 -214 236 -54 118 -62", stroke=dark(tone, 0.22), width=24)
    c.path("M118 -200C230 -216 230 -62 118 -68", stroke=tone, width=14)
    c.lathe([(134, -248), (132, -120), (128, 0)], c.turned(tone))
    rim(c, -248, 134, trim, inside=light(tone, 0.75))
    c.oval(0, -240, 116, 13, "#4a3322")
    c.path("M-128 -6A128 20 0 0 0 128 -6", stroke=trim, width=7)
    c.path("M-106 -214V-52", stroke="#fff", width=11, opacity=0.32)
    steam(c, 0, -268)


def glasses(c: Canvas, tone: str) -> None:
    c.shadow(100)
    for level in range(3):
        y = -level * 104
        fill = c.linear(
            (0, light(tone, 0.2)), (2, light(tone, 0.75)), (6, tone), (10, dark(tone, 0.3))
        )
        with c.group(f"translate(0 {y})"):
            c.add('<g opacity=".82">')
            c.lathe([(108, -170), (106, -100), (96, -92), (84, 0)], fill)
            c.add("</g>")
            c.oval(0, -170, 108, 17, stroke=light(tone, 0.7), width=4)
            c.path(
                "M-107 -106A107 17 0 0 0 107 -106", stroke=light(tone, 0.8), width=5, opacity=0.8
            )
            c.path("M-84 -82L-74 -14", stroke="#fff", width=7, opacity=0.5)


def tokkuri(c: Canvas, tone: str) -> None:
    with c.group("translate(-50 -10)"):
        c.shadow(92)
        c.lathe(
            [(46, -334), (32, -290), (40, -236), (92, -150), (100, -70), (76, 0)], c.turned(tone)
        )
        rim(c, -334, 46, tone)
        c.path("M-82 -150Q-92 -96 -80 -50", stroke="#fff", width=9, opacity=0.3)
        c.path("M-38 -246Q0 -234 38 -246", stroke=dark(tone, 0.3), width=5, opacity=0.6)
    for x, y in ((112, 12), (196, -22)):
        with c.group(f"translate({x} {y})"):
            c.shadow(40)
            c.lathe([(54, -76), (50, -40), (30, 0)], c.turned(tone))
            rim(c, -76, 54, tone)


def plate(c: Canvas, tone: str) -> None:
    bare = COLOURS["Sand"]
    c.shadow(128)
    c.path("M-120 4L-90 -60H90L120 4Z", c.cloth(COLOURS["Walnut"]))
    c.oval(0, -196, 196, 196, c.cloth(bare))
    c.path("M-190 -240A196 196 0 1 1 186 -140Q60 -96 -30 -150T-190 -240Z", c.cloth(tone))
    c.oval(0, -196, 138, 138, stroke=dark(tone, 0.3), width=3, opacity=0.45)
    c.oval(-4, -200, 188, 188, stroke="#fff", width=4, opacity=0.35)
    c.path("M-136 -276Q-96 -346 -20 -356", stroke="#fff", width=12, opacity=0.3)
    c.path("M-112 6L-96 -34H96L112 6Z", c.cloth(light(COLOURS["Walnut"], 0.1)))


def bento(c: Canvas, tone: str) -> None:
    strap = COLOURS["Cream"] if luminance(tone) < 0.45 else COLOURS["Indigo"]
    c.shadow(170)
    for y, h in ((-108, 108), (-212, 100)):
        c.rect(-178, y, 356, h, c.turned(tone), r=34)
        c.path(f"M-176 {y + 12}H176", stroke=light(tone, 0.4), width=3, opacity=0.7)
    c.rect(-186, -262, 372, 60, c.turned(light(tone, 0.1)), r=26)
    c.rect(-170, -262, 340, 12, "#fff", r=6, opacity=0.22)
    c.rect(-34, -264, 68, 264, c.turned(strap))
    for x in (-20, -6, 8, 22):
        c.path(f"M{x} -262V-2", stroke=dark(strap, 0.3), width=1.5, opacity=0.5)
    c.path("M-34 -264Q0 -282 34 -264Z", strap)


def tiffin(c: Canvas, tone: str, tiers: int = 3) -> None:
    top = -tiers * 96
    frame = dark(COLOURS["Steel"], 0.3)
    c.shadow(134)
    c.path(
        f"M-146 -20V{top - 20}Q-146 {top - 92} -70 {top - 92}H70Q146 {top - 92} 146 {top - 20}V-20",
        stroke=frame,
        width=11,
    )
    for level in range(tiers):
        y = -level * 96
        c.lathe([(134, y - 92), (130, y - 46), (120, y)], c.metal(tone))
        c.path(f"M-134 {y - 90}A134 21 0 0 0 134 {y - 90}", stroke=light(tone, 0.5), width=6)
    c.path(
        f"M-134 {top}A134 21 0 0 0 134 {top}Q110 {top - 40} 0 {top - 42}T-134 {top}Z",
        c.metal(light(tone, 0.08)),
    )
    knob(c, top - 50, 15, COLOURS["Brass"])
    c.path(f"M-60 {top - 94}H60", stroke=COLOURS["Walnut"], width=24)
    for x in (-146, 146):
        c.rect(x - 9, top + 10, 18, 60, c.metal(COLOURS["Brass"]), r=6)


def flask(c: Canvas, tone: str) -> None:
    c.shadow(92)
    steel = COLOURS["Steel"]
    c.lathe([(92, -322), (96, -300), (96, -150), (92, 0)], c.turned(tone))
    c.lathe([(70, -356), (92, -322)], c.metal(steel))
    c.lathe([(76, -448), (78, -400), (76, -352)], c.metal(steel))
    c.oval(0, -448, 76, 12, light(steel, 0.4))
    c.path("M-96 -60A96 15 0 0 0 96 -60V-36A96 15 0 0 1 -96 -36Z", light(tone, 0.65), opacity=0.9)
    c.path("M78 -420C128 -424 128 -372 78 -376", stroke=dark(steel, 0.2), width=10)
    c.path("M-70 -292V-84", stroke="#fff", width=10, opacity=0.32)


def chopsticks(c: Canvas, tone: str, standing: bool = False) -> None:
    if standing:
        c.shadow(56)
        for x in (-22, 14):
            c.path(f"M{x} -10L{x * 3} -420", stroke=c.turned(tone) if x == 0 else tone, width=12)
        c.lathe([(56, -190), (50, -90), (54, 0)], c.turned(COLOURS["Cream"]))
        rim(c, -190, 56, COLOURS["Cream"])
        return
    with c.group("rotate(-34)"):
        c.rect(-150, -58, 56, 116, c.cloth(COLOURS["Celadon"]), r=26)
        for y in (-26, 20):
            c.path(
                f"M-300 {y - 5}L300 {y - 12}V{y + 14}L-300 {y + 6}Q-308 {y} -300 {y - 5}Z",
                c.linear((0, light(tone, 0.35)), (5, tone), (10, dark(tone, 0.35)), x2=0, y2=1),
            )
            c.rect(
                60,
                y - 12,
                26,
                24,
                c.linear(
                    (0, light(COLOURS["Brass"], 0.5)), (10, dark(COLOURS["Brass"], 0.2)), x2=0, y2=1
                ),
            )
            c.path(f"M-298 {y}L-190 {y}", stroke=COLOURS["Brick"], width=11)


def cutlery(c: Canvas, tone: str) -> None:
    fill = c.linear(
        (0, light(tone, 0.5)), (4, tone), (7, light(tone, 0.2)), (10, dark(tone, 0.3)), x2=1, y2=0.2
    )
    with c.group("rotate(28)"):
        c.path(
            "M-96 300V-70C-150 -90 -164 -190 -126 -262Q-88 -310 -50 -262"
            "C-12 -190 -26 -90 -72 -70L-72 300Q-84 314 -96 300Z",
            fill,
        )
        c.path("M-114 -240Q-140 -160 -106 -104", stroke="#fff", width=8, opacity=0.45)
        c.path(
            "M76 300L72 -60C36 -80 36 -130 38 -276Q44 -290 50 -276V-150H70V-284"
            "Q76 -296 82 -284V-150H102V-284Q108 -296 114 -284V-150"
            "V-276Q126 -290 130 -270C132 -130 132 -80 98 -60L100 300Q88 314 76 300Z",
            fill,
        )
        for x in (-84, 88):
            c.oval(x, 272, 7, 7, dark(tone, 0.5))


MOTIFS = (
    teapot,
    gaiwan,
    cup,
    tin,
    kettle,
    whisk,
    bowl,
    mug,
    glasses,
    tokkuri,
    plate,
    bento,
    tiffin,
    flask,
    chopsticks,
    cutlery,
)
