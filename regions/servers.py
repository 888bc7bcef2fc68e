"""What whoever moves the writer is told of a region's PostgreSQL server."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Server:
    region: str
    answers: bool
    takes_writes: bool = False
    timeline: int = 0
    """Which history it follows: grows with each promotion."""
    position: int | None = None
    """Bytes of the log that are on its disk; None when that is not known."""
    follows: bool = False
    """Whether it receives the log from another server now."""
    age: float | None = None
    """Seconds since the last transaction that it has replayed was committed."""
    behind: float | None = None
    """Seconds that it lacked of the writer's commits, when that was last told."""
    problem: str = ""

    @property
    def reach(self) -> tuple[int, int]:
        """How far its history goes, to be compared: a later timeline beats a longer log."""
        return self.timeline, self.position or 0


@dataclass(frozen=True)
class Fence:
    """What became of the former writer."""

    stopped: bool
    """It does not run. Otherwise it may be alive, and only nobody confirms its commits."""
    end: int | None = None
    """Bytes of its log when it stopped in good order: whoever has as much has everything."""
    detail: str = ""


class ProviderError(Exception):
    """The environment refused, or did not do in time what a promotion asked of it."""


class Overtaken(ProviderError):
    """A later attempt at the promotion has been there: this one must stop."""
