"""Every motif by name."""

from collections.abc import Callable
from typing import Any, Final

from shop.demo.drawing import carrying, kitchen, lights, rest, table, wayfinding, wearing, writing

type Motif = Callable[..., Any]
"""`motif(canvas, tone, **params)` draws one thing on its foot, its peg or its middle."""

_MODULES: Final = (table, kitchen, carrying, writing, lights, wayfinding, wearing, rest)
MOTIFS: Final[dict[str, Motif]] = {
    motif.__name__: motif for module in _MODULES for motif in module.MOTIFS
}
