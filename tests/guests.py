"""Guests of the JSON API: a cart each, and one order however often they send it."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Self
from uuid import uuid4

import httpx

from tests.shopper import NO_TLS, new_email

ADDRESS: Final = {
    "line1": "12 Harbour Road",
    "city": "Keelung",
    "postcode": "202",
    "country": "TW",
}


@dataclass
class Guest:
    """Wants `{sku: quantity}`, put into the cart in this order."""

    wants: Mapping[str, int]
    timeout: float = 30
    """Seconds a request may take; then httpx raises ReadTimeout."""
    email: str = field(default_factory=new_email)
    key: str = field(default_factory=lambda: str(uuid4()))
    client: httpx.Client = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.client = httpx.Client(verify=NO_TLS, trust_env=False, timeout=self.timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.client.close()

    def fill_cart(self, base: str) -> Self:
        """A busy shop says so to some: they begin anew, as nobody knows what that cart holds."""
        for _ in range(20):
            answers = [
                self.client.post(f"{base}/api/cart/items", json={"sku": sku, "quantity": quantity})
                for sku, quantity in self.wants.items()
            ]
            if httpx.codes.SERVICE_UNAVAILABLE not in {each.status_code for each in answers}:
                break
            self.client.cookies.clear()
            time.sleep(1)
        assert {each.status_code for each in answers} <= {httpx.codes.OK}, answers[-1].text
        return self

    @property
    def body(self) -> dict[str, object]:
        """Of the order."""
        told = {"email": self.email, "name": "Lin Mei", "payment_method": "invoice"}
        return told | {"address": ADDRESS}

    def order(self, base: str) -> httpx.Response:
        """With the one key. Raises httpx.TransportError: nobody knows what became of it."""
        return self.client.post(
            f"{base}/api/orders", json=self.body, headers={"Idempotency-Key": self.key}
        )


def must_ask_again(answer: httpx.Response) -> bool:
    """Whether this was no end: a region is busy, or the first of two requests still runs."""
    return answer.status_code == httpx.codes.SERVICE_UNAVAILABLE or (
        answer.status_code == httpx.codes.CONFLICT
        and answer.json()["type"] == "urn:anyport:problem:still-running"
    )
