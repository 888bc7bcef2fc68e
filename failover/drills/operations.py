"""What shoppers did and what became of it: each operation is ok, failed, or unknown (Jepsen)."""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Final

FRONT: Final = "front"
"""The door that all regions share. The others are regions, asked directly."""


class Kind(StrEnum):
    READING = "reading"
    WRITING = "writing"
    SESSIONS = "sessions"


class Outcome(StrEnum):
    OK = "ok"
    FAILED = "failed"
    """It had no effect, or was only to look at something."""
    UNKNOWN = "unknown"
    """It was sent, and nobody said what became of it."""


PATIENCE: Final = 2.0
"""Seconds within which an operation is over, its second try included, or it is no success."""
SUSTAINED: Final = 1.0
"""Seconds without a failure after which the shop counts as available again."""


@dataclass(frozen=True, slots=True)
class Operation:
    kind: Kind
    what: str
    door: str
    began: float
    """Of the monotonic clock."""
    ended: float
    outcome: Outcome
    status: int
    """0 where nothing was answered."""
    region: str
    """That answered, as `Anyport-Region` says."""
    tries: int = 1
    note: str = ""

    @property
    def ok(self) -> bool:
        return self.outcome is Outcome.OK

    def as_row(self, zero: float) -> list[Any]:
        """For the JSON report; times are seconds after `zero`."""
        values = asdict(self)
        values |= {"began": round(self.began - zero, 4), "ended": round(self.ended - zero, 4)}
        return list(values.values())


COLUMNS: Final = list(Operation.__dataclass_fields__)


@dataclass
class Log:
    """Filled by many threads, read by one that waits for what it tells."""

    operations: list[Operation] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition, repr=False)

    def add(self, operation: Operation) -> None:
        with self._changed:
            self.operations.append(operation)
            self._changed.notify_all()

    def counts(self) -> Counter[tuple[Kind, Outcome]]:
        with self._changed:
            return Counter((each.kind, each.outcome) for each in self.operations)

    def wait_sustained(
        self,
        since: float,
        timeout: float,
        *,
        seconds: float = SUSTAINED,
        tick: Callable[[], None] = lambda: None,
    ) -> bool:
        """Until every kind of operation has succeeded at the front door for so many seconds,
        all of them after `since`. False after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while True:
            tick()
            with self._changed:
                if all(self._sustained(kind, since, seconds) for kind in Kind):
                    return True
                if time.monotonic() > deadline:
                    return False
                self._changed.wait(0.2)

    def _sustained(self, kind: Kind, since: float, seconds: float) -> bool:
        good: deque[Operation] = deque()
        for each in reversed(self.operations):
            if each.ended < since:
                break
            if each.door != FRONT or each.kind is not kind or each.began < since:
                continue
            if not each.ok:
                break
            good.append(each)
        return len(good) > 1 and good[0].ended - good[-1].began >= seconds
