"""`failover promote` where it changes nothing."""

from typing import Any

import pytest
from django.core.management import CommandError, call_command

from storage import control
from storage.clients import dynamodb
from storage.tables import control_table


@pytest.mark.parametrize("how", [["--dry-run"], []], ids=["foreseen", "for real"])
def test_without_dynamodb_nothing_is_done_and_that_is_said(settings: Any, how: list[str]) -> None:
    settings.DYNAMODB_ENDPOINT_URL = "http://127.0.0.1:1"
    dynamodb.cache_clear()
    try:
        with pytest.raises(CommandError, match="Nothing was done") as refused:
            call_command("failover", "promote", "tokyo", *how)
    finally:
        dynamodb.cache_clear()

    assert refused.value.returncode == 1


def test_a_region_that_is_none_is_refused_before_anything_is_written_down() -> None:
    """Else whoever takes up what is under way would look for it."""
    unfinished = {"from": "taiwan", "wanted": None, "planned": False, "by": "ken"}
    control.change("promotion", lambda _: unfinished)
    try:
        with pytest.raises(CommandError, match="There is no region tokio: taiwan, tokyo"):
            call_command("failover", "promote", "tokio")
        assert control.read("promotion").data == unfinished
    finally:
        dynamodb().delete_item(TableName=control_table(), Key={"name": {"S": "promotion"}})
