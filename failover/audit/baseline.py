"""Findings that a project has accepted, each with its reason.

`ANYPORT_AUDIT_BASELINE` names one TOML file or several:

    [[accepted]]
    id = "anyport.E020"
    where = "shop.registry.handlers"
    reason = "Filled by decorators while the apps load; no request writes to it."
"""

import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any, Final

from django.conf import settings

from failover.audit.parts import Part

SETTING: Final = "ANYPORT_AUDIT_BASELINE"


@dataclass(frozen=True)
class Accepted:
    id: str
    where: str
    reason: str
    file: Path

    def covers(self, part: Part) -> bool:
        return (self.id, self.where) == (part.id, part.where)


@dataclass
class Baseline:
    accepted: list[Accepted] = field(default_factory=list)
    problems: list[Part] = field(default_factory=list)
    """Of the files themselves."""

    def remaining(self, parts: Iterable[Part]) -> list[Part]:
        return [part for part in parts if not any(entry.covers(part) for entry in self.accepted)]

    def stale(self, parts: Iterable[Part]) -> Iterator[Part]:
        """Entries that accept what is not there any more, and would hide it when it came back."""
        found = {(part.id, part.where) for part in parts}
        for entry in self.accepted:
            if (entry.id, entry.where) not in found:
                problem = f"{entry.file.name} accepts {entry.id} there, and there is none any more."
                yield Part("anyport.W030", entry.where, problem, "Take the entry out.")


def read_baseline() -> Baseline:
    """What the settings name; empty where they name nothing."""
    named: Any = getattr(settings, SETTING, None) or []
    baseline = Baseline()
    for path in [named] if isinstance(named, str | PathLike) else named:
        _read(Path(path), baseline)
    return baseline


def _read(path: Path, baseline: Baseline) -> None:
    try:
        entries = tomllib.loads(path.read_text()).get("accepted", [])
        found = [Accepted(entry["id"], entry["where"], entry["reason"], path) for entry in entries]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        hint = "Each [[accepted]] has the strings id, where and reason."
        problem = f"{path} cannot be used: {error!r}"
        baseline.problems.append(Part("anyport.E031", SETTING, problem, hint))
        return
    baseline.accepted += found
    baseline.problems += [
        Part(
            "anyport.W032",
            entry.where,
            f"{path.name} accepts {entry.id} there without a reason.",
            "Write down why it does no harm; what does harm, mend.",
        )
        for entry in found
        if not str(entry.reason).strip()
    ]
