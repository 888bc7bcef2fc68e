"""Runs every app's checks, all at once, each for two seconds at most."""

import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from django.utils.module_loading import autodiscover_modules

from regions.checkup import (
    LIMIT,
    Check,
    Degraded,
    Finding,
    Probe,
    State,
    registered_checks,
    registered_conclusions,
    registered_probes,
    time_limit,
)


@dataclass
class Running:
    """A probe in a daemon thread: one that hangs is left behind and ends with the process."""

    probe: Probe
    limit: float = LIMIT
    began: float = field(default_factory=time.monotonic)
    finding: Finding | None = None

    def __post_init__(self) -> None:
        self.thread = threading.Thread(
            target=self._ask, name=f"check {self.probe.check.id}", daemon=True
        )
        self.thread.start()

    def _ask(self) -> None:
        time_limit.set(self.limit)
        try:
            answer = self.probe.ask()
        except Degraded as problem:
            found = self._problem(State.DEGRADED, str(problem))
            self.finding = replace(
                found,
                data=problem.data,
                impact=problem.impact or found.impact,
                advice=problem.advice or found.advice,
            )
        except Exception as error:  # whatever a store's client raises is the finding
            self.finding = self._problem(State.FAILING, describe(error))
        else:
            found = self.probe.check.ok(
                self.probe.where, answer.detail, region=self.probe.region, data=answer.data
            )
            seconds = time.monotonic() - self.began
            self.finding = replace(found, seconds=seconds, silent=answer.silent)

    def _problem(self, state: State, detail: str) -> Finding:
        probe, seconds = self.probe, time.monotonic() - self.began
        found = probe.check.problem(
            probe.where,
            detail,
            region=probe.region,
            state=state,
            advice=probe.advice,
            impact=probe.impact,
        )
        return replace(found, seconds=seconds)

    def result(self) -> Finding:
        self.thread.join(max(0.0, self.began + self.limit - time.monotonic()))
        return self.finding or self._problem(State.FAILING, f"no answer within {self.limit:g} s")


def describe(error: Exception) -> str:
    """One line of what went wrong, without what clients say of themselves."""
    lines = str(error).strip().splitlines()
    if not lines:
        return {"TimeoutError": "no answer in time"}.get(type(error).__name__, type(error).__name__)
    words = lines[0].partition(" : <")[0]  # redis-py shows its pool there
    return words.rpartition(" failed: ")[2][:200]  # libpq says the address twice before


def all_checks() -> dict[str, Check]:
    """By id, in order of the ids."""
    autodiscover_modules("checks")
    return dict(sorted(registered_checks.items()))


def check_everything(
    *, only: Iterable[str] | None = None, deep: bool = False, limit: float = LIMIT
) -> list[Finding]:
    """What every check found. Bounded, whatever hangs.

    `only`: ids; what these are concluded from is asked as well, and not told. `deep`: as a region's
    own process for its `/health/deep`, without the checks that ask other regions' processes.
    """
    known = all_checks()
    wanted = set(known if only is None else only)
    if deep:
        wanted = {id for id in wanted if known[id].deep}
    needed = _needed(wanted)
    # All of them first, and then their threads: to make a probe may mean to import something.
    probes = [
        probe
        for make in registered_probes
        for probe in make()
        if probe.check.id in needed and (not deep or (probe.deep and probe.check.deep))
    ]
    running = [Running(probe, limit) for probe in probes]
    findings = [one.result() for one in running]
    for conclusion in registered_conclusions:
        if not needed.isdisjoint(check.id for check in conclusion.gives):
            findings.extend(conclusion.conclude(tuple(findings)))
    return [each for each in findings if each.check.id in wanted and not each.silent]


def _needed(wanted: set[str]) -> set[str]:
    """These, and what they are concluded from."""
    needed = set(wanted)
    while True:
        more = {
            check.id
            for conclusion in registered_conclusions
            if not needed.isdisjoint(check.id for check in conclusion.gives)
            for check in conclusion.needs
        }
        if more <= needed:
            return needed
        needed |= more


def overall(findings: Sequence[Finding]) -> State:
    """The worst of them; ok when there are none."""
    states = [finding.state for finding in findings]
    return max(states, key=lambda state: state.severity, default=State.OK)
