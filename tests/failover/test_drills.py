"""Each drill once, short, as an operator would start it."""

import pytest

from tests.failover.drilling import hold
from tests.stack import Stack

SCENARIOS = (
    "instance-loss",
    "region-loss",
    "redis-primary-loss",
    "redis-flush",
    "dynamodb-loss",
)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_nothing_is_lost(own_stack: Stack, scenario: str) -> None:
    held = hold(own_stack, scenario)

    assert held.code == 0, held.told
    assert (held.report["state"], held.report["misses"]) == ("passed", [])
    assert held.account["problems"] == []
    assert held.account["acknowledged"] > 0
    assert held.account["sessions"] == 5
    assert "s3://anyport-backups-" in held.told
