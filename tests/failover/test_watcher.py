"""A watcher that reaches neither a writer nor DynamoDB keeps still, and says why."""

import logging
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from failover.promotion.record import Record, now
from failover.promotion.steps import STEPS
from failover.watching import leadership, probe
from failover.watching.leadership import Leadership
from failover.watching.verdict import Policy, View, judge
from failover.watching.watcher import Watcher, since_promoted
from regions.embedded.provider import EmbeddedProvider
from storage.clients import dynamodb
from tests.stack import wait_until


def test_without_dynamodb_nothing_is_decided(
    settings: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    nowhere = {"host": "127.0.0.1", "port": 1, "connect_timeout": 2}
    monkeypatch.setattr(probe, "_parameters", lambda: nowhere)
    settings.DYNAMODB_ENDPOINT_URL = "http://127.0.0.1:1"
    dynamodb.cache_clear()
    try:
        watcher = Watcher("tokyo", EmbeddedProvider(), Policy(majority=1, after=0.0, calm=0.0))
        with caplog.at_level(logging.INFO, "failover.watch"):
            for _ in range(3):
                watcher.look()
    finally:
        dynamodb.cache_clear()

    assert watcher._probe.failures == 3
    assert [record.message for record in caplog.records if record.name == "failover.watch"] == [
        "watch: DynamoDB does not answer, so nothing is decided: ControlUnreachable"
    ]


def test_one_leads_until_it_resigns_or_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leadership, "DURATION", 5.0)
    monkeypatch.setattr(leadership, "LEASE", f"test|{uuid4()}")
    first, second = Leadership("taiwan"), Leadership("tokyo")

    both = first.renew(), second.renew(), first.renew()
    first.resign()
    resigned = second.renew(), first.renew()
    wait_until(first.renew, 60, "the second is silent for a whole lease")

    assert (both, resigned) == ((True, False, True), (True, False))
    assert not second.renew()


def test_a_refusal_half_way_keeps_no_watch_from_trying_again() -> None:
    """The control: where one was promoted, and nobody can write to it, an operator has to look."""
    refused = Record("taiwan", None, planned=False, by="watch", done=["fence"])
    refused.finished = refused.started
    helpless = replace(refused, done=[step.name for step in STEPS])
    views = {
        name: View(name, now(), False, None, missing_for=60, failures=9)
        for name in ("taiwan", "tokyo", "singapore")
    }

    tried = judge(views, Policy(2), since_promoted(refused))
    after_promotion = judge(views, Policy(2, calm=0), since_promoted(helpless))

    assert tried.promote
    assert not after_promotion.promote
    assert "an operator has to look" in after_promotion.why
