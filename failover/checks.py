"""Operators' check of what keeps state in one process: the audit, by subject."""

import multiprocessing
import threading
from collections.abc import Iterator, Sequence
from functools import partial
from multiprocessing.connection import Connection
from typing import Final

from failover.audit.baseline import read_baseline
from failover.audit.code import code
from failover.audit.inventory import SETTINGS, of_settings, problems_of_baseline
from failover.audit.parts import Part
from regions.checkup import (
    Answer,
    Check,
    Finding,
    Probe,
    State,
    conclusion,
    patience,
    probes,
)

_LOST: Final = (
    "What that keeps is lost with the instance, and other regions do not see it: no region could"
    " take over whole."
)
_VERIFIED: Final = {
    "caches": "no cache is in memory, files or the database",
    "sessions": "no session is in files, cookies, the database or a cache alone",
    "files": "no upload stays on a disk",
    "channel-layers": "no channel layer is in memory",
    "celery": "neither beat's schedule, nor broker nor results are on one machine",
    "databases": "no database is SQLite",
    "mail-and-logs": "neither mail nor logs go to files",
}


def _check(subject: str, verifies: str, *, deep: bool = True) -> Check:
    return Check(
        f"audit.{subject}",
        verifies,
        impact=_LOST,
        advice="manage.py audit",
        rank=7,
        deep=deep,
    )


CHECKS: Final = {subject: _check(subject, _VERIFIED[subject]) for subject in SETTINGS}
CODE: Final = _check("code", "no code keeps state at the top of a module", deep=False)
BASELINE: Final = Check(
    "audit.baseline",
    "what is accepted is still there, with its reason",
    impact="None.",
    advice="manage.py audit",
    worst=State.DEGRADED,
    rank=7,
    deep=False,
)


@probes
def audit() -> Iterator[Probe]:
    for subject, check in CHECKS.items():
        yield Probe(check, "settings", partial(_ask_settings, subject))
    reader = _Reader()
    yield Probe(CODE, "code", partial(_answer_of_code, reader), prepare=reader.start)


def _ask_settings(subject: str) -> Answer:
    parts = of_settings(subject)
    return _answer(read_baseline().remaining(parts), parts)


class _Reader:
    """Reads the code in a process of its own: a second of computing would delay every answer."""

    def start(self) -> None:
        context = multiprocessing.get_context("fork")
        self.there, here = context.Pipe(duplex=False)
        # A fork of a process with threads may find a lock that nobody will ever let go.
        alone = threading.active_count() == 1
        start = context.Process if alone else threading.Thread
        start(target=self._read, args=[here], daemon=True).start()

    @staticmethod
    def _read(here: Connection) -> None:
        here.send(list(code()))

    def parts(self) -> list[Part] | None:
        """None when they are not there in time."""
        if not self.there.poll(patience(0.9)):
            return None
        found: list[Part] = self.there.recv()
        return found


def _answer_of_code(reader: _Reader) -> Answer:
    parts = reader.parts()
    if parts is None:  # that is this machine's affair, and nothing a shopper could feel
        return Answer("not read in time; manage.py audit reads it without hurry")
    return _answer(read_baseline().remaining(parts), parts)


def _answer(remaining: list[Part], parts: list[Part]) -> Answer:
    accepted = len(parts) - len(remaining)
    detail = f"none but {accepted} accepted" if accepted else "none"
    return Answer(detail if not remaining else "see below", {"left": remaining, "parts": parts})


@conclusion(*CHECKS.values(), CODE, BASELINE, needs=[*CHECKS.values(), CODE])
def parts(findings: Sequence[Finding]) -> Iterator[Finding]:
    """One finding for each part, which names the setting or the code at fault."""
    asked = [finding for finding in findings if "left" in finding.data]
    for finding in asked:
        for part in finding.data["left"]:
            state = State.FAILING if part.is_error else State.DEGRADED
            yield finding.check.problem(
                part.where, f"{part.id}: {part.problem}", state=state, advice=part.hint
            )
    if len(asked) == len(CHECKS) + 1:  # else nobody knows what is stale
        found = [part for finding in asked for part in finding.data["parts"]]
        problems = problems_of_baseline(read_baseline(), found)
        for part in problems:
            yield BASELINE.problem(part.where, f"{part.id}: {part.problem}", advice=part.hint)
        if not problems:
            yield BASELINE.ok("baseline", f"accepts {len(read_baseline().accepted)}, all there")
