"""DynamoDB is killed or frozen, alone, with Redis, or while a session is on its way there."""

import threading
from collections.abc import Iterator

import httpx
import pytest

from sessions_ext import redis_store
from sessions_ext.conf import conf
from sessions_ext.record import Record
from sessions_ext.sweep import sweep
from tests.faults.sessions import (
    WAIT,
    Shopper,
    Shoppers,
    bases,
    copies_of,
    flush_redis,
    frozen,
    inside,
    killed,
    wait_for_primary,
    wait_for_trust,
)
from tests.stack import Stack, wait_until


@pytest.fixture
def shoppers(shop: Stack) -> Shoppers:
    wait_for_primary(shop)  # else both stores are lost, and nobody is served
    return Shoppers(shop)


def test_dynamodb_killed_and_caught_up_with_by_the_sweep(shop: Stack, shoppers: Shoppers) -> None:
    with killed(shop, "aws"):
        shoppers.forget_times()
        shoppers.go_on()
        shoppers.assert_complete()
        shoppers.assert_quick("DynamoDB killed")

    with inside(shop):
        sweep()
        for shopper in shoppers.people.values():
            if "SESSION" in shopper.cookies:
                in_redis, in_dynamodb = copies_of(shopper.digest)
                assert in_redis == in_dynamodb
    shoppers.wait_for_dynamodb()
    flush_redis(shop)
    shoppers.assert_complete()


def test_dynamodb_frozen(shop: Stack, shoppers: Shoppers) -> None:
    with frozen(shop.pid("aws")):
        shoppers.forget_times()
        shoppers.go_on()
        shoppers.assert_complete()
        shoppers.assert_quick("DynamoDB frozen")

    shoppers.assert_complete()


@pytest.fixture
def nobody_sweeps(shop: Stack) -> Iterator[None]:
    """Every five minutes a worker would make the copies that are missing."""
    with frozen(*(shop.pid("worker", region) for region in shop.regions)):
        yield


@pytest.mark.usefixtures("nobody_sweeps")
def test_next_save_restores_the_copy(shop: Stack) -> None:
    shopper, base = Shopper(), shop.regions["tokyo"]["web"]
    with killed(shop, "aws"):
        shopper.prefer(base, "JPY")
    with inside(shop):
        assert copies_of(shopper.digest)[1] is None

        def is_copied() -> bool:
            shopper.prefer(base, "SGD")
            shopper.prefer(base, "USD")
            in_redis, in_dynamodb = copies_of(shopper.digest)
            return in_redis is not None and in_redis == in_dynamodb

        wait_until(is_copied, WAIT, "the copy is made by a save", interval=0.25)


# --- Both --------------------------------------------------------------------------------------


def test_both_lost_is_said_so_to_whoever_has_a_session(shop: Stack, shoppers: Shoppers) -> None:
    with killed(shop, "aws"), frozen(*(shop.pid("valkey", region) for region in shop.regions)):
        for base in bases(shop):
            for shopper in shoppers.people.values():
                for path in ("/", "/cart/", "/account/", "/api/session"):
                    assert_told_to_come_back(shopper, base, path)
        for base in bases(shop):
            visitor = Shopper()
            assert visitor.send("GET", f"{base}/").status_code == 200
            assert "SESSION" not in visitor.cookies

    wait_for_primary(shop)
    wait_for_trust(shop)
    shoppers.assert_complete()
    shoppers.go_on()
    shoppers.assert_complete()


def assert_told_to_come_back(shopper: Shopper, base: str, path: str) -> None:
    before = dict(shopper.cookies)
    answer = shopper.send("GET", f"{base}{path}")

    assert answer.status_code == 503, f"{path} at {base}: {answer.status_code}"
    assert int(answer.headers["Retry-After"]) > 0
    kind = "application/problem+json" if path.startswith("/api/") else "text/html"
    assert answer.headers["Content-Type"].startswith(kind)
    assert shopper.cookies == before


# --- A process is killed in between --------------------------------------------------------------


@pytest.mark.usefixtures("nobody_sweeps")
def test_killed_between_redis_and_the_copy(shop: Stack) -> None:
    region = "singapore"
    base = shop.regions[region]["web"]
    with inside(shop):
        # The region may only just have found out that DynamoDB is back from the test before.
        found = wait_until(lambda: copied(base), WAIT, "both stores have a session")
        assert found is not None
        shopper, before = found
        with killed(shop, "aws", at_the_end=True):
            interrupted = threading.Thread(target=prefer_in_vain, args=(shopper.copy(), base))
            interrupted.start()
            wait_until(
                lambda: redis_store.read(conf.redis(), shopper.digest) != before,
                WAIT,
                "Redis has the change",
                interval=0.01,
            )
            former = shop.kill("web", region)
            interrupted.join(WAIT)
        shop.wait_restarted("web", region, former, WAIT)
        in_redis, in_dynamodb = copies_of(shopper.digest)
        assert in_dynamodb == before != in_redis

        sweep()

        assert copies_of(shopper.digest) == (in_redis, in_redis)
    flush_redis(shop)
    assert shopper.state(base) == (None, "SGD", 0)


def copied(base: str) -> tuple[Shopper, Record] | None:
    """A new visitor, and the session that both stores have of it."""
    shopper = Shopper()
    shopper.prefer(base, "JPY")
    in_redis, in_dynamodb = copies_of(shopper.digest)
    return (shopper, in_redis) if in_redis is not None and in_redis == in_dynamodb else None


def prefer_in_vain(shopper: Shopper, base: str) -> None:
    with pytest.raises(httpx.HTTPError):
        shopper.prefer(base, "SGD")
