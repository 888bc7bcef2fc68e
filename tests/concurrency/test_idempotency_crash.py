"""An order whose process is killed after each step in turn, and sent again in another region."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from itertools import count
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from pytest_django.fixtures import Settings

from orders.models import Order
from regions.embedded.plan import REPOSITORY
from shop.models import StockItem, Variant
from tests.concurrency.careless import bypass_guard
from tests.factories import make_product
from tests.orders.test_api import WANTED, fill_cart
from tests.shop.test_api import send
from tests.stack import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
FEWEST = 20
"""Steps that an order has at least: were there fewer, they would not be seen."""


@dataclass
class Killer:
    """A process that serves requests and is killed in them (tests/concurrency/killed.py)."""

    process: subprocess.Popen[str]

    def serve(self, client: Client, body: dict[str, Any], key: str, **how: Any) -> dict[str, Any]:
        assert self.process.stdin and self.process.stdout
        cookies = "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items())
        order = {"cookies": cookies, "body": body, "key": key} | how
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        report: dict[str, Any] = json.loads(self.process.stdout.readline())
        return report


@pytest.fixture
def killer() -> Iterator[Killer]:
    """On the tests' own database."""
    environment = os.environ | {"DATABASE_NAME": str(connection.settings_dict["NAME"])}
    command = [sys.executable, "-m", "tests.concurrency.killed"]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, cwd=REPOSITORY, env=environment, stdin=pipe, stdout=pipe, text=True
    ) as process:
        yield Killer(process)
        assert process.stdin
        process.stdin.close()  # it ends by itself


@pytest.fixture
def variant() -> Variant:
    return make_product(stock=1000).variants.get()


def orders_after_a_crash_at_each_step(
    killer: Killer, variant: Variant, settings: Settings, *, careless: bool
) -> tuple[list[int], list[str]]:
    """How many orders there are, by the step after which the process died; and those steps."""
    placed, steps = [], []
    for at in count(1):
        shopper, key = Client(), str(uuid4())
        body = WANTED | {"email": f"crash-{careless}-{at}@example.com"}
        settings.ANYPORT_REGION = "taiwan"
        fill_cart(shopper, variant, 1)

        report = killer.serve(shopper, body, key, at=at, careless=careless)
        if report["signal"] == 0:
            assert report["status"] == HTTPStatus.CREATED
            break
        assert report["signal"] == signal.SIGKILL
        settings.ANYPORT_REGION = "tokyo"
        answer = try_again(shopper, variant, body, key)

        orders = Order.objects.filter(email=body["email"])
        assert answer["number"] in [order.number for order in orders]
        placed.append(len(orders))
        steps.append(report["killed_after"])
        if len(orders) > 1:  # that is enough
            break
    return placed, steps


def try_again(shopper: Client, variant: Variant, body: Any, key: str) -> dict[str, Any]:
    """As a shopper who does not know: what is not in the cart any more is put there again."""
    if not shopper.get("/api/cart").json()["lines"]:
        fill_cart(shopper, variant, 1)

    def answered() -> Any:
        response = send(shopper, "POST", "/api/orders", body, **{"Idempotency-Key": key})
        return None if "Retry-After" in response else response

    # PostgreSQL may take a moment to notice that the process is gone.
    response = wait_until(answered, 10, "the key is free, or answered")
    assert response.status_code == HTTPStatus.CREATED, response.content
    document: dict[str, Any] = response.json()
    return document


def test_an_order_exists_once_wherever_its_process_was_killed(
    killer: Killer, variant: Variant, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    placed, steps = orders_after_a_crash_at_each_step(killer, variant, settings, careless=False)

    with capsys.disabled():
        print(f"\nkilled at {len(steps)} boundaries of an order")
    assert len(steps) >= FEWEST
    assert placed == [1] * len(steps)
    assert StockItem.objects.get().allocated == Order.objects.count() == len(steps) + 1
    regions = Counter(Order.objects.values_list("region", flat=True))
    assert regions.keys() == {"taiwan", "tokyo"}  # some died before the commit, some after it


def test_a_key_that_is_written_after_the_effect_is_lost_in_a_crash(
    killer: Killer, variant: Variant, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: the same crashes, with the guard bypassed in both processes."""
    bypass_guard(monkeypatch.setattr)

    placed, _ = orders_after_a_crash_at_each_step(killer, variant, settings, careless=True)

    assert max(placed) == 2
