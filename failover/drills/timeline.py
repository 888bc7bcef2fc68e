"""The picture of a drill, as SVG: operations a second and their failures, the fault marked."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from math import ceil
from typing import Final

from failover.drills.operations import FRONT, Kind, Operation
from failover.drills.results import Result

BIN: Final = 0.25
"""Seconds that a bar stands for."""
WIDTH: Final = 960
LEFT: Final = 92
"""Pixels for the names of the rows."""
TOP: Final = 34
ROW: Final = 84
"""Pixels from one row to the next; bars take all but the gap."""
GAP: Final = 26
PAPER, INK, FAINT, HAIRLINE = "#faf8f4", "#14222b", "#6c685f", "#d9d4c8"
GREEN, ORANGE, SHADE = "#0f4c4a", "#e2572b", "#f6d9cd"
FONT: Final = '"Noto Sans", "Helvetica Neue", Arial, sans-serif'


@dataclass(frozen=True)
class Scale:
    zero: float
    seconds: float

    def x(self, moment: float) -> float:
        share = (moment - self.zero) / self.seconds
        return round(LEFT + min(max(share, 0.0), 1.0) * (WIDTH - LEFT - 16), 1)

    @property
    def bar(self) -> float:
        return round((WIDTH - LEFT - 16) * BIN / self.seconds, 2)


def draw(result: Result) -> str:
    """Rows for reading, writing and sessions at the front door; time runs to the right."""
    scale = Scale(result.began, max(result.ended - result.began, 1.0))
    height = TOP + ROW * len(Kind) + 30
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'font-family=\'{FONT}\' font-size="12" fill="{INK}">',
        f"<title>{escape(_title(result))}</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="{PAPER}"/>',
    ]
    for number, kind in enumerate(Kind):
        parts += _row(result, kind, TOP + ROW * number, scale)
    bottom = TOP + ROW * len(Kind) - GAP
    parts += _marks(result, bottom, scale)
    parts += _seconds(bottom, scale)
    return "\n".join([*parts, "</svg>"])


def _title(result: Result) -> str:
    away = ", ".join(f"{kind} {result.seconds(kind):.2f} s" for kind in Kind)
    return f"{result.scenario}: operations a second at the front door; unavailable: {away}"


def _row(result: Result, kind: Kind, top: int, scale: Scale) -> Iterable[str]:
    there = [each for each in result.operations if each.door == FRONT and each.kind is kind]
    good, bad = _bins(there, scale, ok=True), _bins(there, scale, ok=False)
    most = max([*(good + bad).values(), 1])
    full = ROW - GAP
    for outage in result.outages.get(FRONT, {}).get(kind, ()):
        width = max(scale.x(outage.ended) - scale.x(outage.began), 1.5)
        yield (
            f'<rect x="{scale.x(outage.began)}" y="{top}" width="{width:.1f}" height="{full}" '
            f'fill="{SHADE}"/>'
        )
    yield f'<text x="0" y="{top + 16}" font-weight="600">{kind.value}</text>'
    yield f'<text x="0" y="{top + 32}">{most / BIN:.0f}/s at most</text>'
    yield f'<text x="0" y="{top + 48}" fill="{ORANGE}">{sum(bad.values())} failed</text>'
    for number in sorted(good.keys() | bad.keys()):
        x = scale.x(scale.zero + number * BIN)
        low = float(top + full)
        for count, colour in ((good[number], GREEN), (bad[number], ORANGE)):
            if count:
                tall = max(round(full * count / most, 1), 1.5)
                low -= tall
                yield (
                    f'<rect x="{x}" y="{low:.1f}" width="{max(scale.bar - 0.6, 0.8):.2f}" '
                    f'height="{tall}" fill="{colour}"/>'
                )
    yield (
        f'<line x1="{LEFT}" y1="{top + full}" x2="{WIDTH - 16}" y2="{top + full}" '
        f'stroke="{HAIRLINE}"/>'
    )


def _bins(operations: Iterable[Operation], scale: Scale, *, ok: bool) -> Counter[int]:
    """By when they ended."""
    return Counter(int((each.ended - scale.zero) / BIN) for each in operations if each.ok is ok)


def _marks(result: Result, bottom: int, scale: Scale) -> Iterable[str]:
    """Texts of marks that are close to each other take turns in height."""
    for number, mark in enumerate(result.marks):
        x, y = scale.x(mark.at), 12 + 13 * (number % 2)
        anchor = "end" if x > WIDTH - 120 else "start"
        shift = -4 if anchor == "end" else 4
        yield (
            f'<line x1="{x}" y1="4" x2="{x}" y2="{bottom}" stroke="{INK}" stroke-dasharray="3 3"/>'
        )
        yield (
            f'<text x="{x + shift:.1f}" y="{y}" text-anchor="{anchor}">{escape(mark.text)}</text>'
        )


def _seconds(bottom: int, scale: Scale) -> Iterable[str]:
    step = next(step for step in (1, 2, 5, 10, 20, 50, 100, 1000) if scale.seconds / step <= 14)
    for second in range(0, ceil(scale.seconds), step):
        x = scale.x(scale.zero + second)
        place = f'x="{x}" y="{bottom + 18}" text-anchor="middle" fill="{FAINT}"'
        yield f"<text {place}>{second} s</text>"
