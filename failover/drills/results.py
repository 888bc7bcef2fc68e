"""What a drill found, and whether that is good enough."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from math import ceil
from typing import Any

from failover.drills.account import Account
from failover.drills.operations import COLUMNS, FRONT, PATIENCE, SUSTAINED, Kind, Operation, Outcome
from failover.drills.outages import Outage


class State(StrEnum):
    PASSED = "passed"
    MISSED = "missed"
    """A target was missed."""
    BROKEN = "broken"
    """The drill itself could not be carried out: nothing is known."""
    NOT_RUN = "not run"
    """Something that it needs is not here."""


@dataclass(frozen=True)
class Mark:
    """A moment of the timeline."""

    at: float
    text: str


@dataclass
class Result:
    scenario: str
    id: str
    started: datetime
    """In UTC."""
    state: State
    shoppers: int = 0
    busy: bool = False
    """Shoppers were more patient, and seconds did not count: see `--busy`."""
    targets: Mapping[Kind, float] = field(default_factory=dict)
    told: str = ""
    """What was broken; or why the drill was not run, or could not be."""
    marks: list[Mark] = field(default_factory=list)
    outages: dict[str, dict[Kind, list[Outage]]] = field(default_factory=dict)
    """By door: the front door, and every region."""
    account: Account = field(default_factory=Account)
    operations: list[Operation] = field(default_factory=list)
    share_of_a_core: float = 0
    split_brain: list[str] = field(default_factory=list)
    misses: list[str] = field(default_factory=list)
    """Which target was missed, and by how much."""
    began: float = 0
    ended: float = 0

    def seconds(self, kind: Kind, door: str = FRONT) -> float:
        """For how long it was unavailable."""
        return sum(outage.seconds for outage in self.outages.get(door, {}).get(kind, ()))

    @property
    def ran(self) -> bool:
        return self.state in {State.PASSED, State.MISSED}

    def count(self, outcome: Outcome) -> int:
        return sum(each.outcome is outcome for each in self.operations)

    def judge(self) -> None:
        """Set `misses` and `state`."""
        late = () if self.busy else self._delays()
        self.misses = [*self._losses(), *late, *self._ends(), *self.split_brain]
        self.state = State.MISSED if self.misses else State.PASSED

    def _losses(self) -> Iterable[str]:
        account = self.account
        counted = (
            (account.lost, "acknowledged orders lost"),
            (account.duplicates, "duplicate orders"),
            (account.oversold, "units oversold"),
            (account.sessions_lost, "sessions lost"),
            (account.replays_differ, "orders answered otherwise when sent again"),
        )
        yield from (f"{count} {what}, target 0" for count, what in counted if count)
        if not account.acknowledged:
            yield "no order was acknowledged: the drill proves nothing"

    def _delays(self) -> Iterable[str]:
        for kind, target in self.targets.items():
            seconds = self.seconds(kind)
            if seconds > target:
                over = f"{seconds - target:.2f} s too long"
                yield f"{kind} unavailable for {seconds:.2f} s, target {target:g} s: {over}"

    def _ends(self) -> Iterable[str]:
        for kind, outages in self.outages.get(FRONT, {}).items():
            if any(not outage.over for outage in outages):
                yield f"{kind} did not come back"

    def as_json(self, *, every_operation: bool = False) -> dict[str, Any]:
        found: dict[str, Any] = {
            "id": self.id,
            "scenario": self.scenario,
            "started": self.started.isoformat(timespec="seconds"),
            "state": self.state,
            "passed": self.state is State.PASSED,
            "misses": self.misses,
            "told": self.told,
            "shoppers": self.shoppers,
            "busy": self.busy,
            "targets": dict(self.targets),
            "unavailable_seconds": {
                door: {kind: round(self.seconds(kind, door), 3) for kind in Kind}
                for door in self.outages
            },
            "account": vars(self.account),
            "operations": {outcome: self.count(outcome) for outcome in Outcome},
            "seconds": round(self.ended - self.began, 3),
            "load_share_of_a_core": round(self.share_of_a_core, 3),
            "marks": [{"at": round(m.at - self.began, 3), "text": m.text} for m in self.marks],
        }
        if every_operation:
            found["patience_seconds"] = PATIENCE
            found["sustained_seconds"] = SUSTAINED
            found["columns"] = COLUMNS
            found["log"] = [each.as_row(self.began) for each in self.operations]
        return found


def percentile(values: Sequence[float], share: float) -> float:
    """By the nearest rank: a value that was measured, of any number of them."""
    ordered = sorted(values)
    return ordered[max(0, ceil(share * len(ordered)) - 1)]


def by_scenario(results: Iterable[Result]) -> dict[str, list[Result]]:
    found: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        found[result.scenario].append(result)
    return dict(found)


@dataclass(frozen=True)
class Summary:
    """Of all repeats of a scenario."""

    scenario: str
    results: list[Result]

    @property
    def ran(self) -> list[Result]:
        return [result for result in self.results if result.ran]

    def count(self, state: State) -> int:
        return sum(result.state is state for result in self.results)

    def spread(self, kind: Kind) -> tuple[float, float, float] | None:
        """p50, p95 and the longest of the unavailable seconds; None where none was measured."""
        values = [result.seconds(kind) for result in self.ran]
        if not values:
            return None
        return percentile(values, 0.5), percentile(values, 0.95), max(values)

    def total(self, name: str) -> int:
        """Of a number of the accounts: `lost`, `acknowledged`, …"""
        return sum(getattr(result.account, name) for result in self.ran)

    @property
    def targets(self) -> Mapping[Kind, float]:
        return next((result.targets for result in self.results), {})


def summarise(results: Iterable[Result]) -> list[Summary]:
    return [Summary(name, found) for name, found in by_scenario(results).items()]
