"""A small SVG writer: shapes, gradients that are shared by content, and lathe-turned bodies.

Things are drawn around (0, 0), the middle of their foot; y grows downwards, so they rise into
negative y. Light comes from the upper left.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from shop.demo.palette import dark, light

type Point = tuple[float, float]

LONG: Final = 34
"""Characters from which an outline that is drawn twice is worth a name."""


def num(value: float) -> str:
    """`12`, `12.5`: one digit after the point is finer than a screen shows."""
    text = f"{value:.1f}"
    return text[:-2] if text.endswith(".0") else text


def spline(points: Sequence[Point]) -> str:
    """Cubic curves through the points (Catmull-Rom), without the first move."""
    out = []
    padded = [points[0], *points, points[-1]]
    for p0, p1, p2, p3 in zip(padded, padded[1:], padded[2:], padded[3:], strict=False):
        out.append(
            f"C{num(p1[0] + (p2[0] - p0[0]) / 6)} {num(p1[1] + (p2[1] - p0[1]) / 6)} "
            f"{num(p2[0] - (p3[0] - p1[0]) / 6)} {num(p2[1] - (p3[1] - p1[1]) / 6)} "
            f"{num(p2[0])} {num(p2[1])}"
        )
    return "".join(out)


class Canvas:
    """Collects markup; `svg()` gives the file."""

    def __init__(self) -> None:
        self._defs: dict[str, str] = {}
        self._parts: list[str | tuple[str, str]] = []

    def svg(self) -> bytes:
        # An outline that is drawn again, in another colour or width, is written once.
        drawn = Counter(part[0] for part in self._parts if isinstance(part, tuple))
        names = {
            d: f"p{place}"
            for place, d in enumerate(d for d, n in drawn.items() if n > 1 and len(d) > LONG)
        }
        body = ""
        for part in self._parts:
            if isinstance(part, str):
                body += part
            elif part[0] in names:
                body += f'<use href="#{names[part[0]]}"{part[1]}/>'
            else:
                body += f'<path d="{part[0]}"{part[1]}/>'
        defs = "".join(
            markup.replace("@", name, 1)
            for markup, name in self._defs.items()
            if f"#{name})" in body
        )
        defs += "".join(f'<path id="{name}" d="{d}"/>' for d, name in names.items())
        return (
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 800 800" width="800" '
            f'height="800"><defs>{defs}</defs>{body}</svg>'
        ).encode()

    def add(self, markup: str) -> None:
        self._parts.append(markup)

    def define(self, markup: str) -> str:
        """Keep a definition whose id is written `@`; the same one again gives the same id."""
        name = self._defs.setdefault(markup, f"d{len(self._defs)}")
        return f"url(#{name})"

    # --- paints ---------------------------------------------------------------------------

    def linear(self, *stops: tuple[float, str], x2: float = 1, y2: float = 0) -> str:
        """A gradient from the upper left of a shape's box towards (x2, y2)."""
        inner = "".join(f'<stop offset="{num(o * 10)}%" stop-color="{s}"/>' for o, s in stops)
        return self.define(
            f'<linearGradient id="@" x2="{num(x2)}" y2="{num(y2)}">{inner}</linearGradient>'
        )

    def glow(self, colour: str, opacity: float) -> str:
        """A soft spot: the colour in the middle, nothing at the rim."""
        return self.define(
            f'<radialGradient id="@"><stop stop-color="{colour}" stop-opacity="{opacity}"/>'
            f'<stop offset=".55" stop-color="{colour}" stop-opacity="{opacity * 0.45:.2f}"/>'
            f'<stop offset="1" stop-color="{colour}" stop-opacity="0"/></radialGradient>'
        )

    def turned(self, colour: str) -> str:
        """The light on a round standing body."""
        return self.linear(
            (0, dark(colour, 0.08)),
            (2.5, light(colour, 0.24)),
            (5.5, colour),
            (10, dark(colour, 0.34)),
        )

    def metal(self, colour: str) -> str:
        """As `turned`, harder: a streak of light and a reflected edge."""
        return self.linear(
            (0, dark(colour, 0.2)),
            (2, light(colour, 0.5)),
            (3.5, light(colour, 0.1)),
            (7.5, dark(colour, 0.3)),
            (10, dark(colour, 0.05)),
        )

    def cloth(self, colour: str) -> str:
        """The light on something flat or soft."""
        return self.linear(
            (0, light(colour, 0.16)), (5, colour), (10, dark(colour, 0.2)), x2=0.7, y2=1
        )

    # --- shapes ---------------------------------------------------------------------------

    def path(
        self,
        d: str,
        fill: str = "none",
        *,
        stroke: str = "",
        width: float = 0,
        opacity: float = 1,
        dash: str = "",
    ) -> None:
        paint = _paint(fill, stroke, width, opacity, dash)
        last = self._parts[-1] if self._parts else ""
        if fill == "none" and isinstance(last, tuple) and last[1] == paint:
            # Hatching: the same pen again makes one longer line of it.
            self._parts[-1] = (last[0] + d, paint)
        else:
            self._parts.append((d, paint))

    def rect(
        self, x: float, y: float, w: float, h: float, fill: str, *, r: float = 0, opacity: float = 1
    ) -> None:
        corner = f' rx="{num(r)}"' if r else ""
        self.add(
            f'<rect x="{num(x)}" y="{num(y)}" width="{num(w)}" height="{num(h)}"{corner}'
            f"{_paint(fill, '', 0, opacity)}/>"
        )

    def oval(
        self,
        cx: float,
        cy: float,
        rx: float,
        ry: float,
        fill: str = "none",
        *,
        stroke: str = "",
        width: float = 0,
        opacity: float = 1,
    ) -> None:
        shape = (
            f'<circle cx="{num(cx)}" cy="{num(cy)}" r="{num(rx)}"'
            if rx == ry
            else f'<ellipse cx="{num(cx)}" cy="{num(cy)}" rx="{num(rx)}" ry="{num(ry)}"'
        )
        self.add(f"{shape}{_paint(fill, stroke, width, opacity)}/>")

    def lathe(self, profile: Sequence[Point], fill: str, *, foot: float = 0.16) -> None:
        """A turned body: half widths by height, from rim to foot, closed by two ellipses.

        `foot` is how round the foot's edge looks: its height as a share of its half width.
        """
        right = [(half, y) for half, y in profile]
        left = [(-half, y) for half, y in reversed(profile)]
        (top, top_y), (base, base_y) = profile[0], profile[-1]
        self.path(
            f"M{num(-top)} {num(top_y)}A{num(top)} {num(top * 0.16)} 0 0 1 {num(top)} {num(top_y)}"
            f"{spline(right)}A{num(base)} {num(base * foot)} 0 0 1 {num(-base)} {num(base_y)}"
            f"{spline(left)}Z",
            fill,
        )

    def shadow(self, half: float, *, x: float = 0, y: float = 0) -> None:
        """What a standing thing of this half width leaves on the table."""
        self.oval(x + half * 0.5, y + 4, half * 1.9, half * 0.3 + 8, self.glow("#14202a", 0.34))
        self.oval(x + half * 0.08, y, half * 1.14, half * 0.17 + 5, self.glow("#14202a", 0.6))

    @contextmanager
    def group(self, transform: str = "", *, lifted: bool = False) -> Iterator[None]:
        """Shapes moved together; `lifted` gives what lies or hangs flat a soft shadow."""
        attributes = f' transform="{transform}"' if transform else ""
        if lifted:
            effect = self.define(
                '<filter id="@" x="-30%" y="-30%" width="170%" height="170%"><feDropShadow '
                'dx="9" dy="13" stdDeviation="11" flood-color="#14202a" flood-opacity=".34"/>'
                "</filter>"
            )
            attributes += f' filter="{effect}"'
        self.add(f"<g{attributes}>")
        yield
        self.add("</g>")


def _paint(fill: str, stroke: str, width: float, opacity: float, dash: str = "") -> str:
    out = f' fill="{fill}"'
    if stroke:
        out += f' stroke="{stroke}" stroke-width="{num(width)}" stroke-linejoin="round"'
        out += f' stroke-dasharray="{dash}"' if dash else ' stroke-linecap="round"'
    if opacity != 1:
        out += f' opacity="{opacity:.2f}"'
    return out
