"""Drills: a fault for real, under load, and the account of it.

Each module in `scenarios` is one, by its own name with hyphens. A module holds `scenario`. To add
one, add a file; nothing else lists them.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from pkgutil import iter_modules

from failover.drills import scenarios
from failover.drills.faults import Faults
from failover.drills.operations import Kind


def _nothing(faults: Faults) -> None:
    return None


@dataclass(frozen=True)
class Wound:
    """What was broken, and how it is made good."""

    told: str
    """For the report: `tokyo was killed: web, ws, …`."""
    heal: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Scenario:
    help: str
    """One line, for the list of scenarios."""
    strike: Callable[[Faults], Wound]
    """Breaks it, and returns when it is broken. Raises faults.FaultFailed."""
    targets: dict[Kind, float] = field(default_factory=dict)
    """Seconds that shoppers may be without it, through the front door. Of a kind that is not named
    the report tells, and asks nothing. That nothing is lost is asked of every scenario."""
    lasts: float = 3.0
    """Seconds at least between the fault and its healing."""
    needs: Callable[[Faults], str | None] = _nothing
    """Why it cannot be run here, if it cannot."""


def all_scenarios() -> dict[str, Scenario]:
    """By name, in alphabetical order."""
    names = sorted(module.name for module in iter_modules(scenarios.__path__))
    return {
        name.replace("_", "-"): import_module(f"{scenarios.__name__}.{name}").scenario
        for name in names
    }
