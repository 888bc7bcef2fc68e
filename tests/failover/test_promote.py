"""`failover promote` where it changes nothing."""

from typing import Any

import pytest
from django.core.management import CommandError, call_command

from storage.clients import dynamodb


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
