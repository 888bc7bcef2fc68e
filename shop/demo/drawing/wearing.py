"""Clothes, and what keeps the rain off them."""

from math import cos, pi, sin

from shop.demo.drawing.canvas import Canvas
from shop.demo.drawing.carrying import peg, stitches
from shop.demo.palette import COLOURS, dark, light, luminance

CREAM = COLOURS["Cream"]


def contrast(tone: str) -> str:
    """A stripe that shows on the tone."""
    return CREAM if luminance(tone) < 0.55 else COLOURS["Navy"]


def cap(c: Canvas, tone: str) -> None:
    c.shadow(170)
    c.path("M-166 -90C-190 -330 -70 -372 0 -372S190 -330 166 -90Z", c.turned(tone))
    for step in range(-6, 7):
        c.path(
            f"M{step * 26} -90C{step * 28} -250 {step * 13} -340 {step * 3} -370",
            stroke=dark(tone, 0.4),
            width=4,
            opacity=0.4,
        )
    c.path(
        "M-184 -128Q-196 -128 -194 -100L-186 -14Q-184 0 -166 0H166Q184 0 186 -14L194 -100"
        "Q196 -128 184 -128Q0 -96 -184 -128Z",
        c.turned(light(tone, 0.06)),
    )
    for step in range(-8, 9):
        c.path(
            f"M{step * 22} {-120 + abs(8 - abs(step)) * 2}L{step * 21} -6",
            stroke=dark(tone, 0.45),
            width=5,
            opacity=0.35,
        )
    c.rect(78, -86, 52, 44, COLOURS["Tan"], r=4)
    c.path("M90 -64h28", stroke=dark(COLOURS["Tan"], 0.5), width=4)


def scarf(c: Canvas, tone: str) -> None:
    stripe = contrast(tone)
    c.rect(-190, -14, 380, 22, c.cloth(COLOURS["Oak"]), r=10)
    for x, length, shade in ((-16, 400, dark(tone, 0.16)), (-130, 460, tone)):
        fringe = "".join(
            f"M{x + step} {length - 4}l{(step % 3) * 3 - 3} 42" for step in range(6, 146, 11)
        )
        c.path(fringe, stroke=shade, width=5)
        c.path(
            f"M{x} 0Q{x} -34 {x + 36} -34H{x + 116}Q{x + 150} -34 {x + 150} 0"
            f"L{x + 146} {length}H{x + 2}Z",
            c.cloth(shade),
        )
        for y in (length - 112, length - 84, length - 40):
            c.path(
                f"M{x + 3} {y}H{x + 146}",
                stroke=stripe,
                width=14 if y == length - 84 else 6,
                opacity=0.85,
            )
        c.path(
            f"M{x + 44} 0L{x + 40} {length - 130}M{x + 104} 10L{x + 108} {length - 130}",
            stroke=dark(tone, 0.45),
            width=8,
            opacity=0.14,
        )
    c.path("M-120 -22H120", stroke="#fff", width=5, opacity=0.25)


def _hanger(c: Canvas) -> None:
    c.path("M0 40V16Q26 10 22 -10T-16 -16", stroke=COLOURS["Steel"], width=7)
    c.path("M-150 92Q0 6 150 92", stroke=COLOURS["Oak"], width=15)


def smock(c: Canvas, tone: str) -> None:
    peg(c)
    _hanger(c)
    c.path(
        "M-150 84L-262 330L-190 366L-140 250V478Q0 500 140 478V250L190 366L262 330L150 84"
        "Q110 60 64 54Q0 96 -64 54Q-110 60 -150 84Z",
        c.cloth(tone),
    )
    c.path("M-64 54Q0 130 64 54", stroke=light(tone, 0.2), width=13)
    c.path("M0 100V190", stroke=dark(tone, 0.4), width=4)
    stitches(c, "M-10 196h20M-134 458Q0 480 134 458M-246 322L-184 352M246 322L184 352", tone)
    for x in (-110, 20):
        c.rect(x, 330, 92, 96, c.cloth(dark(tone, 0.09)), r=6)
        stitches(c, f"M{x + 7} 346h78", tone)
    c.rect(-96, 178, 70, 66, c.cloth(dark(tone, 0.07)), r=5)
    c.path(
        "M-140 250Q-124 180 -132 130M140 250Q124 180 132 130",
        stroke=dark(tone, 0.45),
        width=4,
        opacity=0.6,
    )


def socks(c: Canvas, tone: str) -> None:
    stripe = contrast(tone)
    for x, y, turn, shade in ((70, -24, 13, dark(tone, 0.18)), (-60, 20, -6, tone)):
        with c.group(f"translate({x} {y}) rotate({turn})"):
            c.path(
                "M-70 -270H66V60Q66 90 30 124L-110 236Q-190 270 -214 210Q-226 160 -170 120L-70 40Z",
                c.cloth(shade),
            )
            c.path(
                "M-70 40Q-20 20 66 40V70Q60 96 40 112Q-30 110 -70 40Z",
                light(shade, 0.35),
                opacity=0.7,
            )
            c.path(
                "M-110 236Q-190 270 -214 210Q-218 176 -190 146Q-130 160 -110 236Z",
                light(shade, 0.35),
                opacity=0.7,
            )
            for yy in (-250, -230, -150, -126, -102):
                c.path(f"M-70 {yy}H66", stroke=stripe, width=10 if yy < -200 else 12, opacity=0.85)
            for xx in range(-58, 66, 14):
                c.path(f"M{xx} -270V-222", stroke=dark(shade, 0.5), width=2, opacity=0.35)


def gloves(c: Canvas, tone: str) -> None:
    for side, x, y, shade in ((-1, 106, 10, dark(tone, 0.16)), (1, -96, -10, tone)):
        with c.group(f"translate({x} {y}) rotate({side * -12}) scale({side} 1)"):
            c.path(
                "M-84 260V60C-150 40 -190 -30 -186 -90Q-180 -116 -152 -106L-104 -20L-92 -60"
                "V-220Q-74 -250 -50 -220L-44 -80"
                "L-38 -250Q-16 -282 6 -250L10 -80L20 -236Q42 -262 62 -234L58 -66L70 -180"
                "Q92 -204 106 -176L94 60V260Z",
                c.cloth(shade),
            )
            c.rect(-96, 214, 202, 70, c.cloth(COLOURS["Oat"]), r=20)
            for xx in range(-80, 100, 18):
                c.path(f"M{xx} 224v50", stroke=dark(COLOURS["Oat"], 0.3), width=4, opacity=0.5)
            stitches(c, "M-44 -70V40M10 -70V40M60 -50V40", shade)
            c.path("M-84 150H94", stroke=dark(shade, 0.4), width=7, opacity=0.6)
            c.oval(60, 150, 11, 11, COLOURS["Brass"])


def slippers(c: Canvas, tone: str) -> None:
    straw = "#d9bf85"
    for x, turn in ((-116, -7), (116, 8)):
        with c.group(f"translate({x} 0) rotate({turn})"):
            c.path(
                "M0 -262C90 -262 100 -120 84 0S90 262 0 262S-100 120 -84 0S-90 -262 0 -262Z",
                c.cloth(dark(straw, 0.2)),
            )
            c.path(
                "M0 -248C78 -248 88 -120 72 0S78 248 0 248S-88 120 -72 0S-78 -248 0 -248Z",
                c.cloth(straw),
            )
            for y in range(-220, 240, 22):
                half = 62 - (abs(y) > 180) * 22
                c.path(
                    f"M{-half} {y}Q0 {y + 12} {half} {y}",
                    stroke=dark(straw, 0.35),
                    width=3,
                    opacity=0.5,
                )
            c.path("M-92 -40Q-96 -170 0 -176T92 -40Q60 30 0 20T-92 -40Z", c.cloth(tone))
            stitches(c, "M-80 -44Q-84 -156 0 -162T80 -44", tone)
            c.path("M-78 -26Q-50 20 0 8T78 -26", stroke=light(tone, 0.5), width=4, opacity=0.6)


def raincoat(c: Canvas, tone: str) -> None:
    peg(c)
    c.path("M-84 96Q-96 -14 0 -18T84 96Q0 150 -84 96Z", c.cloth(dark(tone, 0.14)))
    c.path("M-58 92Q-62 14 0 10T58 92Q0 124 -58 92Z", dark(tone, 0.45))
    c.path(
        "M-84 92Q-140 104 -160 140L-236 400L-164 424L-128 300L-160 500Q0 524 160 500L128 300"
        "L164 424L236 400L160 140Q140 104 84 92Q0 136 -84 92Z",
        c.cloth(tone),
    )
    c.path("M0 116V510", stroke=dark(tone, 0.4), width=5)
    c.path("M18 118V510", stroke=light(tone, 0.4), width=3, opacity=0.6)
    for y in (170, 250, 330, 410):
        c.oval(0, y, 12, 12, c.cloth(COLOURS["Brass"]))
    for side in (-1, 1):
        c.path(
            f"M{side * 44} 352L{side * 118} 340L{side * 122} 380L{side * 46} 392Z",
            c.cloth(dark(tone, 0.1)),
        )
        c.path(
            f"M{side * 128} 300Q{side * 116} 220 {side * 126} 180",
            stroke=dark(tone, 0.45),
            width=4,
            opacity=0.6,
        )
    c.path("M-24 116L-34 200M24 116L30 188", stroke=CREAM, width=6)
    c.path("M-128 160Q-150 240 -190 360", stroke="#fff", width=10, opacity=0.26)
    for x, y in ((-90, 240), (80, 220), (-60, 440), (96, 450), (-110, 320)):
        c.path(f"M{x} {y}q-8 18 0 22t0 -22", "#fff", opacity=0.5)


def umbrella(c: Canvas, tone: str) -> None:
    peg(c)
    c.path("M0 150V40Q0 -30 -44 -30T-84 20V44", stroke=dark(COLOURS["Cherry"], 0.3), width=24)
    c.path("M0 150V40Q0 -30 -44 -30T-84 20V44", stroke=COLOURS["Cherry"], width=16)
    c.rect(-15, 130, 30, 40, c.metal(COLOURS["Brass"]), r=6)
    c.path("M0 470V512", stroke=COLOURS["Steel"], width=9)
    c.path("M-40 168Q0 150 40 168Q84 250 62 330L8 480H-8L-62 330Q-84 250 -40 168Z", c.turned(tone))
    for side, x in ((-1, 30), (-1, 8), (1, 16), (1, 40)):
        c.path(
            f"M{side * x * 0.5:.0f} 168Q{side * x * 1.6:.0f} 280 {side * 2} 474",
            stroke=dark(tone, 0.45),
            width=5,
            opacity=0.45,
        )
    c.path("M-40 168L-62 196L-24 190L-4 204L20 190L58 198L40 168Z", light(tone, 0.12))
    c.path("M-72 300Q0 328 73 296", stroke=contrast(tone), width=11)
    c.oval(28, 314, 9, 9, COLOURS["Brass"])


def parasol(c: Canvas, tone: str) -> None:
    c.path("M0 0L220 286", stroke=COLOURS["Bamboo"], width=19)
    ribs, r = 24, 296
    rim = "".join(
        f"{'L' if step else 'M'}{sin(2 * pi * step / ribs) * r:.0f} "
        f"{-cos(2 * pi * step / ribs) * r:.0f}"
        for step in range(ribs)
    )
    c.path(
        rim + "Z", c.linear((0, light(tone, 0.3)), (5, tone), (10, dark(tone, 0.28)), x2=0.8, y2=1)
    )
    wedge = ""
    for step in range(0, ribs, 2):
        a, b = 2 * pi * step / ribs, 2 * pi * (step + 1) / ribs
        wedge += f"M0 0L{sin(a) * r:.0f} {-cos(a) * r:.0f}L{sin(b) * r:.0f} {-cos(b) * r:.0f}Z"
    c.path(wedge, dark(tone, 0.45), opacity=0.13)
    c.oval(0, 0, 236, 236, stroke=contrast(tone), width=26, opacity=0.7)
    c.oval(0, 0, 206, 206, stroke=contrast(tone), width=4, opacity=0.7)
    c.oval(0, 0, 76, 76, dark(tone, 0.35), opacity=0.75)
    c.oval(0, 0, 26, 26, c.cloth(COLOURS["Walnut"]))
    c.oval(0, 0, 10, 10, COLOURS["Brass"])


def boots(c: Canvas, tone: str) -> None:
    c.shadow(200)
    for x, y, shade in ((70, -18, dark(tone, 0.17)), (-70, 8, tone)):
        with c.group(f"translate({x} {y})"):
            c.path(
                "M-62 -366Q0 -350 64 -366L70 -130Q76 -104 120 -90Q170 -74 172 -24H-74V-130Z",
                c.turned(shade),
            )
            c.path(
                "M-78 -28H176Q182 0 168 0H-66Q-82 0 -78 -28Z",
                c.turned(COLOURS["Tea"] if luminance(tone) > 0.5 else CREAM),
            )
            c.oval(1, -366, 63, 12, dark(shade, 0.5))
            c.path("M-62 -340Q0 -324 65 -340", stroke=light(shade, 0.4), width=9, opacity=0.8)
            c.path("M-74 -58H172", stroke=dark(shade, 0.4), width=4, opacity=0.6)
            c.path("M-42 -320V-110", stroke="#fff", width=11, opacity=0.3)
            c.path("M96 -84Q140 -72 150 -46", stroke="#fff", width=8, opacity=0.35)


MOTIFS = (cap, scarf, smock, socks, gloves, slippers, raincoat, umbrella, parasol, boots)
