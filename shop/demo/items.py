"""What the catalogue is written in: `item(...)` a product, expanded into variants and pictures."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import product as cross
from typing import Final

from django.utils.text import slugify

from shop.demo.palette import COLOURS, ground_for

type Param = str | int | float | bool
type Params = Mapping[str, Param]
type Prices = tuple[int, int, int, int]
"""TWD, JPY, SGD, USD; minor units."""

CURRENCIES: Final = ("TWD", "JPY", "SGD", "USD")
SCENES: Final[dict[str, str]] = {
    "table": "on a table",
    "sun": "before a low sun",
    "arch": "in a niche",
    "window": "in window light",
    "hills": "before islands on the horizon",
    "flat": "seen from above",
    "wall": "hanging on a wall",
}
"""Scene and how it ends a picture's description."""
COMPANIONS: Final[dict[str, str]] = {
    "bowl": "a bowl",
    "chopsticks": "chopsticks in a cup",
    "cup": "a tea cup",
    "ink": "an ink bottle",
    "keyring": "a ring of keys",
    "knife": "a kitchen knife",
    "mug": "an enamel mug",
    "notebook": "a notebook",
    "pen": "a pen",
    "soap": "soap on a dish",
}
"""How a description names what stands beside the product."""
LIT: Final = {"candle", "globe", "house", "incense", "lantern", "paperlamp", "torch"}
NARROW: Final = {
    *("bell", "candle", "carabiner", "cup", "flask", "glasses", "keyring", "lantern", "paperlamp"),
    *("spool", "tag", "tin", "tube", "umbrella", "vase", "watch", "board", "tiffin"),
}
WIDE: Final = {
    *(
        "backpack",
        "binoculars",
        "blanket",
        "boots",
        "brush",
        "clock",
        "cubes",
        "duffel",
        "envelope",
    ),
    *("gloves", "mask", "pillow", "pouch", "radio", "raincoat", "rolls", "satchel", "slippers"),
    *("smock", "socks", "toolbox", "torch", "tote", "towel", "trunk", "whistle"),
}
"""Motifs whose row of colours holds two, larger; those of NARROW are larger in any row."""


@dataclass(frozen=True)
class Piece:
    """One drawn thing. `x` and `y` move it from its scene's middle, in picture units."""

    motif: str
    tone: str
    params: Params = field(default_factory=dict)
    x: float = 0
    y: float = 0
    scale: float = 1
    turn: float = 0


@dataclass(frozen=True)
class Picture:
    scene: str
    ground: str
    pieces: tuple[Piece, ...]
    alt: str


@dataclass(frozen=True)
class DemoCategory:
    slug: str
    name: str
    parent: str | None
    description: str


@dataclass(frozen=True)
class DemoVariant:
    sku: str
    options: dict[str, str]
    prices: dict[str, int]
    stock: int
    picture: Picture


@dataclass(frozen=True)
class DemoProduct:
    slug: str
    name: str
    category: str
    description: str
    featured: bool
    variants: tuple[DemoVariant, ...]
    extra: Picture | None
    """The gallery's last picture: all colours together, or a companion beside it."""


def demo_stock(sku: str) -> int:
    """Units on hand of a new shop, 0 to 120, the same every time."""
    draw = int.from_bytes(hashlib.sha256(sku.encode()).digest()[:4])
    kind, rest = draw % 40, draw // 40
    if kind == 0:
        return 0
    if kind == 1:
        return 2
    if kind < 4:
        return 3 + rest % 6
    return 9 + rest % 112


def item(
    code: str,
    name: str,
    category: str,
    prices: Prices,
    description: str,
    *,
    shows: str,
    motif: str,
    scene: str = "table",
    ground: str = "sand",
    tone: str = "Steel",
    options: Mapping[str, str] | None = None,
    more: Mapping[str, Prices] | None = None,
    by: Mapping[str, Params] | None = None,
    featured: bool = False,
    beside: Piece | None = None,
    **params: Param,
) -> DemoProduct:
    """A product.

    `options` maps an option to its values, separated by commas. Values that are colours set the
    tone; those of other options, the size of what is drawn. `more` adds to the price and `by` to
    the drawing's parameters, by value. `shows` describes the picture's subject.
    """
    choices = {key: [v.strip() for v in line.split(",")] for key, line in (options or {}).items()}
    variants: list[DemoVariant] = []
    for values in cross(*choices.values()):
        drawn = dict(params)
        drawn_tone, scale = COLOURS[tone], 1.0
        for (_, possible), value in zip(choices.items(), values, strict=True):
            drawn |= (by or {}).get(value, {})
            if value in COLOURS:
                drawn_tone = COLOURS[value]
            elif len(possible) > 1 and value not in (by or {}):
                scale = 0.88 + 0.2 * possible.index(value) / (len(possible) - 1)
        total = [
            base + sum((more or {}).get(value, (0, 0, 0, 0))[place] for value in values)
            for place, base in enumerate(prices)
        ]
        sku = "-".join([code, *(slugify(value).replace("-", "").upper() for value in values)])
        said = (value if value.isupper() else value.lower() for value in values)
        words = ", ".join([shows, *said])
        variants.append(
            DemoVariant(
                sku=sku,
                options=dict(zip(choices, values, strict=True)),
                prices=dict(zip(CURRENCIES, total, strict=True)),
                stock=demo_stock(sku),
                picture=Picture(
                    scene,
                    ground_for(drawn_tone, ground),
                    (Piece(motif, drawn_tone, drawn, scale=scale),),
                    f"{words}, {SCENES[scene]}",
                ),
            )
        )
    return DemoProduct(
        slug=slugify(name),
        name=name,
        category=category,
        description=" ".join(description.split()),
        featured=featured,
        variants=tuple(variants),
        extra=_extra(shows, variants, beside),
    )


def _extra(shows: str, variants: list[DemoVariant], beside: Piece | None) -> Picture | None:
    first = variants[0].picture
    scene = first.scene if first.scene in ("flat", "wall") else "table"
    if beside:
        main = first.pieces[0]
        pieces: tuple[Piece, ...] = (replace(main, x=-85, scale=main.scale * 0.86), beside)
        words = f"{shows} beside {COMPANIONS[beside.motif]}"
        return Picture(scene, first.ground, pieces, f"{words}, {SCENES[scene]}")
    pieces = tuple({v.picture.pieces[0].tone: v.picture.pieces[0] for v in variants}.values())
    if len(pieces) < 2 or len(variants) > 3 or scene == "flat":
        return None  # Their variants fill a gallery already, and each file is three uploads.
    pieces = _row(pieces, scene)
    motif = pieces[0].motif
    ground = "ink" if motif in LIT else "paper" if first.ground != "paper" else "celadon"
    words = f"{shows}, in {'two' if len(pieces) == 2 else 'three'} colours side by side"
    return Picture(scene, ground, pieces, f"{words}, {SCENES[scene]}")


def _row(pieces: tuple[Piece, ...], scene: str) -> tuple[Piece, ...]:
    """The first two or three side by side, as large as their shape allows."""
    motif = pieces[0].motif
    count = 2 if motif in WIDE else min(3, len(pieces))
    scale = {2: 0.64, 3: 0.5}[count] + (0.18 if motif in NARROW else 0)
    spread = {2: 330, 3: 228}[count]
    drop = {"wall": 84, "flat": 0}.get(scene, 22)
    return tuple(
        replace(
            piece,
            x=(place - (count - 1) / 2) * spread,
            y=drop + (34 if place % 2 else -14),
            scale=scale,
        )
        for place, piece in enumerate(pieces[:count])
    )
