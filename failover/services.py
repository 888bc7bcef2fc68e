"""Runs every app's checks, all at once, each for two seconds at most."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from django.utils.module_loading import autodiscover_modules

from regions.checkup import (
    Degraded,
    Finding,
    Probe,
    State,
    registered_conclusions,
    registered_probes,
)

LIMIT: Final = 2.0
"""Seconds a probe may take."""


@dataclass
class Running:
    """A probe in a daemon thread: one that hangs is left behind and ends with the process."""

    probe: Probe
    began: float = field(default_factory=time.monotonic)
    finding: Finding | None = None

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self._ask, daemon=True)
        self.thread.start()

    def _ask(self) -> None:
        try:
            answer = self.probe.ask()
        except Degraded as problem:
            self.finding = self._finding(State.DEGRADED, str(problem))
        except Exception as error:  # whatever a store's client raises is the finding
            self.finding = self._finding(State.FAILING, describe(error))
        else:
            self.finding = Finding(
                self.probe.check,
                self.probe.where,
                State.OK,
                answer.detail,
                seconds=time.monotonic() - self.began,
                data=answer.data,
            )

    def _finding(self, state: State, detail: str) -> Finding:
        probe, seconds = self.probe, time.monotonic() - self.began
        return Finding(probe.check, probe.where, state, detail, probe.impact, probe.advice, seconds)

    def result(self) -> Finding:
        self.thread.join(max(0.0, self.began + LIMIT - time.monotonic()))
        return self.finding or self._finding(State.FAILING, f"no answer within {LIMIT:.0f} s")


def describe(error: Exception) -> str:
    """One line of what went wrong."""
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__


def check_everything() -> list[Finding]:
    """What every check found, in the order of registration. Bounded, whatever hangs."""
    autodiscover_modules("checks")
    findings = [running.result() for running in list(_start_all())]
    for conclude in registered_conclusions:
        findings.extend(conclude(findings))
    return findings


def _start_all() -> Iterator[Running]:
    for probes in registered_probes:
        for probe in probes():
            yield Running(probe)


def overall(findings: list[Finding]) -> State:
    """The worst of them."""
    states = {finding.state for finding in findings}
    return next(state for state in (State.FAILING, State.DEGRADED, State.OK) if state in states)
