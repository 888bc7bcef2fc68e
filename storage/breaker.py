"""A circuit breaker: a store that is gone costs its callers microseconds, not a time-out each.

Of our own, because pybreaker 1.4 (which redis-py's `multidb.circuit` wraps) runs every call under
one lock, so threads would wait for each other's commands, and lets a request be the probe, so
that one shopper in each half second would wait for a frozen store. Here a call that succeeds
takes no lock, and the probe is a thread beside the requests.
"""

import logging
import time
from collections.abc import Callable
from threading import Lock, Thread
from typing import Final

from prometheus_client import Counter
from redis.exceptions import ConnectionError, MaxConnectionsError, TimeoutError

logger = logging.getLogger(__name__)

FAILURES: Final = 2
"""Calls in a row that must fail before the circuit opens. One may be an accident."""
PAUSE: Final = 0.5
"""Seconds between two probes."""

_opened = Counter("anyport_circuit_opened_total", "Times that a store was given up", ["store"])
_refused = Counter("anyport_circuit_refused_total", "Calls refused while it was", ["store"])


class CircuitOpen(ConnectionError):
    """Not even tried: the store did not answer just now."""


class Circuit:
    """Closed while the store answers. Opens after `FAILURES`, or when the store says that it
    cannot serve (`trip`); then every call is refused until a probe succeeds.

    `probe` asks the store, raises what it likes when the answer is not good enough, and is run in
    a thread, at most one at a time, when a call is refused and the last probe is `PAUSE` old. No
    caller waits for it. `outages` are the errors of a call that nobody answered.
    """

    def __init__(
        self,
        name: str,
        probe: Callable[[], object],
        outages: tuple[type[Exception], ...] = (ConnectionError, TimeoutError),
    ) -> None:
        self.name = name
        self._outages = outages
        self.openings = 0
        """How often it opened. Whoever must know whether the store was away compares two."""
        self._probe = probe
        self._opened = _opened.labels(name)
        self._refused = _refused.labels(name)
        self._lock = Lock()
        self._failures = 0
        self._open = False
        self._next_probe = 0.0  # by the monotonic clock
        self._thread: Thread | None = None

    @property
    def is_open(self) -> bool:
        return self._open

    def call[T](self, command: Callable[[], T]) -> T:
        """What `command` returns or raises; CircuitOpen at once while the circuit is open."""
        if self._open:
            self._refuse()
        openings = self.openings
        try:
            answer = command()
        except MaxConnectionsError:  # this process has too many, which is not the store's fault
            raise
        except self._outages as error:
            self._failed(error, openings)
            raise
        self._failures = 0
        return answer

    def trip(self, reason: Exception) -> None:
        """Open at once: the store itself says that it cannot serve."""
        with self._lock:
            self._trip(reason)

    def _failed(self, error: Exception, openings: int) -> None:
        with self._lock:
            # A call from before an outage that has since ended says nothing about now.
            if openings == self.openings:
                self._failures += 1
                if self._failures >= FAILURES:
                    self._trip(error)

    def _trip(self, reason: Exception) -> None:
        if self._open:
            return
        self._next_probe = time.monotonic() + PAUSE
        self.openings += 1
        self._open = True
        self._opened.inc()
        logger.warning("%s is given up until it answers: %s", self.name, reason)

    def _refuse(self) -> None:
        self._refused.inc()
        if time.monotonic() >= self._next_probe and self._lock.acquire(blocking=False):
            try:
                self._start_probe()
            finally:
                self._lock.release()
        raise CircuitOpen(f"{self.name} did not answer just now, and is not asked")

    def _start_probe(self) -> None:
        # A thread that was copied by a fork is not alive in the child.
        if not self._open or (self._thread and self._thread.is_alive()):
            return
        self._thread = Thread(target=self._run_probe, name=f"probe-{self.name}", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # no threads left, or the interpreter ends
            self._thread = None
            self._next_probe = time.monotonic() + PAUSE

    def _run_probe(self) -> None:
        try:
            self._probe()
        except Exception as error:
            self._next_probe = time.monotonic() + PAUSE
            logger.debug("%s still fails: %s", self.name, error)
            return
        with self._lock:
            self._failures = 0
            self._open = False
        logger.warning("%s answers again", self.name)
