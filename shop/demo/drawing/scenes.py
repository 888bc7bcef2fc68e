"""Grounds on which things stand, hang or lie."""

from typing import Final

from shop.demo.drawing.canvas import Canvas
from shop.demo.palette import DARK, GROUNDS, dark, light, mix

FEET: Final[dict[str, tuple[int, int, float]]] = {
    "table": (400, 654, 1.14),
    "sun": (400, 654, 1.14),
    "arch": (400, 654, 1.14),
    "window": (400, 654, 1.14),
    "hills": (400, 654, 1.14),
    "flat": (400, 400, 1.04),
    "wall": (400, 152, 1.1),
}
"""Where a scene puts a thing's origin, its foot, middle (`flat`) or peg (`wall`), and how large."""

HORIZON: Final = 556


def draw_scene(c: Canvas, scene: str, ground: str, tone: str) -> None:
    """The ground, tinted a little by the thing on it so that they share one light."""
    wall, table = (mix(side, tone, 0.07) for side in GROUNDS[ground])
    if scene == "flat":
        _flat(c, wall, table)
        return
    horizon = 700 if scene == "wall" else HORIZON
    c.rect(0, 0, 800, horizon, c.linear((0, light(wall, 0.2)), (10, dark(wall, 0.05)), x2=1, y2=1))
    glow = 0.35 if ground in DARK else 0.6
    c.oval(250, 190, 520, 420, c.glow(light(wall, 0.75), glow))
    if scene in _BEHIND:
        _BEHIND[scene](c, wall, table)
    c.rect(
        0, horizon, 800, 800 - horizon, c.linear((0, table), (10, dark(table, 0.14)), x2=0, y2=1)
    )
    c.rect(0, horizon, 800, 3, light(table, 0.35), opacity=0.7)
    if scene == "window":
        c.path(f"M120 {horizon}H420L560 800H230Z", light(table, 0.6), opacity=0.28)


def _flat(c: Canvas, wall: str, table: str) -> None:
    c.rect(0, 0, 800, 800, c.linear((0, light(wall, 0.25)), (10, dark(wall, 0.08)), x2=1, y2=1))
    c.path("M0 596L800 470V800H0Z", c.linear((0, table), (10, dark(table, 0.1)), x2=1, y2=1))
    c.path("M0 596L800 470", stroke=light(table, 0.45), width=3, opacity=0.7)
    c.oval(220, 180, 480, 400, c.glow("#fffaf0", 0.4))


def _sun(c: Canvas, wall: str, table: str) -> None:
    c.oval(
        520, 330, 205, 205, c.linear((0, light(table, 0.3)), (10, mix(table, "#e2673a", 0.3)), y2=1)
    )


def _arch(c: Canvas, wall: str, table: str) -> None:
    c.path(
        f"M170 {HORIZON}V330A230 230 0 0 1 630 330V{HORIZON}Z",
        c.linear((0, dark(table, 0.12)), (10, light(table, 0.2)), x2=1, y2=0.4),
    )


def _window(c: Canvas, wall: str, table: str) -> None:
    bright = light(wall, 0.8)
    for left, top in ((110, 90), (262, 90), (110, 290), (262, 290)):
        skew = (top - 90) * 0.22
        x = left + skew
        c.path(f"M{x:.0f} {top}h136l42 184h-136Z", bright, opacity=0.38)


def _hills(c: Canvas, wall: str, table: str) -> None:
    c.oval(590, 250, 74, 74, light(wall, 0.7), opacity=0.85)
    c.path(
        "M0 470C90 420 170 400 260 446S430 480 520 428S720 380 800 440V560H0Z",
        mix(wall, dark(table, 0.25), 0.35),
    )
    c.path(
        "M0 520C120 470 210 500 330 514S560 470 660 490S760 510 800 496V560H0Z",
        mix(wall, dark(table, 0.3), 0.6),
    )


_BEHIND = {"sun": _sun, "arch": _arch, "window": _window, "hills": _hills}
