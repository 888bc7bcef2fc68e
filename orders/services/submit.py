"""The checkout page's one button: one order however often it is pressed."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final
from uuid import UUID

from django.db import transaction

from orders.idempotency import idempotent
from orders.models import IdempotencyRecord, Order
from orders.services.checkout import OrderDetails, place_order
from shop.models import Cart, Customer
from shop.money import Money
from shop.services.addresses import add_address

WAIT_MS: Final = 4000
"""How long a second press waits for the first. A browser shows one page: better late than 409."""


def submit_checkout(
    *,
    owner: str,
    key: UUID,
    cart: Cart | None,
    customer: Customer | None,
    details: OrderDetails,
    expected: Money,
    cart_version: int,
    save_address: bool = False,
) -> str:
    """Place the order, or find the one that this key placed before. Returns its number.

    Raises what `place_order` and `idempotent` raise; then nothing has changed.
    """
    content = {
        **asdict(details),
        "cart_version": cart_version,
        "expected": expected.as_json(),
        "save": save_address,
    }
    with idempotent(owner=owner, key=key, content=content, wait_ms=WAIT_MS) as attempt:
        if attempt.replay:
            return _number_in(attempt.replay.body)
        order = place_order(
            cart=cart,
            customer=customer,
            details=details,
            expected=expected,
            cart_version=cart_version,
        )
        if customer and save_address:
            add_address(customer=customer, fields=_postal_fields(details))
        attempt.answer(303, json.dumps({"number": order.number}).encode())
    return order.number


def order_placed_with(*, owner: str, key: UUID) -> str | None:
    """Number of the order that this key placed, if it did."""
    record = IdempotencyRecord.objects.filter(owner=owner, key=key, body__isnull=False).first()
    return _number_in(bytes(record.body or b"")) if record else None


@transaction.atomic
def adopt_orders(*, customer: Customer, numbers: list[str]) -> int:
    """Give a new customer the orders placed in their session with the same e-mail."""
    orders = Order.objects.filter(number__in=numbers, customer=None)
    return orders.filter(email__iexact=customer.email).update(customer=customer)


def _number_in(body: bytes) -> str:
    return str(json.loads(body)["number"])


def _postal_fields(details: OrderDetails) -> Mapping[str, Any]:
    return {
        "name": details.name,
        "line1": details.line1,
        "line2": details.line2,
        "city": details.city,
        "postcode": details.postcode,
        "country": details.country,
    }
