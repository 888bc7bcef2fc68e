"""Where the regions are on a sea chart: points, lines and land, in the units of an SVG."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import cos, radians
from typing import Final

from failover.admin.coasts import COASTS
from failover.overview.model import Overview, RegionView
from failover.overview.words import region_state

SIZE: Final = 440.0
"""Width of the chart, and its height where the places are known."""
_MARGIN: Final = 70.0
_ROW: Final = 200.0
"""Height of a row of regions whose places nobody knows."""
_GRID: Final = 10
"""Degrees between two lines of the chart."""

PLACES: Final = {
    "af-south-1": (-33.9, 18.4),
    "ap-east-1": (22.3, 114.2),
    "ap-east-2": (25.0, 121.5),
    "ap-northeast-1": (35.7, 139.7),
    "ap-northeast-2": (37.6, 127.0),
    "ap-northeast-3": (34.7, 135.5),
    "ap-south-1": (19.1, 72.9),
    "ap-south-2": (17.4, 78.5),
    "ap-southeast-1": (1.3, 103.8),
    "ap-southeast-2": (-33.9, 151.2),
    "ap-southeast-3": (-6.2, 106.8),
    "ap-southeast-4": (-37.8, 145.0),
    "ap-southeast-5": (3.1, 101.7),
    "ap-southeast-7": (13.8, 100.5),
    "ca-central-1": (45.5, -73.6),
    "eu-central-1": (50.1, 8.7),
    "eu-central-2": (47.4, 8.5),
    "eu-north-1": (59.3, 18.1),
    "eu-south-1": (45.5, 9.2),
    "eu-south-2": (41.6, -0.9),
    "eu-west-1": (53.3, -6.3),
    "eu-west-2": (51.5, -0.1),
    "eu-west-3": (48.9, 2.4),
    "il-central-1": (32.1, 34.8),
    "me-central-1": (24.5, 54.4),
    "me-south-1": (26.2, 50.6),
    "sa-east-1": (-23.5, -46.6),
    "us-east-1": (39.0, -77.5),
    "us-east-2": (40.0, -83.0),
    "us-west-1": (37.4, -122.0),
    "us-west-2": (45.8, -119.7),
}
"""Latitude and longitude, in degrees, by what AWS calls its regions."""


@dataclass(frozen=True)
class Point:
    x: float
    y: float


@dataclass(frozen=True)
class Mark:
    """A region on the chart."""

    region: RegionView
    at: Point
    label: Point
    anchor: str
    """SVG's text-anchor: on which side of the point the name stands."""

    @property
    def word(self) -> str:
        return region_state(self.region)


@dataclass(frozen=True)
class Line:
    """From the writer to a standby."""

    path: str
    broken: bool
    cross: Point
    """Where a broken one is marked."""


@dataclass(frozen=True)
class Chart:
    width: float
    height: float
    marks: Sequence[Mark]
    lines: Sequence[Line]
    grid: str = ""
    land: Sequence[str] = ()


@dataclass(frozen=True)
class _Projection:
    """Equirectangular, true to scale in the middle: quite enough for a few thousand kilometres."""

    south: float
    west: float
    scale: float
    """Units for a degree of latitude."""
    narrow: float
    """A degree of longitude, in degrees of latitude."""

    @classmethod
    def around(cls, places: Sequence[tuple[float, float]]) -> "_Projection":
        lats, lons = [lat for lat, _ in places], [lon for _, lon in places]
        middle = (min(lats) + max(lats)) / 2, (min(lons) + max(lons)) / 2
        narrow = cos(radians(middle[0]))
        span = max(max(lats) - min(lats), (max(lons) - min(lons)) * narrow, 4.0)
        scale = (SIZE - 2 * _MARGIN) / span
        half = SIZE / scale / 2
        return cls(middle[0] - half, middle[1] - half / narrow, scale, narrow)

    def point(self, lat: float, lon: float) -> Point:
        x = (lon - self.west) * self.narrow * self.scale
        return Point(round(x, 1), round(SIZE - (lat - self.south) * self.scale, 1))


def draw(overview: Overview) -> Chart:
    """On the chart where all places are known and apart from each other; else in a row."""
    places = [PLACES.get(one.aws_region) for one in overview.regions]
    known = [place for place in places if place is not None]
    if len(known) < len(places) or len(set(known)) < len(known):
        return _row(overview)
    projection = _Projection.around(known)
    points = [projection.point(*place) for place in known]
    return Chart(
        SIZE,
        SIZE,
        [_mark(one, at) for one, at in zip(overview.regions, points, strict=True)],
        _lines(overview, points),
        _grid(projection),
        [_outline(projection, coast) for coast in COASTS],
    )


def _row(overview: Overview) -> Chart:
    step = SIZE / len(overview.regions)
    points = [Point(step * (number + 0.5), _ROW / 2) for number in range(len(overview.regions))]
    marks = [
        Mark(one, at, Point(at.x, at.y + 32), "middle")
        for one, at in zip(overview.regions, points, strict=True)
    ]
    return Chart(SIZE, _ROW, marks, _lines(overview, points))


def _mark(region: RegionView, at: Point) -> Mark:
    """The name stands towards the middle, where there is room for it."""
    if at.x > SIZE / 2:
        return Mark(region, at, Point(at.x - 20, at.y + 5), "end")
    return Mark(region, at, Point(at.x + 20, at.y + 11), "start")


def _lines(overview: Overview, points: Sequence[Point]) -> list[Line]:
    by_name = {one.name: at for one, at in zip(overview.regions, points, strict=True)}
    writers = overview.writers
    if len(writers) != 1:
        return []
    start = by_name[writers[0].name]
    return [
        _line(start, by_name[one.name], broken=not one.database.receives)
        for one in overview.regions
        if one.database and not one.database.writer
    ]


def _line(start: Point, end: Point, *, broken: bool) -> Line:
    """A curve, as ships do not sail over land in straight lines; it bends to the right."""
    bend_x = (start.x + end.x) / 2 - (end.y - start.y) * 0.16
    bend_y = (start.y + end.y) / 2 + (end.x - start.x) * 0.16
    path = f"M{start.x:.1f} {start.y:.1f}Q{bend_x:.1f} {bend_y:.1f} {end.x:.1f} {end.y:.1f}"
    half = Point(
        round((start.x + 2 * bend_x + end.x) / 4, 1), round((start.y + 2 * bend_y + end.y) / 4, 1)
    )
    return Line(path, broken, half)


def _grid(projection: _Projection) -> str:
    degrees_high = SIZE / projection.scale
    north = projection.south + degrees_high
    east = projection.west + degrees_high / projection.narrow
    lats = (projection.point(lat, 0).y for lat in _tens(projection.south, north))
    lons = (projection.point(0, lon).x for lon in _tens(projection.west, east))
    return "".join((*(f"M0 {y}H{SIZE:.0f}" for y in lats), *(f"M{x} 0V{SIZE:.0f}" for x in lons)))


def _tens(low: float, high: float) -> Iterable[int]:
    return range(int(low // _GRID + 1) * _GRID, int(high) + 1, _GRID)


def _outline(projection: _Projection, coast: Sequence[tuple[float, float]]) -> str:
    points = [projection.point(lat, lon) for lon, lat in coast]
    return "M" + "L".join(f"{point.x} {point.y}" for point in points) + "Z"
