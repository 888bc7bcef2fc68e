"""One key, many requests, three regions: over the wire, against live servers."""

import asyncio
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from uuid import uuid4

import httpx
import psutil
import psycopg
import pytest

from regions.embedded.plan import REPOSITORY
from tests import loops
from tests.guests import must_ask_again
from tests.shopper import new_email
from tests.stack import Stack, wait_until

TIMES = 200
TOGETHER = 4
DEADLINE = 120.0  # seconds; an idle machine takes 5
REPLAYED = "Idempotency-Replayed"
WANTED: dict[str, Any] = {
    "name": "Lin Mei",
    "address": {"line1": "12 Harbour Road", "city": "Keelung", "postcode": "202", "country": "TW"},
    "payment_method": "invoice",
}


@dataclass
class Sent:
    """The answers that were not "still running", and how often that was said."""

    answers: list[httpx.Response] = field(default_factory=list)
    running: int = 0

    async def ask(self, client: httpx.AsyncClient, body: dict[str, Any], key: str) -> None:
        """Ask until it has ended, as `Retry-After` says."""
        while True:
            answer = await client.post("/api/orders", json=body, headers={"Idempotency-Key": key})
            if not must_ask_again(answer):
                self.answers.append(answer)
                return
            self.running += 1
            await asyncio.sleep(float(answer.headers["Retry-After"]))


def guest_with(stack: Stack, sku: str) -> dict[str, str]:
    """The cookies of a guest of the API with one unit in the cart."""
    with httpx.Client(base_url=stack.front, timeout=30) as client:
        response = client.post("/api/cart/items", json={"sku": sku, "quantity": 1})
        assert response.status_code == HTTPStatus.OK, response.text
        return dict(client.cookies)


def send_at_once(
    bases: list[str], cookies: dict[str, str], body: dict[str, Any], key: str, times: int = TIMES
) -> Sent:
    sent = Sent()

    async def run() -> None:
        async with AsyncExitStack() as opened, asyncio.timeout(DEADLINE):
            clients = [
                await opened.enter_async_context(
                    httpx.AsyncClient(
                        base_url=base,
                        cookies=cookies,
                        timeout=DEADLINE,
                        limits=httpx.Limits(max_connections=None),
                    )
                )
                for base in bases
            ]
            async with asyncio.TaskGroup() as tasks:
                for number in range(times):
                    tasks.create_task(sent.ask(clients[number % len(clients)], body, key))

    loops.run(run())
    return sent


def ordered(live: psycopg.Connection, email: str) -> int:
    row = live.execute("SELECT count(*) FROM orders_order WHERE email = %s", [email]).fetchone()
    assert row is not None
    return int(row[0])


def allocated(live: psycopg.Connection, sku: str) -> int:
    row = live.execute(
        "SELECT allocated FROM shop_stockitem stock JOIN shop_variant variant"
        " ON variant.id = stock.variant_id WHERE variant.sku = %s",
        [sku],
    ).fetchone()
    assert row is not None
    return int(row[0])


def test_two_hundred_requests_with_one_key_in_three_regions_give_one_order(
    stack: Stack, live: psycopg.Connection, sku_with_stock: Callable[[int], tuple[str, str]]
) -> None:
    _, sku = sku_with_stock(50)
    body = WANTED | {"email": new_email()}

    bases = [addresses["web"] for addresses in stack.regions.values()]

    sent = send_at_once(bases, guest_with(stack, sku), body, str(uuid4()))

    print(f"{sent.running} times told that the first still runs")
    assert Counter(answer.status_code for answer in sent.answers) == {HTTPStatus.CREATED: TIMES}
    assert len({answer.content for answer in sent.answers}) == 1
    assert len({answer.headers["Location"] for answer in sent.answers}) == 1
    assert {answer.headers["Anyport-Region"] for answer in sent.answers} == set(stack.regions)
    assert Counter(answer.headers.get(REPLAYED) for answer in sent.answers) == {
        "true": TIMES - 1,
        None: 1,
    }
    assert ordered(live, body["email"]) == 1
    assert allocated(live, sku) == 1


@pytest.fixture
def careless(stack: Stack) -> Iterator[str]:
    """Where another instance of the live shop serves, without its guards."""
    plan = stack.plan
    environment = {"PATH": os.environ["PATH"], **plan.environment(plan.regions[0])}
    command = [sys.executable, "-m", "tests.concurrency.careless", str(TOGETHER)]
    with subprocess.Popen(
        command, cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


def test_an_instance_without_the_guards_makes_an_order_of_each_request(
    stack: Stack,
    live: psycopg.Connection,
    sku_with_stock: Callable[[int], tuple[str, str]],
    careless: str,
) -> None:
    """The control of the test above: the same requests, "GET; work; SET", and no lock."""
    _, sku = sku_with_stock(50)
    body = WANTED | {"email": new_email()}

    sent = send_at_once([careless], guest_with(stack, sku), body, str(uuid4()), TOGETHER)

    assert len({answer.content for answer in sent.answers}) == TOGETHER
    assert ordered(live, body["email"]) == allocated(live, sku) == TOGETHER


@pytest.mark.parametrize("region", ["tokyo"])
def test_an_order_killed_in_mid_transaction_is_made_once_in_another_region(
    stack: Stack,
    live: psycopg.Connection,
    sku_with_stock: Callable[[int], tuple[str, str]],
    region: str,
) -> None:
    """The key is claimed and the cart locked; the stock is waited for when the process dies."""
    _, sku = sku_with_stock(50)
    body, key = WANTED | {"email": new_email()}, str(uuid4())
    headers = {"Idempotency-Key": key}
    pid = stack.pid("web", region)

    cookies = guest_with(stack, sku)

    with stack.writer() as holder:
        # Another order has this SKU in hand, and does not end.
        holder.autocommit = False
        holder.execute(
            "SELECT 1 FROM shop_stockitem WHERE variant_id ="
            " (SELECT id FROM shop_variant WHERE sku = %s) FOR UPDATE",
            [sku],
        )
        with pytest.raises(httpx.TransportError):
            loops.run(_killed_while_it_waits(stack, live, region, cookies, body, headers))
        running = httpx.post(
            f"{stack.regions['singapore']['web']}/api/orders",
            json=body,
            headers=headers,
            cookies=cookies,
            timeout=30,
        )
        holder.rollback()

    sent = Sent()
    loops.run(_retry(stack, "singapore", sent, cookies, body, key))
    stack.wait_restarted("web", region, pid)
    loops.run(_retry(stack, region, sent, cookies, body, key))

    first, again = sent.answers
    # PostgreSQL learns of the death when the wait ends: until then nobody may act for the dead.
    assert running.status_code in {HTTPStatus.CONFLICT, HTTPStatus.SERVICE_UNAVAILABLE}
    assert first.status_code == HTTPStatus.CREATED
    assert REPLAYED not in first.headers
    assert (again.content, again.headers[REPLAYED]) == (first.content, "true")
    assert ordered(live, body["email"]) == 1
    assert allocated(live, sku) == 1


async def _killed_while_it_waits(
    stack: Stack,
    live: psycopg.Connection,
    region: str,
    cookies: dict[str, str],
    body: dict[str, Any],
    headers: dict[str, str],
) -> None:
    """Raises what a client gets whose server is gone."""
    server = psutil.Process(stack.pid("web", region))
    family = [server, *server.children(recursive=True)]

    def waits_for_stock() -> bool:
        row = live.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s"
            " AND wait_event_type = 'Lock' AND query LIKE '%%shop_stockitem%%'",
            [f"anyport-{region}"],
        ).fetchone()
        return bool(row and row[0])

    async with httpx.AsyncClient(cookies=cookies, timeout=30) as client:
        url = f"{stack.regions[region]['web']}/api/orders"

        async def order() -> httpx.Response:
            while must_ask_again(answer := await client.post(url, json=body, headers=headers)):
                pass  # it waited for the stock as long as an order does
            return answer

        request = asyncio.create_task(order())
        await asyncio.to_thread(wait_until, waits_for_stock, 60, "the order waits for the stock")
        for process in family:
            process.kill()
        answer = await request
        raise AssertionError(f"answered before it was killed: {answer.status_code} {answer.text}")


async def _retry(
    stack: Stack, region: str, sent: Sent, cookies: dict[str, str], body: dict[str, Any], key: str
) -> None:
    base = stack.regions[region]["web"]
    async with (
        httpx.AsyncClient(base_url=base, cookies=cookies, timeout=120) as client,
        asyncio.timeout(120),
    ):
        await sent.ask(client, body, key)
