"""What an overview holds. Plain values: it is shown in a terminal, in the admin and as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from regions.checkup import State


@dataclass(frozen=True)
class Sample:
    """What a region's web process had counted when it was asked."""

    at: float
    """Seconds since the epoch, by the clock of whoever asked."""
    born: float
    """When that process started (seconds since the epoch): another one counts from 0."""
    answered: int
    errors: int
    """Answers 5xx."""


@dataclass(frozen=True)
class Rate:
    """Per second, between two samples of one process."""

    requests: float
    errors: float


@dataclass(frozen=True)
class Drain:
    """Taken out by an operator."""

    since: datetime | None
    by: str
    why: str


@dataclass(frozen=True)
class Web:
    """What the region's own web process says, asked past the front door."""

    problem: str = ""
    """Why there was no answer; else empty."""
    ready: bool = False
    reason: str = ""
    """Why it wants no requests."""
    version: str = ""
    sample: Sample | None = None
    rate: Rate | None = None
    """None until there are two samples of one process."""
    sockets: int | None = None
    """Open WebSockets; None where nobody can be asked."""


@dataclass(frozen=True)
class Database:
    """The region's PostgreSQL server."""

    problem: str = ""
    writer: bool = False
    timeline: int = 0
    """Which history it has: grows with each promotion."""
    position: int = 0
    """Bytes of the log that it has written, or applied as a standby."""
    receives: bool = False
    """A standby's: whether it is connected to a server that sends."""
    lag_bytes: int | None = None
    """Behind the writer; None for the writer, and where there is none to compare with."""
    lag_seconds: float | None = None
    """0 when all that was received is applied, else the age of the last commit that is."""


@dataclass(frozen=True)
class Redis:
    """The region's Redis node."""

    problem: str = ""
    primary: bool = False
    position: int = 0
    """Bytes of the replication stream that it has sent, or applied as a replica."""
    receives: bool = False
    """A replica's: whether its link to the primary is up."""
    lag_bytes: int | None = None
    heard: int | None = None
    """A replica's: seconds since it last heard from its primary."""


@dataclass(frozen=True)
class RegionView:
    name: str
    title: str
    aws_region: str
    web: Web
    database: Database | None
    """None where settings name no server of this region."""
    redis: Redis | None
    drain: Drain | None = None

    @property
    def state(self) -> State:
        """Whether it serves shoppers: its stores are told of by themselves."""
        if self.web.problem:
            return State.FAILING
        return State.OK if self.web.ready and not self.drain else State.DEGRADED


@dataclass(frozen=True)
class Lease:
    name: str
    owner: str
    attempt: int
    """The fencing token."""
    duration: float
    """Seconds that it holds unless it is renewed."""
    age: float
    """Seconds since it was last renewed, by the two clocks of its owner and of whoever asked."""
    released: bool

    @property
    def is_silent(self) -> bool:
        """Held, and not renewed for so long that others may take it."""
        return not self.released and self.age > self.duration


@dataclass(frozen=True)
class Control:
    """What the regions agreed on, from DynamoDB."""

    problem: str = ""
    documents: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By name, as they stand in the table; see storage.control."""
    leases: Sequence[Lease] = ()


@dataclass(frozen=True)
class Note:
    """What needs attention."""

    state: State
    what: str
    advice: str
    """What to type or to do next."""

    @property
    def is_command(self) -> bool:
        return self.advice.startswith("manage.py ")


@dataclass(frozen=True)
class Overview:
    at: datetime
    regions: Sequence[RegionView]
    control: Control
    sessions: int | None
    """Live sessions of all regions; None when Redis did not say."""
    notes: Sequence[Note] = ()

    @property
    def state(self) -> State:
        """The worst of what needs attention."""
        found = {note.state for note in self.notes}
        order = (State.FAILING, State.DEGRADED)
        return next((state for state in order if state in found), State.OK)

    @property
    def writers(self) -> list[RegionView]:
        """Those whose server accepts writes: one, if all is well."""
        return [one for one in self.regions if one.database and one.database.writer]

    @property
    def samples(self) -> dict[str, Sample]:
        """To be given to the next `take`, which tells requests a second by them."""
        return {one.name: one.web.sample for one in self.regions if one.web.sample}

    def document(self, name: str) -> Mapping[str, Any]:
        """Empty when it was never written, or DynamoDB did not answer."""
        return self.control.documents.get(name, {})
