"""Whether a writer that is lost would be replaced by itself: watchers, their pause, a promotion."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from django.conf import settings

from failover.promotion.record import PROMOTION
from failover.watching.views import WATCH, view_name
from regions.checks.postgres import ROLE
from regions.checkup import (
    Answer,
    Check,
    Degraded,
    Finding,
    Probe,
    State,
    conclusion,
    findings_of,
    probes,
)
from regions.regions import all_regions
from storage import control
from storage.tables import control_table

_BY_HAND: Final = "None now. A writer that is lost would have to be promoted by hand."
VIEWS: Final = Check(
    "watch.views",
    "every region's watcher says what it sees",
    impact=_BY_HAND,
    advice="Start manage.py failover watch in that region again; its log says why it ended.",
    worst=State.DEGRADED,
    rank=6,
    after=("dynamodb.write", "region.serving"),
    deep=False,
)
PAUSED: Final = Check(
    "watch.paused",
    "the watch is not paused",
    impact=_BY_HAND,
    advice="manage.py failover watch --resume",
    worst=State.DEGRADED,
    rank=6,
    after=("dynamodb.write",),
    deep=False,
)
OPEN: Final = Check(
    "promotion.open",
    "no promotion is half done",
    impact="Orders may wait until it is done.",
    advice="If it does not go on by itself: manage.py failover promote REGION",
    worst=State.DEGRADED,
    rank=1,
    after=("dynamodb.write",),
    deep=False,
)
APART: Final = Check(
    "promotion.apart",
    "the writer is not in the region where promotions are agreed on (COORDINATION_REGION)",
    impact="None yet. Were that region lost whole, its writer could be replaced by hand only.",
    advice="manage.py failover promote REGION, with the name of another region.",
    worst=State.DEGRADED,
    rank=7,
    after=("postgres.writer",),
    deep=False,
)
STALE: Final = 20.0
"""Seconds, by the clocks of two machines: a watcher says every five what it sees."""


@probes
def documents() -> Iterator[Probe]:
    for check, ask in ((VIEWS, _ask_views), (PAUSED, _ask_paused), (OPEN, _ask_promotion)):
        yield Probe(check, control_table(), ask)


@conclusion(APART, needs=[ROLE])
def apart(findings: Sequence[Finding]) -> Iterator[Finding]:
    here = settings.COORDINATION_REGION
    found = [each for each in findings_of(ROLE, findings) if each.data.get("writer")]
    if settings.DYNAMODB_ENDPOINT_URL:
        yield APART.ok("DynamoDB", "where its one endpoint is")
    elif any(each.region == here for each in found):
        yield APART.problem("DynamoDB", f"both are in {here}", region=here)
    elif any(each.region for each in found):
        yield APART.ok("DynamoDB", f"in {here}")


def _ask_views() -> Answer:
    """Where nobody ever watched, nobody is missed: a managed database has watchers of its own."""
    names = {region.name: view_name(region.name) for region in all_regions()}
    found = control.read_all(names.values())
    told = {region: found[name].data["at"] for region, name in names.items() if found[name].version}
    if not told:
        return Answer("nobody watches here: a writer that is lost is promoted by hand")
    silent = [region for region in names if region not in told or _is_stale(told[region])]
    if silent:
        raise Degraded(f"nothing for more than {STALE:.0f} s from {', '.join(silent)}")
    return Answer(f"of {', '.join(told)}")


def _is_stale(at: str) -> bool:
    return (datetime.now(UTC) - datetime.fromisoformat(at)).total_seconds() > STALE


def _ask_paused() -> Answer:
    told = control.read(WATCH).data
    if told.get("paused"):
        raise Degraded(f"paused by {told.get('by') or '?'}: {told.get('why') or '–'}")
    return Answer("not paused")


def _ask_promotion() -> Answer:
    told = control.read(PROMOTION).data
    if told and not told.get("finished"):
        target = str(told.get("target") or told.get("wanted") or "")
        problem = f": {told['problem']}" if told.get("problem") else ""
        raise Degraded(
            f"of {target or 'the furthest standby'}, at {told.get('step') or '?'}{problem}",
            advice=f"If it does not go on by itself: manage.py failover promote {target}".strip(),
        )
    return Answer("none is under way")
