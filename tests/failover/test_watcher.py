"""A watcher that reaches neither a writer nor DynamoDB keeps still, and says why."""

import logging
from dataclasses import replace
from typing import Any

import pytest

from failover.promotion.record import Record, now
from failover.promotion.steps import STEPS
from failover.watching import probe
from failover.watching.verdict import Policy, View, judge
from failover.watching.watcher import Watcher, since_promoted
from regions.embedded.provider import EmbeddedProvider
from storage.clients import dynamodb


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
