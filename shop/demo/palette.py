"""The colours of the demo: paper, ink and what is found in a harbour."""

from typing import Final

COLOURS: Final[dict[str, str]] = {
    # paints and cloth
    "Ink": "#22353f",
    "Harbour": "#14605c",
    "Celadon": "#9dbfa9",
    "Sage": "#7d9880",
    "Moss": "#5d6c47",
    "Sand": "#d8c29a",
    "Oat": "#e6d9bf",
    "Cream": "#f3ead8",
    "Chalk": "#f4f1ea",
    "Clay": "#bd6a4b",
    "Persimmon": "#e2673a",
    "Signal": "#e2572b",
    "Brick": "#9b4334",
    "Ochre": "#d49a3c",
    "Indigo": "#324a72",
    "Navy": "#243652",
    "Sky": "#9dbdcd",
    "Slate": "#617581",
    "Charcoal": "#3b454b",
    "Plum": "#704a60",
    "Rose": "#d79f92",
    "Lychee": "#e6b9ad",
    "Tea": "#7b5a3a",
    "Mist": "#b9c4c6",
    # woods
    "Oak": "#c39a68",
    "Walnut": "#6d4b36",
    "Cherry": "#a9653f",
    "Hinoki": "#e0c090",
    "Camphor": "#b98655",
    "Bamboo": "#cdb070",
    "Teak": "#94633a",
    # metals and glass
    "Brass": "#c79d4d",
    "Copper": "#c1774c",
    "Steel": "#aebabf",
    "Tin": "#c8ced0",
    "Iron": "#41484c",
    "Black": "#2b3033",
    "Titanium": "#8e969b",
    "Amber": "#d18a3a",
    "Glass": "#bcd6d3",
    # leathers
    "Tan": "#bf8a56",
    "Chestnut": "#834a2e",
    "Natural": "#d9b58a",
}
"""Hex by the name that the shop shows as an option."""

GROUNDS: Final[dict[str, tuple[str, str]]] = {
    "sand": ("#eee2cb", "#d9c5a2"),
    "celadon": ("#d3e1d5", "#b0c8b6"),
    "sky": ("#d5e2e8", "#b1c6d0"),
    "rose": ("#f0d6ca", "#dcb3a2"),
    "ochre": ("#efd9a8", "#d9b975"),
    "paper": ("#f4eee3", "#e0d5c1"),
    "mist": ("#dfdfe2", "#c1c3c9"),
    "harbour": ("#2a6a66", "#174a48"),
    "ink": ("#31485a", "#1c2d38"),
    "clay": ("#d79370", "#b66f4f"),
}
"""Wall and table."""

DARK: Final = ("harbour", "ink", "clay")


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def mix(colour: str, other: str, share: float) -> str:
    """`share` (0 to 1) of `other` in `colour`."""
    pairs = zip(_channels(colour), _channels(other), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)


def light(colour: str, share: float) -> str:
    """Nearer to warm white."""
    return mix(colour, "#fff8ea", share)


def dark(colour: str, share: float) -> str:
    """Nearer to blue-black, as shadows at a harbour are."""
    return mix(colour, "#101c26", share)


def luminance(colour: str) -> float:
    """0 (black) to 1 (white), as eyes weigh the channels."""
    red, green, blue = _channels(colour)
    return (0.299 * red + 0.587 * green + 0.114 * blue) / 255


def ground_for(tone: str, wanted: str) -> str:
    """The wanted ground, or one on which a thing of this tone stands out."""
    for name in (wanted, "paper", "ochre", "celadon", "harbour"):
        wall, table = GROUNDS[name]
        if min(abs(luminance(tone) - luminance(side)) for side in (wall, table)) > 0.09:
            return name
    return "ink"
