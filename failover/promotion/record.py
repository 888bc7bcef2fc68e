"""How far a promotion got: the control document `promotion`, written before and after each step.

Each write names the version it was made from, so a runner that was overtaken finds out at the
latest at its next write, and stops.
"""

import time
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Self
from uuid import uuid4

from regions.servers import Fence, Overtaken
from storage import control

PROMOTION: Final = "promotion"
WRITER: Final = "writer"
_RETRY: Final = (0.2, 0.5, 1.0, 2.0)
"""Seconds between tries while DynamoDB does not answer."""


@dataclass
class Record:
    old: str | None
    """The region of the writer before; None when nobody was."""
    wanted: str | None
    """The region asked for; None for whichever is furthest."""
    planned: bool
    """The old writer answers: nothing may be lost, whatever is allowed."""
    by: str
    allow_data_loss: bool = False
    redis: bool = True
    """Whether Redis's primary moves, too."""
    id: str = field(default_factory=lambda: str(uuid4()))
    target: str = ""
    """The region chosen."""
    step: str = ""
    """What is being done; empty when nothing is left."""
    done: list[str] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)
    """What each step found, for people."""
    detached: list[str] = field(default_factory=list)
    stopped: bool = False
    end: int | None = None
    """Of the old writer's log, in bytes, when it stopped in good order."""
    attempt: int = 0
    generation: int = 0
    started: str = field(default_factory=lambda: now())
    finished: str = ""
    problem: str = ""

    @property
    def fence(self) -> Fence:
        return Fence(self.stopped, self.end)

    @property
    def underway(self) -> bool:
        return not self.finished

    @property
    def begun(self) -> bool:
        """The server in `target` was told to take writes, or may have been."""
        return self.step == "promote" or "promote" in self.done

    def data(self) -> dict[str, Any]:
        data = asdict(self)
        return {"from": data.pop("old")} | data

    @classmethod
    def of(cls, data: dict[str, Any]) -> Self:
        known = {name: data[name] for name in cls.__dataclass_fields__ if name in data}
        return cls(**known | {"old": data["from"]})


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


@dataclass
class Ledger:
    """The record and where it is kept."""

    record: Record
    document: control.Document

    @classmethod
    def read(cls) -> Self | None:
        """The running or last promotion. Raises ControlUnreachable."""
        document = control.read(PROMOTION)
        return cls(Record.of(dict(document.data)), document) if document.version else None

    def save(self) -> None:
        """Raises Overtaken, and ControlUnreachable when DynamoDB stays away for 4 seconds."""
        data = self.record.data()
        for pause in (*_RETRY, None):
            try:
                self.document = control.write(self.document, data)
            except control.Conflict:
                self._must_be_mine(data)
            except control.ControlUnreachable:
                if pause is None:
                    raise
                time.sleep(pause)
                continue
            return

    def _must_be_mine(self, data: dict[str, Any]) -> None:
        """A write before, of which nobody knew whether it arrived, may be what stands."""
        standing = control.read(PROMOTION)
        if dict(standing.data) != data:
            raise Overtaken("somebody else has taken this promotion up")
        self.document = standing


def writer() -> dict[str, Any]:
    """The control document `writer`; empty before the first promotion."""
    return dict(control.read(WRITER).data)
