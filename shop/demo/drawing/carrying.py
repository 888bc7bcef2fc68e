"""Bags, pouches and what travels with them."""

from shop.demo.drawing.canvas import Canvas
from shop.demo.drawing.kitchen import strand
from shop.demo.palette import COLOURS, dark, light, luminance

BRASS = COLOURS["Brass"]
WEB = COLOURS["Oat"]


def peg(c: Canvas) -> None:
    c.rect(-46, -26, 92, 26, COLOURS["Walnut"], r=10)
    c.oval(0, -6, 17, 17, c.cloth(COLOURS["Oak"]))


def stitches(c: Canvas, d: str, tone: str) -> None:
    c.path(
        d,
        stroke=light(tone, 0.5) if luminance(tone) < 0.6 else dark(tone, 0.3),
        width=3,
        dash="9 8",
        opacity=0.75,
    )


def tote(c: Canvas, tone: str) -> None:
    dip = COLOURS["Ink"] if luminance(tone) > 0.4 else WEB
    strap = dark(tone, 0.2)
    peg(c)
    c.path("M-96 190C-90 60 -30 4 0 0C30 4 90 60 96 190", stroke=dark(strap, 0.25), width=26)
    c.path("M-96 190C-90 60 -30 4 0 0C30 4 90 60 96 190", stroke=strap, width=19)
    c.path("M-176 186Q0 206 176 186L206 500Q0 524 -206 500Z", c.cloth(tone))
    c.path("M-196 404Q0 424 197 404L206 500Q0 524 -206 500Z", c.cloth(dip))
    for x in (-96, 96):
        c.path(f"M{x} 186V400", stroke=strap, width=24)
        c.path(
            f"M{x - 8} 200V396M{x + 8} 200V396",
            stroke=light(tone, 0.4),
            width=2,
            dash="6 6",
            opacity=0.7,
        )
    stitches(c, "M-172 206Q0 226 172 206", tone)
    c.path(
        "M-60 240Q-70 320 -58 396M30 250Q44 320 34 396",
        stroke=dark(tone, 0.4),
        width=6,
        opacity=0.12,
    )


def netbag(c: Canvas, tone: str) -> None:
    peg(c)
    for x, y, r in ((-62, 380, 66), (66, 392, 62), (0, 300, 62), (-4, 440, 58)):
        c.oval(x, y, r, r, c.linear((0, "#f3b463"), (5, "#e58b3c"), (10, "#b95f27"), x2=0.7, y2=1))
        c.oval(x - 20, y - 24, 14, 10, "#fff", opacity=0.4)
    c.path("M-80 170C-60 60 -20 6 0 0C20 6 60 60 80 170", stroke=tone, width=13)
    mesh = []
    for step in range(-4, 5):
        mesh.append(f"M{step * 20} 168C{step * 52} 260 {step * 48} 420 {step * 14} 506")
    for y, half in ((210, 104), (262, 144), (318, 166), (374, 168), (428, 146), (474, 96)):
        mesh.append(f"M{-half} {y}Q0 {y + 34} {half} {y}")
    c.path("".join(mesh), stroke=tone, width=6)
    c.path("M-84 168Q0 190 84 168", stroke=dark(tone, 0.15), width=15)


def backpack(c: Canvas, tone: str, top: str = "lid") -> None:
    leather = COLOURS["Chestnut"] if luminance(tone) > 0.25 else COLOURS["Tan"]
    c.shadow(170)
    c.path(
        "M-150 -80Q-214 -120 -186 -290M150 -80Q214 -120 186 -290", stroke=dark(tone, 0.4), width=30
    )
    c.path("M-38 -424Q-38 -468 0 -468T38 -424", stroke=leather, width=16)
    c.path(
        "M-158 -330Q-170 -424 -70 -428H70Q170 -424 158 -330L176 -40Q176 0 130 0H-130"
        "Q-176 0 -176 -40Z",
        c.turned(tone),
    )
    if top == "roll":
        c.rect(
            -164,
            -440,
            328,
            62,
            c.linear((0, light(tone, 0.3)), (10, dark(tone, 0.25)), x2=0, y2=1),
            r=31,
        )
        c.path("M-150 -408H150M-146 -394H146", stroke=dark(tone, 0.35), width=3, opacity=0.5)
        for x in (-118, 118):
            c.path(f"M{x} -410V-120", stroke=leather, width=20)
            c.rect(x - 20, -296, 40, 30, c.metal(BRASS), r=5)
        c.path("M-172 -120H172", stroke=dark(tone, 0.3), width=5, opacity=0.6)
        c.rect(-84, -236, 168, 150, c.cloth(dark(tone, 0.08)), r=14)
        stitches(c, "M-76 -222H76", tone)
        return
    c.rect(-128, -176, 256, 160, c.cloth(dark(tone, 0.07)), r=22)
    stitches(c, "M-118 -150H118", tone)
    c.path(
        "M-172 -318Q-172 -440 -60 -440H60Q172 -440 172 -318L164 -236Q0 -206 -164 -236Z",
        c.cloth(light(tone, 0.07)),
    )
    stitches(c, "M-154 -248Q0 -220 154 -248", tone)
    for x in (-74, 74):
        c.path(f"M{x} -300V-124", stroke=leather, width=22)
        c.rect(x - 19, -208, 38, 36, c.metal(BRASS), r=6)
        c.rect(x - 9, -200, 18, 20, leather)
        c.oval(x, -136, 4, 4, dark(leather, 0.6))


def satchel(c: Canvas, tone: str) -> None:
    peg(c)
    c.path("M-176 250C-150 110 -50 0 0 0S150 110 176 250", stroke=dark(tone, 0.4), width=19)
    c.path("M-176 250C-150 110 -50 0 0 0S150 110 176 250", stroke=tone, width=13)
    c.rect(-210, 216, 420, 280, c.cloth(dark(tone, 0.12)), r=26)
    c.path(
        "M-216 236Q-216 206 -190 206H190Q216 206 216 236V372Q214 412 170 414H-170"
        "Q-214 412 -216 372Z",
        c.cloth(tone),
    )
    stitches(c, "M-202 230V370Q-200 398 -168 400H168Q200 398 202 370V230", tone)
    for x in (-104, 104):
        c.rect(x - 17, 330, 34, 120, c.cloth(dark(tone, 0.18)), r=6)
        c.rect(x - 24, 400, 48, 34, c.metal(BRASS), r=6)
        c.rect(x - 11, 408, 22, 18, dark(tone, 0.3))
    c.path("M-180 222H160", stroke="#fff", width=6, opacity=0.2)


def duffel(c: Canvas, tone: str) -> None:
    leather = COLOURS["Chestnut"] if luminance(tone) < 0.45 else COLOURS["Walnut"]
    c.shadow(232)
    c.path("M-90 -200C-90 -370 90 -370 90 -200", stroke=dark(leather, 0.15), width=17)
    c.path(
        "M-248 -104Q-250 -226 -170 -232H170Q250 -226 248 -104Q246 0 176 0H-176Q-246 0 -248 -104Z",
        c.linear((0, light(tone, 0.3)), (4, tone), (10, dark(tone, 0.36)), x2=0.25, y2=1),
    )
    for side in (-1, 1):
        c.path(
            f"M{side * 158} -232Q{side * 250} -226 {side * 248} -104"
            f"Q{side * 246} 0 {side * 158} 0Q{side * 200} -110 {side * 158} -232Z",
            c.cloth(leather),
        )
    c.path("M-150 -222H150", stroke=dark(tone, 0.5), width=5, dash="5 5")
    c.rect(134, -232, 20, 30, c.metal(BRASS), r=6)
    c.path("M-90 -214V-10M90 -214V-10", stroke=leather, width=22)
    c.path("M-90 -130C-80 -290 80 -290 90 -130", stroke=leather, width=15)
    for x in (-90, 90):
        c.oval(x, -140, 6, 6, BRASS)


def pouch(c: Canvas, tone: str) -> None:
    with c.group("rotate(-9)"):
        c.path(
            "M-232 -150Q-246 -160 -240 -130L-246 150Q-244 176 -220 176H220Q246 176 244 150"
            "L240 -130Q244 -160 232 -150Q0 -140 -232 -150Z",
            c.cloth(tone),
        )
        c.path("M-236 -128Q0 -116 236 -128", stroke=dark(tone, 0.45), width=20)
        c.path("M-234 -128Q0 -116 232 -128", stroke=BRASS, width=9, dash="6 5")
        stitches(c, "M-232 -102Q0 -90 232 -102", tone)
        c.rect(-180, 46, 96, 64, c.cloth(COLOURS["Tan"]), r=8)
        c.oval(-132, 78, 16, 16, stroke=dark(COLOURS["Tan"], 0.4), width=4, opacity=0.7)
        c.rect(186, -142, 40, 28, c.metal(BRASS), r=8)
        strand(c, "M210 -116C240 -60 180 -40 214 10", COLOURS["Cream"], 19)


def drawpouch(c: Canvas, tone: str) -> None:
    c.shadow(150)
    c.path(
        "M-66 -232Q-210 -130 -174 -30Q-160 0 -110 0H110Q160 0 174 -30Q210 -130 66 -232Z",
        c.turned(tone),
    )
    c.path(
        "M-66 -232Q-118 -290 -104 -330Q-70 -306 -44 -334Q-20 -304 4 -338Q26 -306 52 -332"
        "Q76 -306 106 -328Q116 -288 66 -232Z",
        c.turned(light(tone, 0.08)),
    )
    wave = "".join(
        f"M{x - 34} {y}A34 34 0 0 1 {x + 34} {y}M{x - 20} {y}A20 20 0 0 1 {x + 20} {y}"
        for y, xs in (
            (-20, (-102, -34, 34, 102)),
            (-58, (-136, -68, 0, 68, 136)),
            (-96, (-102, -34, 34, 102)),
            (-134, (-68, 0, 68)),
        )
        for x in xs
    )
    c.path(wave, stroke=COLOURS["Cream"], width=4, opacity=0.72)
    c.path("M-68 -230Q0 -214 68 -230", stroke=COLOURS["Ochre"], width=11)
    c.path(
        "M-66 -226C-150 -240 -190 -180 -214 -120M66 -226C150 -250 180 -190 222 -150",
        stroke=COLOURS["Ochre"],
        width=7,
    )
    for x, y in ((-214, -116), (222, -146)):
        c.oval(x, y, 13, 13, c.cloth(COLOURS["Walnut"]))


def wallet(c: Canvas, tone: str) -> None:
    with c.group("rotate(-12)"):
        c.rect(-150, -196, 268, 90, c.cloth(COLOURS["Celadon"]), r=12)
        c.rect(-130, -176, 268, 90, c.cloth(COLOURS["Cream"]), r=12)
        c.rect(-216, -136, 432, 300, c.cloth(dark(tone, 0.16)), r=24)
        c.path(
            "M-216 -66Q-216 -96 -190 -96H190Q216 -96 216 -66V140Q216 164 192 164H-192"
            "Q-216 164 -216 140Z",
            c.cloth(tone),
        )
        stitches(c, "M-202 -78V136Q-202 150 -188 150H188Q202 150 202 136V-78", tone)
        c.path("M-200 -84H200", stroke="#fff", width=4, opacity=0.3)
        c.rect(-36, 44, 72, 52, dark(tone, 0.2), r=6, opacity=0.35)
        c.path("M-14 84L0 54L14 84Z", light(tone, 0.4), opacity=0.6)


def keyring(c: Canvas, tone: str) -> None:
    fill = c.metal(tone)
    c.rect(-8, -34, 16, 46, COLOURS["Walnut"], r=7)
    c.path("M-70 150V70C-70 -24 70 -24 70 70V150", stroke=dark(tone, 0.45), width=34)
    c.path("M-70 150V70C-70 -24 70 -24 70 70V150", stroke=fill, width=27)
    c.rect(
        -112, 140, 224, 30, c.linear((0, light(tone, 0.5)), (10, dark(tone, 0.4)), x2=0, y2=1), r=12
    )
    for x, turn, metal in (
        (-34, 14, COLOURS["Steel"]),
        (22, -9, BRASS if tone != BRASS else COLOURS["Copper"]),
    ):
        with c.group(f"translate({x} 166) rotate({turn})"):
            c.oval(0, 46, 46, 46, stroke=c.metal(metal), width=24)
            c.path("M-13 88H13V292L0 306L-13 292V268H-40V244H-13V224H-34V202H-13Z", c.metal(metal))
    c.path("M58 164L96 172L88 330Q60 352 36 322Z", c.cloth(COLOURS["Chestnut"]))
    c.path("M66 186L56 318", stroke=WEB, width=3, dash="8 7", opacity=0.8)


def purse(c: Canvas, tone: str) -> None:
    c.shadow(150)
    c.path("M-120 -240C-260 -140 -220 0 -110 0H110C220 0 260 -140 120 -240Z", c.turned(tone))
    for x in (-84, -30, 30, 84):
        c.path(
            f"M{x * 0.9:.0f} -226Q{x * 1.5:.0f} -140 {x * 1.1:.0f} -70",
            stroke=dark(tone, 0.4),
            width=5,
            opacity=0.25,
        )
    c.path("M-134 -216Q-130 -290 0 -290T134 -216", stroke=dark(BRASS, 0.35), width=24)
    c.path("M-134 -216Q-130 -290 0 -290T134 -216", stroke=BRASS, width=16)
    c.path("M-120 -240Q-104 -284 0 -286", stroke=light(BRASS, 0.6), width=5, opacity=0.8)
    for x in (-15, 15):
        c.oval(x, -308, 19, 19, c.cloth(BRASS))
        c.oval(x - 5, -314, 5, 5, "#fff", opacity=0.7)
    c.path("M-166 -150Q-186 -80 -150 -36", stroke="#fff", width=9, opacity=0.22)


def trunk(c: Canvas, tone: str) -> None:
    c.shadow(236)
    c.rect(-246, -300, 492, 300, c.turned(tone), r=20)
    c.path("M-246 -206H246", stroke=dark(tone, 0.55), width=6)
    c.path("M-246 -212H246", stroke=light(tone, 0.3), width=3)
    for x in (-150, 118):
        c.rect(x, -300, 34, 300, c.turned(COLOURS["Oak"]))
    for x, y in ((-246, -300), (186, -300), (-246, -54), (186, -54)):
        c.rect(x, y, 60, 54, c.metal(BRASS), r=12)
        for dx in (16, 44):
            c.oval(x + dx, y + 27, 5, 5, dark(BRASS, 0.5))
    c.rect(-38, -234, 76, 58, c.metal(BRASS), r=8)
    c.oval(0, -200, 8, 8, dark(BRASS, 0.7))
    c.path("M-60 -120Q0 -70 60 -120", stroke=COLOURS["Chestnut"], width=19)
    c.oval(-72, -76, 32, 32, COLOURS["Cream"], opacity=0.9)
    c.path("M-96 -66Q-82 -86 -70 -72T-48 -76", stroke=COLOURS["Signal"], width=5)
    c.path("M160 -196L216 -180L204 -132L148 -148Z", COLOURS["Ochre"], opacity=0.9)


def cubes(c: Canvas, tone: str) -> None:
    c.shadow(200)
    for y, half, h, shade in (
        (0, 206, 130, dark(tone, 0.14)),
        (-130, 176, 112, tone),
        (-242, 132, 90, light(tone, 0.2)),
    ):
        c.rect(-half, y - h, half * 2, h, c.turned(shade), r=30)
        c.path(f"M{-half + 14} {y - h + 32}H{half - 14}", stroke=dark(shade, 0.5), width=10)
        c.path(f"M{-half + 14} {y - h + 32}H{half - 14}", stroke=BRASS, width=4, dash="4 4")
        c.rect(half - 64, y - h + 22, 14, 46, COLOURS["Cream"], r=6)
        c.rect(-half + 34, y - h + 52, half * 0.9, h - 70, dark(shade, 0.2), r=8, opacity=0.4)


def tag(c: Canvas, tone: str) -> None:
    c.rect(-9, -34, 18, 46, COLOURS["Walnut"], r=7)
    c.path("M-8 190C-70 90 -30 0 0 0S70 90 8 190", stroke=dark(tone, 0.35), width=20)
    c.path("M-8 190C-70 90 -30 0 0 0S70 90 8 190", stroke=dark(tone, 0.1), width=12)
    c.rect(-26, 96, 52, 30, c.metal(BRASS), r=6)
    c.path("M-60 160H60L132 238V480Q132 500 112 500H-112Q-132 500 -132 480V238Z", c.cloth(tone))
    stitches(c, "M-54 174H54L118 244V474Q118 486 106 486H-106Q-118 486 -118 474V244Z", tone)
    c.oval(0, 200, 24, 24, c.metal(BRASS))
    c.oval(0, 200, 12, 12, dark(tone, 0.6))
    c.rect(-86, 286, 172, 150, c.cloth(COLOURS["Cream"]), r=10)
    for y, w in ((326, 120), (358, 120), (390, 76)):
        c.path(f"M-62 {y}h{w}", stroke=COLOURS["Slate"], width=5, opacity=0.6)


def mask(c: Canvas, tone: str) -> None:
    with c.group("rotate(-10)"):
        c.path(
            "M-230 0C-330 -130 -150 -250 0 -180S330 -130 230 0", stroke=dark(tone, 0.3), width=24
        )
        c.path(
            "M0 -96C110 -130 268 -110 276 -10C282 96 180 150 100 130Q40 112 0 60"
            "Q-40 112 -100 130C-180 150 -282 96 -276 -10C-268 -110 -110 -130 0 -96Z",
            c.cloth(tone),
        )
        stitches(
            c,
            "M0 -78C104 -110 250 -94 258 -8C262 84 172 130 106 112Q50 96 0 34"
            "Q-50 96 -106 112C-172 130 -262 84 -258 -8C-250 -94 -104 -110 0 -78Z",
            tone,
        )
        for x in (-140, 140):
            c.path(
                f"M{x - 62} 10Q{x} 52 {x + 62} 10", stroke=COLOURS["Cream"], width=7, opacity=0.85
            )
            for dx in (-40, 0, 40):
                c.path(
                    f"M{x + dx} {30 - abs(dx) * 0.14:.0f}l{dx * 0.25:.0f} 24",
                    stroke=COLOURS["Cream"],
                    width=6,
                    opacity=0.85,
                )


def pillow(c: Canvas, tone: str) -> None:
    with c.group("rotate(14)"):
        d = "M-110 190C-250 60 -180 -190 0 -190S250 60 110 190"
        c.path(d, stroke=dark(tone, 0.32), width=164)
        c.path(d, stroke=tone, width=152)
        c.path(
            "M-150 150C-264 40 -190 -214 -10 -222", stroke=light(tone, 0.5), width=30, opacity=0.4
        )
        c.path(
            "M-88 214C-200 80 -150 -160 0 -160S200 80 88 214",
            stroke=dark(tone, 0.4),
            width=4,
            dash="9 8",
            opacity=0.5,
        )
        c.path("M-70 230Q0 290 70 230", stroke=COLOURS["Walnut"], width=9)
        c.rect(-34, 246, 68, 26, c.cloth(COLOURS["Oak"]), r=13)


MOTIFS = (
    tote,
    netbag,
    backpack,
    satchel,
    duffel,
    pouch,
    drawpouch,
    wallet,
    keyring,
    purse,
    trunk,
    cubes,
    tag,
    mask,
    pillow,
)
