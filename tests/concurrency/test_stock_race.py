"""Many buyers for few units, with other things in their carts: sold exactly, ledger exact.

The controls, which sell too much or deadlock, are in test_stock_guards.py.
"""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import cycle, islice
from random import Random
from typing import Any

import httpx
import psycopg
import pytest

from tests import loops
from tests.guests import Guest, must_ask_again
from tests.ledger import allocations, last_movement, ledger
from tests.shopper import NO_TLS
from tests.stack import Stack

BUYERS = 400
UNITS = 100
FILLED_AT_ONCE = 40
"""Carts. Their orders come all at once."""
TRIES = 200
DEADLINE = 600.0
"""Seconds until the last of them has its answer. They wait for each other: this is their sum."""

type Body = Callable[[bytes], AsyncIterator[bytes]]


def deadlocks(live: psycopg.Connection) -> int:
    row = live.execute("SELECT sum(deadlocks) FROM pg_stat_database").fetchone()
    assert row is not None
    return int(row[0])


@dataclass
class Rush:
    """Orders that are sent together: the last byte of each once all the others have been sent.

    So every one of them is with the shop, connection and request, before any can be answered.
    """

    buyers: int
    all_there: asyncio.Barrier = field(init=False)
    answers: list[httpx.Response] = field(default_factory=list)
    told_to_ask_again: int = 0
    unanswered: int = 0
    most_unanswered: int = 0

    async def run(self, guests: list[Guest], turns: list[list[str]]) -> None:
        self.all_there = asyncio.Barrier(self.buyers)
        async with asyncio.timeout(DEADLINE), asyncio.TaskGroup() as tasks:
            for guest, bases in zip(guests, turns, strict=True):
                tasks.create_task(self._order(guest, bases))

    async def _order(self, guest: Guest, bases: list[str]) -> None:
        """A region that is busy says so and means it: the next one is asked, with the same key."""
        async with httpx.AsyncClient(
            cookies=guest.client.cookies, verify=NO_TLS, trust_env=False, timeout=DEADLINE
        ) as client:
            answer = await self._post(client, guest, bases[0], self._held_back)
            for base in islice(cycle([*bases[1:], bases[0]]), TRIES):
                if not must_ask_again(answer):
                    break
                self.told_to_ask_again += 1
                await asyncio.sleep(float(answer.headers["Retry-After"]))
                answer = await self._post(client, guest, base, _whole)
        self.answers.append(answer)

    async def _post(self, client: httpx.AsyncClient, guest: Guest, base: str, body: Body) -> Any:
        content = json.dumps(guest.body).encode()
        headers = {
            "Idempotency-Key": guest.key,
            "Content-Type": "application/json",
            "Content-Length": str(len(content)),
        }
        answer = await client.post(f"{base}/api/orders", content=body(content), headers=headers)
        self.unanswered -= body == self._held_back
        return answer

    async def _held_back(self, content: bytes) -> AsyncIterator[bytes]:
        yield content[:-1]
        self.unanswered += 1
        self.most_unanswered = max(self.unanswered, self.most_unanswered)
        await self.all_there.wait()
        yield content[-1:]


async def _whole(content: bytes) -> AsyncIterator[bytes]:
    yield content


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

    with ThreadPoolExecutor(FILLED_AT_ONCE) as pool:
        list(pool.map(Guest.fill_cart, guests, cycle(bases)))
    rush = Rush(BUYERS)
    loops.run(rush.run(guests, turns))
    for guest in guests:
        guest.client.close()

    answers = rush.answers
    print(f"{rush.told_to_ask_again} times told to ask again")
    assert rush.most_unanswered == BUYERS
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
