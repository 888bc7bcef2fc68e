"""Every motif by name."""

from collections import defaultdict
from collections.abc import Callable
from typing import Any

from shop.demo.drawing.canvas import Canvas


def plain(c: Canvas, tone: str, **params: Any) -> None:
    c.shadow(120)
    c.lathe([(120, -260), (120, -130), (120, 0)], c.turned(tone))
    c.oval(0, -260, 120, 19, tone)


MOTIFS: dict[str, Callable[..., None]] = defaultdict(lambda: plain)
