"""Checkout under simultaneous clients, over three regions, through the front door.

The controls that oversell are in test_stock_guards.py.
"""

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier

import httpx
import psycopg
import pytest

from tests.shopper import ADDRESS, NO_TLS, Form, Shopper, new_email
from tests.stack import Stack


def orders_of(live: psycopg.Connection, email: str) -> int:
    row = live.execute("SELECT count(*) FROM orders_order WHERE email = %s", [email]).fetchone()
    assert row is not None
    return int(row[0])


def available(live: psycopg.Connection, sku: str) -> int:
    row = live.execute(
        "SELECT on_hand - allocated FROM shop_stockitem stock"
        " JOIN shop_variant variant ON variant.id = stock.variant_id WHERE variant.sku = %s",
        [sku],
    ).fetchone()
    assert row is not None
    return int(row[0])


def until_told(send: Callable[[], httpx.Response]) -> httpx.Response:
    """What is answered once nobody says `Retry-After` any more: a busy shop says so to some."""
    for _ in range(60):
        answer = send()
        if "Retry-After" not in answer.headers:
            break
        time.sleep(float(answer.headers["Retry-After"]))
    return answer


def submit_at_once(
    stack: Stack, shopper: Shopper, times: int, email: str, *, own_keys: list[str] | None = None
) -> list[httpx.Response]:
    """The same checkout form, sent by as many clients with the same cookies at the same moment."""
    _, form = shopper.open_checkout()
    barrier = Barrier(times)
    bases = [addresses["web"] for addresses in stack.regions.values()]

    def send(number: int) -> httpx.Response:
        fields = form.fields | ADDRESS | {"email": email}
        if own_keys:
            fields["key"] = own_keys[number]
        # Straight to the regions in turn: which one is asked is certain, not likely.
        base = bases[number % len(bases)]
        headers = {"Origin": base, "Referer": f"{base}/checkout/"}
        with httpx.Client(
            base_url=base, cookies=dict(shopper.client.cookies), verify=NO_TLS, timeout=60
        ) as client:
            barrier.wait(timeout=120)
            return until_told(lambda: client.post("/checkout/", data=fields, headers=headers))

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(send, range(times)))


def at_checkout(shopper: Shopper, slug: str, sku: str) -> tuple[httpx.Response, Form]:
    """With one unit. Who is told on the way that the shop is busy begins anew: nobody knows what
    that cart holds."""
    for _ in range(60):
        with suppress(StopIteration):  # a page without the form
            if shopper.add(slug, sku).is_success:
                return shopper.open_checkout()
        shopper.client.cookies.clear()
        time.sleep(1)
    raise AssertionError("the shop is busy for a minute")


def test_twenty_simultaneous_submits_of_one_form_give_one_order(
    stack: Stack,
    live: psycopg.Connection,
    sku_with_stock: Callable[[int], tuple[str, str]],
) -> None:
    slug, sku = sku_with_stock(50)
    email = new_email()
    with Shopper(stack.front) as shopper:
        shopper.add(slug, sku)

        answers = submit_at_once(stack, shopper, 20, email)

    assert Counter(answer.status_code for answer in answers) == {303: 20}
    assert len({answer.headers["Location"] for answer in answers}) == 1
    assert {answer.headers["Anyport-Region"] for answer in answers} == set(stack.regions)
    assert orders_of(live, email) == 1
    assert available(live, sku) == 49


def test_a_second_tab_with_a_key_of_its_own_finds_the_cart_empty(
    stack: Stack,
    live: psycopg.Connection,
    sku_with_stock: Callable[[int], tuple[str, str]],
) -> None:
    """Without a shared key the cart's lock is what is left: still one order."""
    slug, sku = sku_with_stock(50)
    email = new_email()
    keys = [f"00000000-0000-4000-8000-{number:012d}" for number in range(6)]
    with Shopper(stack.front) as shopper:
        shopper.add(slug, sku)

        answers = submit_at_once(stack, shopper, 6, email, own_keys=keys)

    assert sum(answer.status_code == 303 for answer in answers) == 1
    assert all(answer.status_code in {303, 409} for answer in answers)
    assert orders_of(live, email) == 1
    assert available(live, sku) == 49


def test_forty_buyers_for_ten_units_buy_exactly_ten(
    stack: Stack,
    live: psycopg.Connection,
    sku_with_stock: Callable[[int], tuple[str, str]],
) -> None:
    slug, sku = sku_with_stock(10)
    barrier = Barrier(40)
    emails = [new_email() for _ in range(40)]

    def buy(email: str) -> httpx.Response:
        with Shopper(stack.front, timeout=60) as shopper:
            page, form = at_checkout(shopper, slug, sku)
            barrier.wait(timeout=300)
            fields = ADDRESS | {"email": email}
            return until_told(lambda: shopper.submit(page, form, **fields))

    with ThreadPoolExecutor(40) as pool:
        answers = list(pool.map(buy, emails))

    assert Counter(answer.status_code for answer in answers) == {303: 10, 409: 30}
    assert available(live, sku) == 0
    assert sum(orders_of(live, email) for email in emails) == 10
    for answer in answers:
        if answer.status_code == 409:
            assert "sold out" in answer.text.lower()
            assert "Traceback" not in answer.text


def test_the_unique_index_is_what_makes_one_order_of_a_key(
    live: psycopg.Connection, stack: Stack
) -> None:
    """The control: "look, then write" without the index lets several requests through."""
    live.execute("CREATE TABLE careless_key (key text)")
    barrier = Barrier(10)

    def claim_carelessly(_: int) -> bool:
        with stack.writer() as connection:
            seen = connection.execute("SELECT 1 FROM careless_key WHERE key = 'k'").fetchone()
            barrier.wait(timeout=20)
            if seen:
                return False
            connection.execute("INSERT INTO careless_key VALUES ('k')")
            return True

    try:
        with ThreadPoolExecutor(10) as pool:
            winners = sum(pool.map(claim_carelessly, range(10)))
    finally:
        live.execute("DROP TABLE careless_key")

    assert winners > 1


@pytest.mark.parametrize("allocated", [-1, 11])
def test_the_database_refuses_stock_below_zero(
    live: psycopg.Connection,
    sku_with_stock: Callable[[int], tuple[str, str]],
    allocated: int,
) -> None:
    """Whatever the code does, allocated units never pass those on hand."""
    _, sku = sku_with_stock(10)

    with pytest.raises(psycopg.errors.CheckViolation):
        live.execute(
            "UPDATE shop_stockitem SET allocated = %s WHERE variant_id ="
            " (SELECT id FROM shop_variant WHERE sku = %s)",
            [allocated, sku],
        )
    assert available(live, sku) == 10
