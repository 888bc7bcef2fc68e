"""Paper, pens and ink."""

from shop.demo.drawing.canvas import Canvas
from shop.demo.palette import COLOURS, dark, light, luminance

PAPER = COLOURS["Cream"]
GOLD = COLOURS["Brass"]


def notebook(c: Canvas, tone: str, cover: str = "elastic", standing: bool = False) -> None:
    if standing:
        c.shadow(120)
        with c.group("translate(0 -188) rotate(5)"):
            _book(c, tone, 132, 186)
        return
    if cover == "fan":
        for turn, shade in ((-22, light(tone, 0.3)), (-4, tone), (15, dark(tone, 0.25))):
            with c.group(f"rotate({turn}) translate(0 -16)"):
                c.rect(-146, -216, 300, 432, PAPER, r=20)
                c.rect(-154, -216, 300, 432, c.cloth(shade), r=20)
                c.rect(-92, -150, 176, 96, PAPER, r=6, opacity=0.92)
                c.path("M-64 -116H50M-64 -88H16", stroke=COLOURS["Slate"], width=4, opacity=0.6)
                c.path("M-152 -120v40M-152 80v40", stroke=COLOURS["Steel"], width=5)
        return
    with c.group("rotate(-11)"):
        _book(c, tone, 186, 254)
        if cover == "elastic":
            c.path(
                "M96 252V318L112 300L128 318V252",
                COLOURS["Signal"] if tone != COLOURS["Brick"] else GOLD,
            )
            c.rect(134, -258, 15, 516, dark(tone, 0.5))
            c.rect(-96, -150, 180, 104, PAPER, r=6)
            c.path("M-68 -112H56M-68 -82H20", stroke=COLOURS["Slate"], width=4, opacity=0.6)
        elif cover == "rose":
            _rose(c, light(tone, 0.4))
        elif cover == "spiral":
            _sketch(c)


def _book(c: Canvas, tone: str, half: int, tall: int) -> None:
    c.rect(-half + 10, -tall + 10, half * 2, tall * 2, c.cloth(PAPER), r=14)
    c.path(f"M{half + 4} {-tall + 20}V{tall}", stroke=dark(PAPER, 0.25), width=2)
    c.rect(-half, -tall, half * 2, tall * 2, c.cloth(tone), r=16)
    c.rect(-half, -tall, 44, tall * 2, dark(tone, 0.4), r=12, opacity=0.4)
    c.path(f"M{-half + 58} {-tall + 8}H{half - 20}", stroke="#fff", width=4, opacity=0.3)


def _rose(c: Canvas, ink: str) -> None:
    c.oval(20, -20, 96, 96, stroke=ink, width=4, opacity=0.7)
    c.path(
        "M20 -130L38 -38L130 -20L38 -2L20 90L2 -2L-90 -20L2 -38Z", stroke=ink, width=4, opacity=0.9
    )
    c.path("M20 -130L38 -38L20 -20L2 -2L20 90L2 -2L-90 -20L20 -20Z", ink, opacity=0.55)


def _sketch(c: Canvas) -> None:
    c.rect(-130, -214, 290, 380, PAPER, r=4)
    c.oval(76, -120, 34, 34, COLOURS["Persimmon"], opacity=0.8)
    c.path("M-110 20Q-50 -90 10 -30T140 10V30H-110Z", COLOURS["Celadon"], opacity=0.9)
    c.path("M-110 50Q20 -10 140 50Z", COLOURS["Slate"], opacity=0.7)
    c.path("M-90 84H60M-60 106H120M-100 128H20", stroke=COLOURS["Sky"], width=6)
    for y in range(-226, 240, 36):
        c.path(f"M-206 {y}q20 -22 44 0", stroke=COLOURS["Iron"], width=7)


def envelope(c: Canvas, tone: str) -> None:
    second = COLOURS["Indigo"] if tone != COLOURS["Indigo"] else COLOURS["Signal"]
    for turn, dx, dy, back in ((9, 20, -60, True), (-8, -10, 50, False)):
        with c.group(f"translate({dx} {dy}) rotate({turn})"):
            c.rect(-256, -160, 512, 320, c.cloth(PAPER), r=8)
            c.add('<g fill="none" stroke-width="17">')
            for colour, start in ((tone, 0), (second, 52)):
                c.add(
                    f'<rect x="-247" y="-151" width="494" height="302" stroke="{colour}" '
                    f'stroke-dasharray="30 74" stroke-dashoffset="{-start}"/>'
                )
            c.add("</g>")
            if back:
                c.path("M-236 -140L0 40L236 -140", stroke=dark(PAPER, 0.25), width=4)
                continue
            c.rect(150, -118, 72, 88, c.cloth(tone), r=3)
            c.path("M160 -60Q174 -96 188 -72T214 -66V-40H160Z", PAPER, opacity=0.8)
            c.oval(134, -64, 40, 40, stroke=COLOURS["Slate"], width=4, opacity=0.55)
            for y, w in ((0, 190), (34, 220), (68, 130)):
                c.path(
                    f"M-150 {y}q{w / 4} -10 {w / 2} 0t{w / 2} 0",
                    stroke=COLOURS["Ink"],
                    width=5,
                    opacity=0.75,
                )


def rolls(c: Canvas, tone: str) -> None:
    ink = light(tone, 0.7)
    for place, (turn, y, shade) in enumerate(
        ((-16, -116, light(tone, 0.22)), (7, 0, tone), (-5, 122, dark(tone, 0.25)))
    ):
        with c.group(f"rotate({turn}) translate(0 {y})"):
            c.rect(
                -272,
                -52,
                544,
                104,
                c.linear((0, light(shade, 0.3)), (4, shade), (10, dark(shade, 0.4)), x2=0, y2=1),
                r=12,
            )
            for x in range(-230, 240, 52):
                if place == 0:
                    c.path(f"M{x - 22} 20l22 -40l22 40", stroke=ink, width=4, opacity=0.6)
                elif place == 1:
                    c.path(
                        f"M{x - 26} 12a26 26 0 0 1 52 0M{x - 13} 12a13 13 0 0 1 26 0",
                        stroke=ink,
                        width=4,
                        opacity=0.7,
                    )
                else:
                    c.oval(x, -16 + x % 3 * 14, 8, 8, ink, opacity=0.65)
            c.oval(272, 0, 17, 50, c.cloth(PAPER))
            c.oval(272, 0, 8, 26, dark(PAPER, 0.35))
            c.path("M-36 -54Q-24 0 -36 54M-22 -54Q-10 0 -22 54", stroke=COLOURS["Ochre"], width=6)


def pen(c: Canvas, tone: str, kind: str = "fountain", nib: int = 1) -> None:
    body = c.linear(
        (0, light(tone, 0.5)), (3, tone), (7, dark(tone, 0.2)), (10, dark(tone, 0.45)), x2=0, y2=1
    )
    gold = c.linear((0, light(GOLD, 0.6)), (5, GOLD), (10, dark(GOLD, 0.4)), x2=0, y2=1)
    with c.group("rotate(-38)"):
        if kind == "ball":
            c.path("M-250 -34H180L250 -12V12L180 34H-250Q-262 0 -250 -34Z", body)
            c.path("M-250 -12H196M-250 14H196", stroke=dark(tone, 0.4), width=3, opacity=0.6)
            c.path("M-250 -26H180", stroke="#fff", width=5, opacity=0.4)
            c.path("M250 -10L280 -3V3L250 10Z", c.cloth(COLOURS["Steel"]))
            c.path("M-20 -36Q-14 0 -20 36", stroke=dark(tone, 0.5), width=6)
            return
        c.path("M-290 -28Q-304 0 -290 28L120 34V-34Z", body)
        c.path("M120 -28L168 -22V22L120 28Z", c.cloth(dark(tone, 0.35)))
        wide = 16 + nib * 7
        c.path(
            f"M166 -{wide - 6}Q220 -{wide + 4} 286 -3L286 3Q220 {wide + 4} 166 {wide - 6}Z", gold
        )
        c.path("M214 0H284", stroke=dark(GOLD, 0.6), width=3)
        c.oval(212, 0, 6, 6, dark(GOLD, 0.7))
        c.path("M112 -35V35M100 -35V35", stroke=GOLD, width=5)
        c.path("M-276 -16H90", stroke="#fff", width=6, opacity=0.4)
        with c.group("translate(-40 104) rotate(7)"):
            c.path("M-150 -36H120Q150 -34 152 0T120 36H-150Z", body)
            c.path("M-120 -8H80Q92 0 80 8H-120Z", gold)
            c.path("M-146 -36V36", stroke=GOLD, width=9)
            c.path("M-130 -24H110", stroke="#fff", width=5, opacity=0.35)
        if nib == 2:
            c.path("M150 150q40 -44 80 -6t90 -20", stroke=tone, width=8, opacity=0.8)


def pencils(c: Canvas, tone: str, count: int = 5) -> None:
    shades = (
        tone,
        dark(tone, 0.3),
        light(tone, 0.35),
        COLOURS["Cream"],
        COLOURS["Ink"],
        COLOURS["Ochre"],
    )
    for place in range(count):
        turn = (place - (count - 1) / 2) * (11 if count == 5 else 9)
        shade = shades[place]
        with c.group(f"translate(0 330) rotate({num1(turn)}) translate(0 -330)"):
            c.rect(
                -24,
                -170,
                48,
                470,
                c.linear(
                    (0, light(shade, 0.3)),
                    (3.3, light(shade, 0.1)),
                    (3.4, shade),
                    (6.6, shade),
                    (6.7, dark(shade, 0.22)),
                    (10, dark(shade, 0.3)),
                ),
                r=4,
            )
            c.path(
                "M-24 -170L0 -262L24 -170Q12 -182 0 -170T-24 -170Z",
                c.linear((0, "#eccb98"), (10, "#b98a56")),
            )
            c.path("M-8 -232L0 -262L8 -232Z", COLOURS["Black"])
            c.rect(-24, 270, 48, 30, dark(shade, 0.4), r=4)
            c.path("M-24 262H24", stroke=GOLD, width=5)


def num1(value: float) -> str:
    return f"{value:.1f}"


def ink(c: Canvas, tone: str, flat: bool = False) -> None:
    with c.group("translate(0 130)" if flat else ""):
        if not flat:
            c.shadow(134)
        glass = c.linear(
            (0, light(tone, 0.45)),
            (2, dark(tone, 0.1)),
            (7, dark(tone, 0.3)),
            (10, light(tone, 0.1)),
        )
        c.path(
            "M-136 -26V-170Q-136 -206 -96 -208H96Q136 -206 136 -170V-26Q136 0 108 0H-108"
            "Q-136 0 -136 -26Z",
            glass,
        )
        c.path(
            "M-116 -150Q0 -132 116 -150V-30Q116 -16 100 -16H-100Q-116 -16 -116 -30Z",
            tone,
            opacity=0.85,
        )
        c.rect(-84, -136, 168, 96, c.cloth(PAPER), r=5)
        c.path("M-50 -76C-30 -120 -4 -40 20 -92S50 -84 56 -76", stroke=tone, width=8)
        c.path("M-62 -54H62", stroke=tone, width=3, opacity=0.5)
        c.lathe([(62, -232), (66, -206)], c.turned(dark(tone, 0.3)))
        c.lathe([(76, -296), (78, -260), (76, -228)], c.turned(COLOURS["Black"]))
        c.oval(0, -296, 76, 12, light(COLOURS["Black"], 0.25))
        for x in range(-60, 70, 20):
            c.path(f"M{x} -284V-230", stroke="#fff", width=2, opacity=0.16)
        c.path("M-122 -172V-40", stroke="#fff", width=9, opacity=0.45)


def brush(c: Canvas, tone: str) -> None:
    c.path(
        "M-236 196C-120 60 -40 250 60 150S220 120 262 84",
        stroke=COLOURS["Black"],
        width=46,
        opacity=0.88,
    )
    c.path("M180 128L272 78M150 150L262 104", stroke=COLOURS["Black"], width=12, opacity=0.6)
    with c.group("translate(-20 -60) rotate(-30)"):
        c.rect(
            -100,
            -19,
            372,
            38,
            c.linear((0, light(tone, 0.4)), (4, tone), (10, dark(tone, 0.4)), x2=0, y2=1),
            r=16,
        )
        for x in (-30, 70, 180):
            c.path(f"M{x} -19Q{x + 5} 0 {x} 19", stroke=dark(tone, 0.5), width=4, opacity=0.6)
        c.path("M270 0q40 -34 46 0t-46 0", stroke=COLOURS["Brick"], width=5)
        c.path("M-150 -22H-96V22H-150Z", c.cloth(COLOURS["Walnut"]))
        c.path(
            "M-150 -24Q-230 -34 -304 4Q-230 32 -150 24Z",
            c.linear((0, COLOURS["Black"]), (5, "#6d5a48"), (10, "#d9c3a0")),
        )


def seal(c: Canvas, tone: str) -> None:
    with c.group("translate(-96 0)"):
        c.shadow(80)
        c.path("M-76 0V-256Q-76 -290 0 -290T76 -256V0Z", c.turned(tone))
        c.path(
            "M-40 -270Q-60 -150 -20 -110T-44 -10M30 -280Q10 -200 48 -160T20 -20",
            stroke=light(tone, 0.6),
            width=5,
            opacity=0.6,
        )
        c.path("M-76 -12H76V0H-76Z", COLOURS["Signal"])
    with c.group("translate(128 26)"):
        c.shadow(104)
        c.lathe([(118, -66), (112, -26), (86, 0)], c.turned(COLOURS["Chalk"]))
        c.oval(0, -66, 118, 24, COLOURS["Chalk"])
        c.oval(0, -66, 100, 18, c.linear((0, "#8e2b1c"), (10, "#d9482f")))
        c.path("M-116 -44A118 24 0 0 0 116 -44", stroke=COLOURS["Indigo"], width=6)
    mark = COLOURS["Signal"] if luminance(tone) > 0.3 else light(tone, 0.5)
    c.path("M-30 62h56v44h-56Z", mark, opacity=0.9)
    c.path("M-20 74h36M-2 66v36M-20 94h36", stroke=PAPER, width=5)


MOTIFS = (notebook, envelope, rolls, pen, pencils, ink, brush, seal)
