"""A region reads its own replica, also a slow one, and nobody misses what they have just done."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from sessions_ext import keys
from tests.faults.sessions import (
    NAMESPACE,
    WAIT,
    Shopper,
    behind,
    inside,
    lead_back,
    loads_of,
)
from tests.stack import Stack, wait_until


@pytest.fixture
def region(shop: Stack) -> str:
    """One whose node is a replica."""
    return next(name for name in shop.regions if name != shop.roles["valkey"])


@contextmanager
def lagging(shop: Stack, region: str) -> Iterator[None]:
    with behind(shop, region):
        yield
    lead_back(shop, region)


def wait_for_use(shop: Stack, region: str, shopper: Shopper) -> None:
    base = shop.regions[region]["web"]

    def is_used() -> bool:
        before = loads_of(shop, region, "replica")
        shopper.state(base)
        return loads_of(shop, region, "replica") > before

    wait_until(is_used, WAIT, f"{region} reads its replica", interval=0.25)


def pretending_to_have_seen_nothing(shop: Stack, shopper: Shopper) -> Shopper:
    """The control's shopper: the version cookie vouches for the first version of all."""
    unaware = shopper.copy()
    with inside(shop):
        session_id = unaware.cookies["SESSION"]
        unaware.cookies["SESSION_VERSION"] = keys.sign_version(session_id, 1)
    return unaware


def test_who_wrote_nothing_is_answered_by_the_replica(shop: Stack, region: str) -> None:
    shopper, base = Shopper(), shop.regions[region]["web"]
    shopper.prefer(shop.front, "JPY")
    wait_for_use(shop, region, shopper)

    def by_the_replica_alone() -> bool:
        """On a busy machine the replica may be late for a moment, and is not asked then."""
        before = {source: loads_of(shop, region, source) for source in ("replica", "primary")}
        for _ in range(10):
            assert shopper.state(base) == (None, "JPY", 0)
        asked = {source: loads_of(shop, region, source) - before[source] for source in before}
        return asked == {"replica": 10, "primary": 0}

    wait_until(by_the_replica_alone, WAIT, "ten in a row are answered by the replica")


def test_own_writes_are_seen_while_the_replica_lags(shop: Stack, region: str) -> None:
    """Each round's control is only worth something while the replica was still asked: after some
    seconds it is not. A round that came too late is tried again."""
    base = shop.regions[region]["web"]
    shopper, login = Shopper(), Shopper()
    email = login.sign_up(shop.front)
    login.log_out(shop.front)
    shopper.prefer(shop.front, "JPY")

    def stale_for_the_unaware() -> bool:
        shopper.prefer(shop.front, "JPY")
        wait_for_use(shop, region, shopper)
        with lagging(shop, region):
            shopper.prefer(base, "SGD")
            shopper.add(base)
            assert shopper.state(base) == (None, "SGD", shopper_units(shopper, shop))
            unaware = pretending_to_have_seen_nothing(shop, shopper)
            return unaware.state(base)[1] == "JPY"

    wait_until(stale_for_the_unaware, 2 * WAIT, "a stale answer without the version cookie")
    wait_for_use(shop, region, shopper)
    with lagging(shop, region):
        login.log_in(base, email)
        assert login.state(base)[0] == email


def shopper_units(shopper: Shopper, shop: Stack) -> int:
    """By the primary's own region."""
    return shopper.state(shop.regions[shop.roles["valkey"]]["web"])[2]


def test_replica_that_stays_behind_is_not_asked(shop: Stack, region: str) -> None:
    """So that it does not hide a log-out in another region for long."""
    base = shop.regions[region]["web"]
    shopper = Shopper()
    email = shopper.sign_up(shop.front)
    wait_for_use(shop, region, shopper)
    kept = shopper.copy()
    with lagging(shop, region):
        shopper.log_out(shop.regions[shop.roles["valkey"]]["web"])

        wait_until(lambda: kept.copy().state(base)[0] is None, WAIT, f"{email} is logged out")

        with shop.valkey(region) as replica:
            assert replica.exists(f"{NAMESPACE}:session:{kept.digest}")  # it still says otherwise
