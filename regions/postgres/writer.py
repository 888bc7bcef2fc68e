"""The line of those who wait for the writer: short while there is none, so that others are served.

A request that needs the writer waits for it: a planned switch then costs a pause and no failure.
But a process has few threads, and when all of them wait, nobody looks at the catalogue either,
which every region could show. So while the writer is missing, `PLACES` threads of a process wait,
and are the ones who find out when there is one again; everybody else is told at once.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Semaphore
from typing import Final

from django.db import OperationalError
from prometheus_client import Counter
from psycopg_pool import PoolTimeout

PATIENCE: Final = 2.5
"""Seconds that a request waits for a connection to the writer."""
LOOK: Final = 0.25
"""Seconds after which whoever waits looks whether they still should."""
PLACES: Final = 2
ASKED_EVERY: Final = 1.0
"""Seconds after which somebody who could ask a standby tries a writer that is missing once more."""
dispensable: Final[ContextVar[bool]] = ContextVar("writer_dispensable", default=False)
"""Set where a standby is asked instead: nobody there waits for a writer that is missing."""

_turned_away = Counter(
    "anyport_writer_turned_away_total", "Requests that did not wait for a writer that is missing"
)


class Line:
    """Of one process."""

    def __init__(self) -> None:
        self.missing = False
        """The last try to connect found no server that takes writes."""
        self._places = Semaphore(PLACES)
        self._asked_again_at = 0.0

    def is_worth_asking(self) -> bool:
        """For whoever can do without: always, or now and then while it is missing. Otherwise a
        process that is asked for nothing else would never find out that it is back."""
        now = time.monotonic()
        if self.missing and now < self._asked_again_at:
            return False
        self._asked_again_at = now + ASKED_EVERY
        return True

    def wait[T](self, take: Callable[[], T], idle: Callable[[], int]) -> T:
        """What `take` returns, which raises PoolTimeout after `LOOK` seconds.

        Raises OperationalError when no connection is `idle` and others wait already for a writer
        that is missing; PoolTimeout after `PATIENCE` seconds.
        """
        gives_up_at = time.monotonic() + PATIENCE
        with self._place() as has_place:
            while True:
                is_lost = self.missing and not idle()
                if is_lost and not dispensable.get() and not has_place():
                    _turned_away.inc()
                    raise OperationalError("no server takes writes now, and others wait for one")
                try:
                    taken = take()
                except PoolTimeout:
                    if time.monotonic() > gives_up_at or (self.missing and dispensable.get()):
                        raise
                else:
                    self.missing = False
                    return taken

    @contextmanager
    def _place(self) -> Iterator[Callable[[], bool]]:
        """Given when it is first asked for, if there is one."""
        held = False

        def has_place() -> bool:
            nonlocal held
            held = held or self._places.acquire(blocking=False)
            return held

        try:
            yield has_place
        finally:
            if held:
                self._places.release()


line: Final = Line()
