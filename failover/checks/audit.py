"""Operators' check of what keeps state in one process: the audit of the settings, by subject.

Code changes with a deployment only, and is audited before it, by `manage.py check`.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

from failover.audit.baseline import read_baseline
from failover.audit.inventory import SETTINGS, of_settings
from failover.audit.parts import Part
from regions.checkup import (
    Answer,
    Check,
    Finding,
    Probe,
    State,
    conclusion,
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


def _check(subject: str, verifies: str) -> Check:
    return Check(f"audit.{subject}", verifies, impact=_LOST, advice="manage.py audit", rank=7)


CHECKS: Final = {subject: _check(subject, _VERIFIED[subject]) for subject in SETTINGS}


@probes
def audit() -> Iterator[Probe]:
    for subject, check in CHECKS.items():
        yield Probe(check, "settings", partial(_ask_settings, subject))


def _ask_settings(subject: str) -> Answer:
    parts = of_settings(subject)
    return _answer(read_baseline().remaining(parts), parts)


def _answer(remaining: list[Part], parts: list[Part]) -> Answer:
    accepted = len(parts) - len(remaining)
    detail = f"none but {accepted} accepted" if accepted else "none"
    return Answer(detail, {"left": remaining}, silent=bool(remaining))


@conclusion(*CHECKS.values(), needs=[*CHECKS.values()])
def parts(findings: Sequence[Finding]) -> Iterator[Finding]:
    """One finding for each part, which names the setting at fault."""
    for finding in (finding for finding in findings if "left" in finding.data):
        for part in finding.data["left"]:
            state = State.FAILING if part.is_error else State.DEGRADED
            yield finding.check.problem(
                part.where, f"{part.id}: {part.problem}", state=state, advice=part.hint
            )
