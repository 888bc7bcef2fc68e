"""A watcher that reaches neither a writer nor DynamoDB keeps still, and says why."""

import logging
from typing import Any

import pytest

from failover.watching import probe
from failover.watching.verdict import Policy
from failover.watching.watcher import Watcher
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
