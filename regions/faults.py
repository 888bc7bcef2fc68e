"""Parts of regions, as whoever breaks and mends them for a drill names them."""

from typing import NamedTuple


class FaultFailed(Exception):
    """It could not be broken, or not be mended. Says what, and what to do."""


class Part(NamedTuple):
    """A process of a region, or (without a region) one that all of them share."""

    name: str
    region: str | None = None

    def __str__(self) -> str:
        return f"{self.name} of {self.region}" if self.region else self.name
