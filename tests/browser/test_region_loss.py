"""A region dies in the middle of the journey; the journey ends with exactly one order."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs

import psycopg
import pytest
from playwright.sync_api import Page, Request, expect

from tests.browser import journey
from tests.browser.conftest import Visit
from tests.shopper import new_email
from tests.stack import APPLICATION, Stack, wait_until

pytestmark = pytest.mark.browser

_STOCK = (
    " FROM shop_stockitem stock JOIN shop_variant variant ON variant.id = stock.variant_id"
    " JOIN shop_product product ON product.id = variant.product_id WHERE product.slug = %s"
)
_SLUG = "dockside-tote"


def test_killing_a_region_in_the_middle_of_placing_leaves_exactly_one_order(
    new_visit: Callable[..., tuple[Page, Visit]], stack: Stack, live: psycopg.Connection
) -> None:
    """Its transaction waits for stock when it dies; the shopper reloads what came instead."""
    page, _ = new_visit()
    email = new_email()
    keys = _keys_sent(page)
    journey.browse_and_search(page)
    journey.fill_cart(page)
    journey.fill_checkout(page, email)
    taken = _allocated(live)

    with _stock_held(stack) as holder:
        page.get_by_role("button", name="Place order").click(no_wait_after=True)
        region = wait_until(lambda: _waiting_for(live, holder), 30, "a region waits for the stock")
        killed = stack.kill_region(region)
    try:
        expect(page.get_by_role("button", name="Place order")).to_have_count(0)
        answered = page.evaluate("performance.getEntriesByType('navigation')[0].responseStatus")
        page.reload()  # Chromium sends the form again, as when a shopper confirms it
        page.wait_for_url(journey.ORDER_URL)
        number = journey.ORDER_URL.search(page.url)
    finally:
        _wait_for_return(stack, region, killed)

    assert answered == 503  # the front door's page: it never sends a form twice by itself
    assert number is not None
    assert _orders(live, email) == [(number[1],)]
    assert _allocated(live) == taken + 1
    assert len(keys) == 2
    assert len(set(keys)) == 1


def test_killing_the_next_region_in_turn_is_not_noticed(
    new_visit: Callable[..., tuple[Page, Visit]], stack: Stack, live: psycopg.Connection
) -> None:
    page, visit = new_visit()
    email = new_email()
    journey.browse_and_search(page)
    journey.fill_cart(page)
    journey.fill_checkout(page, email)
    next_in_turn = visit.regions[-3]  # round robin over three

    killed = stack.kill_region(next_in_turn)
    try:
        number = journey.place_order(page)
    finally:
        _wait_for_return(stack, next_in_turn, killed)

    assert _orders(live, email) == [(number,)]


def _keys_sent(page: Page) -> list[str]:
    """The idempotency key of every form that this page sends to checkout, as they are sent."""
    keys: list[str] = []

    def note(request: Request) -> None:
        if request.method == "POST" and request.url.endswith("/checkout/"):
            keys.extend(parse_qs(request.post_data or "")["key"])

    page.on("request", note)
    return keys


@contextmanager
def _stock_held(stack: Stack) -> Iterator[int]:
    """No other transaction gets the product's stock; the holder's number in PostgreSQL."""
    with stack.writer() as connection, connection.transaction():
        connection.execute(f"SELECT stock.id {_STOCK} FOR UPDATE OF stock", [_SLUG])
        yield connection.info.backend_pid


def _waiting_for(live: psycopg.Connection, holder: int) -> str:
    """The region whose transaction waits for the holder's; empty while there is none."""
    row = live.execute(
        "SELECT application_name FROM pg_stat_activity"
        " WHERE wait_event_type = 'Lock' AND %s = ANY(pg_blocking_pids(pid))",
        [holder],
    ).fetchone()
    return str(row[0]).removeprefix("anyport-") if row else ""


def _allocated(live: psycopg.Connection) -> int:
    row = live.execute(f"SELECT sum(stock.allocated) {_STOCK}", [_SLUG]).fetchone()
    assert row is not None
    return int(row[0])


def _orders(live: psycopg.Connection, email: str) -> list[tuple[str]]:
    return live.execute("SELECT number FROM orders_order WHERE email = %s", [email]).fetchall()


def _wait_for_return(stack: Stack, region: str, killed: dict[str, int]) -> None:
    for name in APPLICATION:
        stack.wait_restarted(name, region, killed[name], timeout=180)
