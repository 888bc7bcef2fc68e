"""How a process follows its region's flag."""

from collections.abc import Iterator

import pytest
from django.conf import settings
from django.test import override_settings

from storage import clients, control, drain
from storage.drain import Follower


@pytest.fixture(autouse=True)
def no_flags() -> Iterator[None]:
    yield
    for region in settings.ANYPORT_REGIONS:
        drain.undrain(region)


def put(region: str) -> bool:
    return drain.drain(region, by="Mei", why="new kernel", allow=lambda drained: None)


def test_a_flag_is_set_and_cleared_once() -> None:
    assert (put("tokyo"), put("tokyo")) == (True, False)
    entry = drain.drained_regions()["tokyo"]
    assert (entry["by"], entry["why"], entry["since"][-6:]) == ("Mei", "new kernel", "+00:00")
    assert (drain.undrain("tokyo"), drain.undrain("tokyo")) == (True, False)
    assert drain.drained_regions() == {}


def test_a_process_learns_of_its_own_region_only_and_tells_once() -> None:
    follower, told = Follower(), list[str]()
    follower.when_drained.append(lambda: told.append("drained"))

    put("tokyo")
    follower.look()
    assert not follower.drained

    put(settings.ANYPORT_REGION)
    follower.look()
    follower.look()
    assert (follower.drained, told) == (True, ["drained"])

    drain.undrain(settings.ANYPORT_REGION)
    follower.look()
    assert (follower.drained, told) == (False, ["drained"])


@pytest.mark.parametrize("drained", [True, False])
def test_what_was_last_heard_is_kept_while_dynamodb_is_away(
    drained: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    follower = Follower()
    if drained:
        put(settings.ANYPORT_REGION)
    follower.look()

    monkeypatch.setattr(control, "dynamodb", clients.dynamodb.__wrapped__)
    with override_settings(
        DYNAMODB_ENDPOINT_URL="http://127.0.0.1:9",
        DYNAMODB_TIMEOUTS={"connect_timeout": 0.2, "read_timeout": 0.2},
    ):
        follower.look()

    assert follower.drained is drained
