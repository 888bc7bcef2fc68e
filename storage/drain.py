"""Regions that operators have taken out, and how each process learns of it.

The flag is a control document, outside any region that it takes out: one for all regions, so that
its condition decides when two operators drain two regions at once. A thread in each process reads
it once a second, and keeps the last answer while DynamoDB is away: nobody is drained, and nobody
comes back, because nobody can be asked.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from django.conf import settings

from regions.readiness import readiness
from storage import control
from storage.control import ControlUnreachable

logger = logging.getLogger(__name__)

DOCUMENT: Final = "drained"
FIRST_LOOK: Final = 5.0  # seconds; more than DynamoDB's time-outs add up to

type Entry = Mapping[str, str]
"""`since` (ISO time in UTC), `by` and `why`."""


# --- The flag --------------------------------------------------------------------------------


def drained_regions() -> dict[str, Entry]:
    """By name. Raises ControlUnreachable."""
    return dict(control.read(DOCUMENT).data)


def drain(region: str, *, by: str, why: str, allow: Callable[[set[str]], None]) -> bool:
    """Set the flag; False when it was set. Raises ControlUnreachable and Conflict.

    `allow` is given the regions that are drained and raises where one more may not be. It is asked
    again whenever somebody else was first, so of two last regions only one is drained.
    """
    entry = {"since": datetime.now(UTC).isoformat(timespec="seconds"), "by": by, "why": why}
    return _change(region, lambda data: _with(region, entry, data, allow))


def undrain(region: str) -> bool:
    """Clear the flag; False when it was not set. Raises ControlUnreachable and Conflict."""
    return _change(region, lambda data: {name: data[name] for name in data if name != region})


def _with(
    region: str, entry: Entry, data: Mapping[str, Any], allow: Callable[[set[str]], None]
) -> Mapping[str, Any]:
    if region in data:
        return data  # since then, by whom it was, for what reason
    allow(set(data))
    return {**data, region: entry}


def _change(region: str, how: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> bool:
    changed = False

    def note(data: Mapping[str, Any]) -> Mapping[str, Any]:
        nonlocal changed
        new = how(data)
        changed = (region in new) != (region in data)
        return new

    control.change(DOCUMENT, note)
    return changed


# --- How a process learns of it --------------------------------------------------------------


class Follower:
    """What this process knows of its own region's flag."""

    def __init__(self) -> None:
        self.drained = False
        self.looked = threading.Event()
        """After the first look, whether or not anybody could be asked."""
        self.when_drained: list[Callable[[], None]] = []
        """Called in the follower's thread."""
        self._started = threading.Lock()
        self._reachable = True

    def start(self, every: float) -> None:
        if self._started.acquire(blocking=False):
            work = threading.Thread(target=self._follow, args=[every], name="drain", daemon=True)
            work.start()

    @property
    def started(self) -> bool:
        return self._started.locked()

    def _follow(self, every: float) -> None:
        while True:
            try:
                self.look()
            except Exception:  # a thread that ends would leave the last answer for good
                logger.exception("the look at drained regions failed")
            self.looked.set()
            time.sleep(every)

    def look(self) -> None:
        try:
            drained = settings.ANYPORT_REGION in drained_regions()
        except ControlUnreachable as error:
            if self._reachable:
                logger.warning("nobody can say whether this region is drained: %s", error)
            self._reachable = False
            return
        self._reachable = True
        if drained == self.drained:
            return
        self.drained = drained
        logger.warning("this region is %s", "drained" if drained else "not drained any more")
        if drained:
            for tell in self.when_drained:
                tell()


follower: Final = Follower()


def follow(every: float = 1.0, *, wait: bool = False) -> None:
    """Begin to look, once a process; with `wait` until the first look has ended (5 s at most).

    Call it after Django's set-up, in the process that serves. A look costs about 3 ms.
    """
    follower.start(every)
    if wait:
        follower.looked.wait(FIRST_LOOK)


def is_drained() -> bool:
    """What was last heard; False in a process that does not follow."""
    return follower.drained


@readiness
def drained() -> str | None:
    if follower.drained:
        return "drained by an operator"
    if follower.started and not follower.looked.is_set():
        return "starting: whether it is drained is being asked"
    return None
