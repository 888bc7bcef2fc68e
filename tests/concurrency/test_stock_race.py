"""Many buyers for few units, with other things in their carts: sold exactly, ledger exact."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from random import Random
from threading import Barrier
from uuid import uuid4

import httpx
import psycopg
import pytest

from tests.shopper import new_email
from tests.stack import Stack

BUYERS = 400
UNITS = 100
AT_ONCE = 40
ADDRESS = {"line1": "12 Harbour Road", "city": "Keelung", "postcode": "202", "country": "TW"}


def ledger(live: psycopg.Connection, sku: str) -> tuple[int, int]:
    """Units on hand and allocated; fails where they are not the sum of the movements."""
    row = live.execute(
        "SELECT item.on_hand, item.allocated, item.sequence, sum(on_hand_change),"
        " sum(allocated_change), max(movement.sequence), count(*)"
        " FROM shop_stockitem item JOIN shop_stockmovement movement ON stock_item_id = item.id"
        " WHERE variant_id = (SELECT id FROM shop_variant WHERE sku = %s) GROUP BY item.id",
        [sku],
    ).fetchone()
    assert row is not None
    on_hand, allocated, sequence, *totals = row
    assert totals == [on_hand, allocated, sequence, sequence]
    return on_hand, allocated


def allocations(live: psycopg.Connection, sku: str, since: int) -> Counter[str]:
    """Units that each order took, by the ledger."""
    rows = live.execute(
        "SELECT order_number, allocated_change FROM shop_stockmovement movement"
        " JOIN shop_stockitem item ON item.id = stock_item_id"
        " JOIN shop_variant variant ON variant.id = variant_id"
        " WHERE kind = 'allocated' AND sku = %s AND movement.id > %s",
        [sku, since],
    )
    taken: Counter[str] = Counter()
    for number, units in rows:
        assert number not in taken, f"{number} took {sku} twice"
        taken[number] = units
    return taken


def one(live: psycopg.Connection, sql: str) -> int:
    row = live.execute(sql.encode()).fetchone()
    assert row is not None
    return int(row[0])


def fill_cart(base: str, wants: list[tuple[str, int]]) -> httpx.Client:
    client = httpx.Client(base_url=base, timeout=60)
    for sku, quantity in wants:
        answer = client.post("/api/cart/items", json={"sku": sku, "quantity": quantity})
        assert answer.status_code == 200, answer.text
    return client


def order(client: httpx.Client) -> httpx.Response:
    """With one key until there is an answer: a region that is busy says so and means it."""
    body = {"email": new_email(), "name": "Lin Mei", "address": ADDRESS}
    headers = {"Idempotency-Key": str(uuid4())}
    for _ in range(20):
        answer = client.post(
            "/api/orders", json=body | {"payment_method": "invoice"}, headers=headers
        )
        if answer.status_code != 503:
            break
    return answer


def test_four_hundred_buyers_for_a_hundred_units_buy_exactly_a_hundred(
    stack: Stack, live: psycopg.Connection, sku_with_stock: Callable[[int], tuple[str, str]]
) -> None:
    """Every cart holds the hot SKU and, in any order, some of two others."""
    hot, *others = (sku_with_stock(units)[1] for units in (UNITS, 5000, 5000))
    since = one(live, "SELECT coalesce(max(id), 0) FROM shop_stockmovement")
    deadlocks = one(live, "SELECT sum(deadlocks) FROM pg_stat_database")
    dice = Random(4)
    carts = []
    for _ in range(BUYERS):
        cart = [(hot, 1), *((sku, dice.randint(1, 3)) for sku in others if dice.random() < 0.7)]
        dice.shuffle(cart)
        carts.append(cart)
    bases = cycle(addresses["web"] for addresses in stack.regions.values())

    with ThreadPoolExecutor(AT_ONCE) as pool:
        clients = list(pool.map(fill_cart, [next(bases) for _ in carts], carts))
        answers = list(pool.map(order, clients))
    for client in clients:
        client.close()

    assert Counter(answer.status_code for answer in answers) == {201: UNITS, 409: BUYERS - UNITS}
    assert {answer.json()["sku"] for answer in answers if answer.status_code == 409} == {hot}
    assert ledger(live, hot) == (UNITS, UNITS)
    for sku in (hot, *others):
        sold = {
            answer.json()["number"]: line["quantity"]
            for answer in answers
            if answer.status_code == 201
            for line in answer.json()["lines"]
            if line["sku"] == sku
        }
        assert allocations(live, sku, since) == sold
        assert ledger(live, sku)[1] == sum(sold.values())
    assert one(live, "SELECT sum(deadlocks) FROM pg_stat_database") == deadlocks


def test_units_taken_without_the_ledger_are_refused_at_commit(
    live: psycopg.Connection, sku_with_stock: Callable[[int], tuple[str, str]]
) -> None:
    _, sku = sku_with_stock(10)

    with pytest.raises(psycopg.errors.CheckViolation) as refused:
        live.execute(
            "UPDATE shop_stockitem SET allocated = allocated + 1"
            " WHERE variant_id = (SELECT id FROM shop_variant WHERE sku = %s)",
            [sku],
        )

    assert refused.value.diag.constraint_name == "stock_equals_ledger"
    assert ledger(live, sku) == (10, 0)


def test_two_orders_that_take_rows_in_different_orders_deadlock(
    stack: Stack, sku_with_stock: Callable[[int], tuple[str, str]]
) -> None:
    """The control: without the primary-key order, two carts with the same two SKUs block."""
    skus = [sku_with_stock(10)[1] for _ in range(2)]
    barrier = Barrier(2)

    def take(wanted: list[str]) -> str:
        with stack.writer() as connection:
            try:
                with connection.transaction():
                    for sku in wanted:
                        connection.execute(
                            "SELECT FROM shop_stockitem WHERE variant_id ="
                            " (SELECT id FROM shop_variant WHERE sku = %s) FOR NO KEY UPDATE",
                            [sku],
                        )
                        if sku == wanted[0]:
                            barrier.wait(timeout=20)
            except psycopg.errors.DeadlockDetected:
                return "deadlock"
        return "done"

    with ThreadPoolExecutor(2) as pool:
        ends = list(pool.map(take, [skus, skus[::-1]]))

    assert sorted(ends) == ["deadlock", "done"]
