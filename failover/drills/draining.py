"""Taking a region out of the traffic and letting it in again, as an operator does."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from failover import traffic
from failover.drills.faults import FaultFailed
from failover.traffic import NoOtherRegion
from storage.control import Conflict, ControlUnreachable
from storage.drain import drained_regions, undrain

WHY: Final = "failover drill"


def take_out(region: str) -> None:
    """Returns when its ready answers 503. Raises FaultFailed."""
    try:
        traffic.take_out(region, why=WHY, force=False)
    except (NoOtherRegion, ControlUnreachable, Conflict) as error:
        raise FaultFailed(f"{region} could not be drained: {error}") from error
    _wait(region, ready=False)


def let_in(region: str) -> None:
    """Returns when its ready answers 200. Raises FaultFailed."""
    _undrain(region)
    _wait(region, ready=True)


def _undrain(region: str) -> None:
    try:
        undrain(region)
    except (ControlUnreachable, Conflict) as error:
        raise FaultFailed(f"{region} is still drained: `failover undrain {region}`") from error


def _wait(region: str, *, ready: bool) -> None:
    heard, detail, seconds = traffic.wait_heard(region, ready=ready)
    if not heard:
        raise FaultFailed(f"{region} did not obey within {seconds:.0f} s: {detail}")


@contextmanager
def drained(region: str) -> Iterator[None]:
    """Whatever happens meanwhile, it is let in again."""
    take_out(region)
    try:
        yield
    finally:
        let_in(region)


def let_in_what_a_drill_left() -> None:
    """One that was killed had no time for it. Raises FaultFailed."""
    try:
        left = [name for name, entry in drained_regions().items() if entry["why"] == WHY]
    except ControlUnreachable as error:
        raise FaultFailed(f"nobody can say which regions are drained: {error}") from error
    for region in left:
        _undrain(region)  # whether it obeys is seen when everything is whole: it may be down
