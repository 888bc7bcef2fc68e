"""The registry of operators' checks: apps register in their `checks.py`, `failover` runs them.

It stands here because every app may import regions, and none may import failover.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final


class State(StrEnum):
    OK = "ok"
    DEGRADED = "degraded"
    FAILING = "failing"

    @property
    def severity(self) -> int:
        return list(State).index(self)


@dataclass(frozen=True)
class Check:
    """Something that operators have verified. To make one is to register it."""

    id: str
    """`postgres.role`: stays when words change, for monitors and `--only`."""
    verifies: str
    """What holds when it is ok, in one line."""
    impact: str
    """What it means for shoppers when it is not."""
    advice: str
    """What to type next."""
    worst: State = State.FAILING
    """The most that it can be: DEGRADED for what leaves shoppers served, with less in reserve."""
    rank: int = 5
    """How soon an operator has to know, 0 first: causes before what follows from them."""
    after: tuple[str, ...] = ()
    """Ids of checks whose problems are the cause of this one's: those are told, it is named."""
    deep: bool = True
    """Verified by each region's own processes, too, for `/health/deep`."""
    local: bool = False
    """About a region's own instances: explains nothing of another region's."""

    def __post_init__(self) -> None:
        registered_checks[self.id] = self

    def ok(
        self, where: str, detail: str, *, region: str = "", data: Mapping[str, Any] | None = None
    ) -> "Finding":
        return Finding(self, where, State.OK, detail, region, data=data or {})

    def problem(
        self,
        where: str,
        detail: str,
        *,
        region: str = "",
        state: State = State.FAILING,
        advice: str = "",
        impact: str = "",
    ) -> "Finding":
        """As bad as the check allows, at most."""
        return Finding(
            self,
            where,
            min(state, self.worst, key=lambda state: state.severity),
            detail,
            region,
            impact or self.impact,
            advice or self.advice,
        )


@dataclass(frozen=True)
class Answer:
    """What a healthy part said, in words and for conclusions."""

    detail: str
    data: Mapping[str, Any] = field(default_factory=dict)
    silent: bool = False
    """It is for conclusions alone, which tell what there is to tell."""


class Degraded(Exception):
    """The part answers, but something about it is not as it should be.

    `impact` and `advice` take the place of the probe's.
    """

    def __init__(
        self,
        detail: str,
        data: Mapping[str, Any] | None = None,
        *,
        impact: str = "",
        advice: str = "",
    ) -> None:
        super().__init__(detail)
        self.data = data or {}
        self.impact, self.advice = impact, advice


@dataclass(frozen=True)
class Probe:
    """One question to one part. `ask` runs in a thread of its own and may hang.

    It returns an Answer, raises Degraded, or fails with any other exception. `impact` and
    `advice` take the place of the check's.
    """

    check: Check
    where: str
    ask: Callable[[], Answer]
    region: str = ""
    """The region that it belongs to; none for what all of them share."""
    impact: str = ""
    advice: str = ""
    deep: bool = True
    """The same as the check's, for this one question."""


@dataclass(frozen=True)
class Finding:
    check: Check
    where: str
    state: State
    detail: str
    region: str = ""
    impact: str = ""
    advice: str = ""
    seconds: float = 0.0
    data: Mapping[str, Any] = field(default_factory=dict)
    silent: bool = False
    """Not told, but concluded from."""


type Probes = Callable[[], Iterable[Probe]]
type Conclude = Callable[[Sequence[Finding]], Iterable[Finding]]
type Fact = Callable[[], Any]


@dataclass(frozen=True)
class Conclusion:
    gives: tuple[Check, ...]
    needs: tuple[Check, ...]
    conclude: Conclude


LIMIT: Final = 2.0
"""Seconds that a probe may take, unless whoever runs it gives it others."""
time_limit: ContextVar[float] = ContextVar("time_limit", default=LIMIT)


def patience(share: float) -> float:
    """Seconds that a probe may wait for one thing: a share of its limit."""
    return time_limit.get() * share


registered_checks: dict[str, Check] = {}
registered_probes: list[Probes] = []
registered_conclusions: list[Conclusion] = []
registered_facts: dict[str, Fact] = {}


def probes(function: Probes) -> Probes:
    """Register a function that yields probes. It must not itself wait for anything."""
    registered_probes.append(function)
    return function


def conclusion(*gives: Check, needs: Sequence[Check]) -> Callable[[Conclude], Conclude]:
    """Register a function that adds what only all findings of `needs` together tell."""

    def register(function: Conclude) -> Conclude:
        registered_conclusions.append(Conclusion(gives, tuple(needs), function))
        return function

    return register


def fact(name: str) -> Callable[[Fact], Fact]:
    """Register what each process tells of itself in `/health/deep`, for others to compare.

    JSON; no secret, nothing slow, and nothing over the network.
    """

    def register(function: Fact) -> Fact:
        registered_facts[name] = function
        return function

    return register


def findings_of(check: Check, findings: Iterable[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.check is check]
