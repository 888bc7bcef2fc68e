"""The shoppers of the benchmark: they fill carts, then order, one after the other.

In processes of their own, and with little of their own to do: what they take from the machine is
taken from the shop.
"""

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import cycle
from typing import Self
from uuid import uuid4

import httpx

from tests.guests import ADDRESS, must_ask_again
from tests.shopper import NO_TLS, new_email


@dataclass(frozen=True)
class Cart:
    """A guest's cart with one unit."""

    sku: str
    cookie: str
    email: str = field(default_factory=new_email)
    key: str = field(default_factory=lambda: str(uuid4()))


@dataclass
class Taken:
    """What a share of the shoppers was told."""

    numbers: dict[str, str] = field(default_factory=dict)
    """SKU of each acknowledged order, by its number."""
    milliseconds: list[float] = field(default_factory=list)
    """From an order's first request to its answer, however often it was sent."""
    asked_again: list[int] = field(default_factory=list)
    """Statuses of the answers after which the same was sent again."""
    began: float = 0
    ended: float = 0
    processor_seconds: float = 0

    @classmethod
    def joined(cls, shares: Iterable[Self]) -> Self:
        shares = list(shares)
        return cls(
            {number: sku for share in shares for number, sku in share.numbers.items()},
            [each for share in shares for each in share.milliseconds],
            [each for share in shares for each in share.asked_again],
            min(share.began for share in shares),
            max(share.ended for share in shares),
            sum(share.processor_seconds for share in shares),
        )


def fill(bases: list[str], skus: list[str], threads: int, seconds: float) -> list[Cart]:
    """A cart of a guest for each SKU, as many as are filled in time."""
    until = time.monotonic() + seconds
    turns = cycle(bases)
    wanted = iter([(sku, next(turns)) for sku in skus])
    filled: list[Cart] = []

    def shop(client: httpx.Client) -> None:
        for sku, base in wanted:
            answer = client.post(f"{base}/api/cart/items", json={"sku": sku, "quantity": 1})
            answer.raise_for_status()
            cookie = "; ".join(f"{name}={value}" for name, value in answer.cookies.items())
            filled.append(Cart(sku, cookie))
            client.cookies.clear()
            if time.monotonic() > until:
                break

    _play(threads, shop)
    return filled


def order(bases: list[str], carts: list[Cart], shoppers: int, seconds: float) -> Taken:
    """So many shoppers order the carts; after `seconds` they begin no other one."""
    waiting = iter(list(zip(carts, cycle(bases), strict=False)))
    taken = Taken(began=time.monotonic())
    processor = time.process_time()

    def shop(client: httpx.Client) -> None:
        for cart, base in waiting:
            _order(client, base, cart, taken)
            if time.monotonic() - taken.began > seconds:
                break

    _play(shoppers, shop)
    taken.ended = time.monotonic()
    taken.processor_seconds = time.process_time() - processor
    return taken


def _order(client: httpx.Client, base: str, cart: Cart, taken: Taken) -> None:
    """Raises httpx.HTTPStatusError for a refusal: there is enough of everything."""
    body = {"email": cart.email, "name": "Lin Mei", "address": ADDRESS, "payment_method": "invoice"}
    headers = {"Cookie": cart.cookie, "Idempotency-Key": cart.key}
    began = time.monotonic()
    while must_ask_again(answer := client.post(f"{base}/api/orders", json=body, headers=headers)):
        taken.asked_again.append(answer.status_code)
    taken.milliseconds.append(1000 * (time.monotonic() - began))
    answer.raise_for_status()
    taken.numbers[answer.json()["number"]] = cart.sku
    client.cookies.clear()


def _play(shoppers: int, shop: Callable[[httpx.Client], None]) -> None:
    """Each in a thread, with a connection that is kept."""

    def play(_: int) -> None:
        with httpx.Client(verify=NO_TLS, trust_env=False, timeout=30) as client:
            shop(client)

    with ThreadPoolExecutor(shoppers) as pool:
        list(pool.map(play, range(shoppers)))
