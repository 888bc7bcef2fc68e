"""Checks of who would take over: watchers that fell silent, a pause, a promotion half done."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from failover.overview.control import ask_documents
from failover.services import all_checks, check_everything
from regions.checkup import Finding, State
from regions.embedded.plan import REPOSITORY
from storage import control
from storage.clients import dynamodb
from storage.tables import control_table

REGIONS = ("taiwan", "tokyo", "singapore")


@pytest.fixture(autouse=True)
def documents() -> Iterator[None]:
    yield
    for name in ("watch", "promotion", *(f"view|{region}" for region in REGIONS)):
        dynamodb().delete_item(TableName=control_table(), Key={"name": {"S": name}})


def ask(id: str) -> Finding:
    (finding,) = check_everything(only=[id], limit=10)
    return finding


def tell(region: str, *, seconds_ago: float = 0) -> None:
    at = datetime.now(UTC) - timedelta(seconds=seconds_ago)
    control.change(f"view|{region}", lambda _: {"region": region, "at": at.isoformat()})


def test_a_watcher_that_fell_silent_is_named() -> None:
    before = ask("watch.views")
    for region in REGIONS:
        tell(region)
    watched = ask("watch.views")
    tell("tokyo", seconds_ago=60)
    silent = ask("watch.views")

    assert (before.state, before.detail[:19]) == (State.OK, "nobody watches here")
    assert (watched.state, silent.state) == (State.OK, State.DEGRADED)
    assert silent.detail == "nothing for more than 20 s from tokyo"


def test_one_that_never_watched_beside_others_is_named() -> None:
    tell("taiwan")

    assert ask("watch.views").detail == "nothing for more than 20 s from tokyo, singapore"


def test_what_keeps_state_in_one_process_is_named_with_its_setting(settings: Any) -> None:
    here = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    settings.CACHES = settings.CACHES | {"near": here}

    found = check_everything(only=["audit.caches"])

    assert [(each.state, each.where) for each in found] == [(State.FAILING, "CACHES['near']")]
    assert found[0].detail.startswith("anyport.E001: ")


def test_a_pause_is_told_with_who_and_why() -> None:
    before = ask("watch.paused")
    control.change("watch", lambda _: {"paused": True, "by": "ken", "why": "moving racks"})

    paused = ask("watch.paused")

    assert (before.state, paused.state) == (State.OK, State.DEGRADED)
    assert paused.detail == "paused by ken: moving racks"
    assert paused.advice == "manage.py failover watch --resume"


def test_a_promotion_half_done_is_told_with_what_to_type() -> None:
    control.change("promotion", lambda _: {"target": "tokyo", "step": "attach", "finished": "now"})
    before = ask("promotion.open")
    control.change("promotion", lambda _: {"target": "tokyo", "step": "attach", "problem": "alas"})

    half = ask("promotion.open")

    assert (before.state, half.state) == (State.OK, State.DEGRADED)
    assert half.detail == "of tokyo, at attach: alas"
    assert half.advice == "If it does not go on by itself: manage.py failover promote tokyo"


def test_status_minds_no_item_that_a_check_puts_beside_the_documents() -> None:
    key = {"name": {"S": "check|here for a moment"}}
    dynamodb().put_item(TableName=control_table(), Item=key | {"expires_at": {"N": "1"}})
    try:
        assert key["name"]["S"] not in ask_documents()
    finally:
        dynamodb().delete_item(TableName=control_table(), Key=key)


def test_the_runbook_knows_every_check() -> None:
    runbook = Path(REPOSITORY, "docs", "operations.md").read_text()

    missing = [id for id in all_checks() if f"`{id}" not in runbook and not id.startswith("audit.")]

    assert missing == []
    assert "`audit.*`" in runbook
