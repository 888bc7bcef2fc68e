"""Many buyers for few units, with other things in their carts: sold exactly, ledger exact."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice
from random import Random
from threading import Barrier

import httpx
import psycopg
import pytest

from tests.guests import Guest, must_ask_again
from tests.ledger import allocations, last_movement, ledger
from tests.stack import Stack

BUYERS = 400
UNITS = 100
AT_ONCE = 40


def deadlocks(live: psycopg.Connection) -> int:
    row = live.execute("SELECT sum(deadlocks) FROM pg_stat_database").fetchone()
    assert row is not None
    return int(row[0])


def order(guest: Guest, bases: list[str]) -> list[httpx.Response]:
    """All answers: a region that is busy says so and means it, and the next one is asked."""
    answers: list[httpx.Response] = []
    for base in islice(cycle(bases), 20):
        answers.append(guest.order(base))
        if not must_ask_again(answers[-1]):
            break
    return answers


def carts_with(hot: str, others: list[str]) -> list[dict[str, int]]:
    """Every cart holds the hot SKU and, in any order, some of the others."""
    dice = Random(4)
    carts = []
    for _ in range(BUYERS):
        cart = [(hot, 1), *((sku, dice.randint(1, 3)) for sku in others if dice.random() < 0.7)]
        dice.shuffle(cart)
        carts.append(dict(cart))
    return carts


def test_four_hundred_buyers_for_a_hundred_units_buy_exactly_a_hundred(
    stack: Stack, live: psycopg.Connection, sku_with_stock: Callable[[int], tuple[str, str]]
) -> None:
    """Over every region that the stack has, each asked by as many."""
    hot, *others = (sku_with_stock(units)[1] for units in (UNITS, 5000, 5000))
    since, deadlocks_before = last_movement(live), deadlocks(live)
    bases = [addresses["web"] for addresses in stack.regions.values()]
    guests = [Guest(cart, timeout=60) for cart in carts_with(hot, others)]
    turns = [bases[turn % len(bases) :] + bases[: turn % len(bases)] for turn in range(BUYERS)]

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(Guest.fill_cart, guests, cycle(bases)))
        given = list(pool.map(order, guests, turns))
    for guest in guests:
        guest.client.close()

    answers = [each[-1] for each in given]
    print(f"{sum(map(len, given)) - BUYERS} times told to ask again")
    assert Counter(answer.status_code for answer in answers) == {201: UNITS, 409: BUYERS - UNITS}
    assert {answer.json()["sku"] for answer in answers if answer.status_code == 409} == {hot}
    assert {answer.headers["Anyport-Region"] for answer in answers} == set(stack.regions)
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
    assert deadlocks(live) == deadlocks_before


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
