"""The registry of operators' checks: apps register in their `checks.py`, `failover` runs them.

It stands here because every app may import regions, and none may import failover.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class State(StrEnum):
    OK = "ok"
    DEGRADED = "degraded"
    FAILING = "failing"


@dataclass(frozen=True)
class Answer:
    """What a healthy part said, in words and for conclusions."""

    detail: str
    data: Mapping[str, Any] = field(default_factory=dict)


class Degraded(Exception):
    """The part answers, but something about it is not as it should be."""


@dataclass(frozen=True)
class Probe:
    """One question to one part. `ask` runs in a thread of its own and may hang.

    It returns an Answer, raises Degraded, or fails with any other exception. `impact` and
    `advice` are shown when it does: what it means for shoppers, and what to type next.
    """

    check: str
    where: str
    ask: Callable[[], Answer]
    impact: str
    advice: str


@dataclass(frozen=True)
class Finding:
    check: str
    where: str
    state: State
    detail: str
    impact: str = ""
    advice: str = ""
    seconds: float = 0.0
    data: Mapping[str, Any] = field(default_factory=dict)


type Probes = Callable[[], Iterable[Probe]]
type Conclusion = Callable[[Sequence[Finding]], Iterable[Finding]]

registered_probes: list[Probes] = []
registered_conclusions: list[Conclusion] = []


def probes(function: Probes) -> Probes:
    """Register a function that yields probes. It must not itself wait for anything."""
    registered_probes.append(function)
    return function


def conclusion(function: Conclusion) -> Conclusion:
    """Register a function that adds to the findings what only all of them together tell."""
    registered_conclusions.append(function)
    return function
