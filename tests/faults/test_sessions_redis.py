"""Redis is killed, frozen, emptied, or fails over without its last writes: no session notices."""

import pytest

from tests.faults.sessions import (
    Shoppers,
    flush_redis,
    frozen,
    killed,
    loses_last_writes,
    wait_for_primary,
    wait_for_trust,
)
from tests.stack import Stack, wait_until


@pytest.fixture
def shoppers(shop: Stack) -> Shoppers:
    return Shoppers(shop)


def test_redis_killed_then_restarted_then_emptied(shop: Stack, shoppers: Shoppers) -> None:
    with killed(shop, "sentinel", "valkey"):
        shoppers.forget_times()
        shoppers.go_on()
        shoppers.assert_complete()
        shoppers.assert_quick("Redis killed")

    wait_for_trust(shop)
    shoppers.assert_complete()
    shoppers.people["stays"].prefer(shop.front, "TWD")
    shoppers.expected["stays"] = (shoppers.expected["stays"][0], "TWD", 2)

    flush_redis(shop)
    shoppers.assert_complete()


def test_redis_frozen(shop: Stack, shoppers: Shoppers) -> None:
    """Every node, so that no Sentinel helps. Thawed, they do what they were sent meanwhile."""
    with frozen(*(shop.pid("valkey", region) for region in shop.regions)):
        shoppers.forget_times()
        shoppers.go_on()
        shoppers.assert_complete()
        shoppers.assert_quick("Redis frozen")

    wait_for_primary(shop)
    wait_for_trust(shop)
    shoppers.assert_complete()


def test_primary_frozen_until_another_is_promoted(shop: Stack, shoppers: Shoppers) -> None:
    former = shop.roles["valkey"]
    with frozen(shop.pid("valkey", former)):
        shoppers.go_on()
        wait_until(lambda: shop.roles["valkey"] != former, 60, "another primary")
        shoppers.assert_complete()

    wait_for_primary(shop)
    wait_for_trust(shop)
    shoppers.assert_complete()


def test_fail_over_that_loses_the_last_writes(shop: Stack, shoppers: Shoppers) -> None:
    with loses_last_writes(shop):
        shoppers.go_on()

    shoppers.assert_complete()
