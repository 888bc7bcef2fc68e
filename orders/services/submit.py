"""The checkout page's one button: one order however often it is pressed."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

from django.db import transaction

from orders.answers import Answer
from orders.errors import refusal_as_json, refusal_of
from orders.idempotency import idempotent
from orders.models import IdempotencyRecord, Order
from orders.services.checkout import OrderDetails, Shown, place_order
from shop.errors import ShopError
from shop.models import Cart, Customer
from shop.services.addresses import add_address

WAIT_MS: Final = 4000
"""How long a second press waits for the first. A browser shows one page: better late than 409."""


def submit_checkout(
    *,
    owners: tuple[str, ...],
    key: UUID,
    cart: Cart | None,
    customer: Customer | None,
    details: OrderDetails,
    shown: Shown,
    save_address: bool = False,
) -> str:
    """Place the order, or find the one that this key placed before. Returns its number.

    Raises what `place_order` raises, also when the same press was refused before, and what
    `idempotent` raises; then nothing has changed.
    """
    content = {
        **asdict(details),
        "cart_version": shown.cart_version,
        "expected": asdict(shown.total) if shown.total else None,
        "save": save_address,
    }

    def settle(order: Order) -> None:
        if customer and save_address:
            add_address(customer=customer, fields=_postal_fields(details))
        attempt.settle(_answer(HTTPStatus.SEE_OTHER, {"number": order.number}))

    with idempotent(
        owners=owners, key=key, content=content, decline=_decline, wait_ms=WAIT_MS
    ) as attempt:
        if not attempt.answer:
            place_order(cart=cart, customer=customer, details=details, shown=shown, settle=settle)
    return _number_in(attempt.settled.body)


def order_placed_with(*, owners: tuple[str, ...], key: UUID) -> str | None:
    """Number of the order that this key placed, if it did."""
    placed = IdempotencyRecord.objects.filter(
        owner__in=owners, key=key, status=HTTPStatus.SEE_OTHER
    )
    record = placed.first()
    return _number_in(bytes(record.body or b"")) if record else None


def _decline(error: ShopError) -> Answer:
    return _answer(HTTPStatus.CONFLICT, refusal_as_json(error))


def _answer(status: HTTPStatus, document: dict[str, Any]) -> Answer:
    return Answer(status, json.dumps(document).encode())


@transaction.atomic
def adopt_orders(*, customer: Customer, numbers: list[str]) -> int:
    """Give a new customer the orders placed in their session with the same e-mail."""
    orders = Order.objects.filter(number__in=numbers, customer=None)
    return orders.filter(email__iexact=customer.email).update(customer=customer)


def _number_in(body: bytes) -> str:
    """Raises the refusal that stands there instead."""
    document = json.loads(body)
    if "refused" in document:
        raise refusal_of(document)
    return str(document["number"])


def _postal_fields(details: OrderDetails) -> Mapping[str, Any]:
    return {
        "name": details.name,
        "line1": details.line1,
        "line2": details.line2,
        "city": details.city,
        "postcode": details.postcode,
        "country": details.country,
    }
