"""Problems of orders (RFC 9457), and of idempotency keys.

A refusal is the answer to its Idempotency-Key for good; so each says to send a new one.
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI

from orders.answers import Answer
from orders.errors import (
    CartChanged,
    EmptyCart,
    MethodNotOffered,
    NotForSale,
    NothingCaptured,
    PaymentUnderWay,
    RefundTooLarge,
    TotalChanged,
    WrongStatus,
)
from orders.idempotency import BadKey, KeyReused, StillRunning
from shop.errors import OutOfStock, ShopError
from shop.problems import answer_with, problem

RETRY_AFTER: Final = 1
"""Seconds after which the first of two equal requests has ended."""


def _empty_cart(error: EmptyCart) -> HttpResponse:
    return problem(
        HTTPStatus.CONFLICT,
        "The cart is empty, or its session has expired. Nothing was ordered. Add something with"
        " POST /api/cart/items, send the session's cookie along, and order with a new"
        " Idempotency-Key.",
        kind="empty-cart",
    )


def _not_for_sale(error: NotForSale) -> HttpResponse:
    return problem(
        HTTPStatus.CONFLICT,
        f"{error.name} ({error.sku}) is not for sale in this currency, or not any more. Nothing"
        " was ordered. Take it out of the cart and order with a new Idempotency-Key.",
        kind="not-for-sale",
        sku=error.sku,
    )


def _out_of_stock(error: OutOfStock) -> HttpResponse:
    left = f"Only {error.available} are left" if error.available else "None are left"
    return problem(
        HTTPStatus.CONFLICT,
        f"{left} of {error.name} ({error.sku}). Nothing was ordered. Change the cart and order"
        " with a new Idempotency-Key.",
        kind="out-of-stock",
        sku=error.sku,
        available=error.available,
    )


def _cart_changed(error: CartChanged) -> HttpResponse:
    return problem(
        HTTPStatus.CONFLICT,
        "The cart has changed since it had the version that you sent. Nothing was ordered. Read"
        " GET /api/cart, and order what it holds with its version and a new Idempotency-Key.",
        kind="cart-changed",
        version=error.version,
    )


def _total_changed(error: TotalChanged) -> HttpResponse:
    return problem(
        HTTPStatus.CONFLICT,
        f"The cart now costs {error.subtotal}, with delivery {error.total}. Nothing was ordered."
        " If that is all right, order with these totals and a new Idempotency-Key.",
        kind="total-changed",
        cart_total=error.subtotal.as_json(),
        total=error.total.as_json(),
    )


def _method_not_offered(error: MethodNotOffered) -> HttpResponse:
    return problem(
        HTTPStatus.CONFLICT,
        f"The shop does not take money by {error.method} now. Nothing was ordered or charged."
        " Choose another method, with a new Idempotency-Key.",
        kind="method-not-offered",
    )


def _wrong_status(error: WrongStatus) -> HttpResponse:
    return problem(
        HTTPStatus.CONFLICT,
        f"Order {error.number} is {error.status}: it cannot become {error.wanted}. Nothing was"
        " changed or charged. Read GET /api/orders/{number} for how it stands.",
        kind="wrong-status",
        order_status=error.status,
    )


def _payment_under_way(error: PaymentUnderWay) -> HttpResponse:
    return problem(
        HTTPStatus.CONFLICT,
        f"This order is being paid by {error.method}, which may take its money any moment."
        " Nothing was changed. Finish that, or wait until it has ended and send a new"
        " Idempotency-Key.",
        kind="payment-under-way",
        method=error.method,
    )


def _nothing_captured(error: NothingCaptured) -> HttpResponse:
    return problem(
        HTTPStatus.CONFLICT,
        "No money of this order is here: none was taken, or all of it went back. Nothing was sent.",
        kind="nothing-captured",
    )


def _refund_too_large(error: RefundTooLarge) -> HttpResponse:
    return problem(
        HTTPStatus.CONFLICT,
        f"Only {error.left} are left of what was taken, refunds under way included. Nothing was"
        " sent. Send back that or less with a new Idempotency-Key.",
        kind="refund-too-large",
        left=error.left.as_json(),
    )


DECLINED: Final[dict[type[ShopError], Callable[[Any], HttpResponse]]] = {
    EmptyCart: _empty_cart,
    NotForSale: _not_for_sale,
    OutOfStock: _out_of_stock,
    CartChanged: _cart_changed,
    TotalChanged: _total_changed,
    MethodNotOffered: _method_not_offered,
    WrongStatus: _wrong_status,
    PaymentUnderWay: _payment_under_way,
    NothingCaptured: _nothing_captured,
    RefundTooLarge: _refund_too_large,
}


def decline(error: ShopError) -> Answer:
    """The refusal that is kept. Raises the error itself if it is none that was foreseen."""
    if type(error) not in DECLINED:
        raise error
    return Answer.of(DECLINED[type(error)](error))


def _bad_key(request: HttpRequest, error: BadKey) -> HttpResponse:
    return problem(
        HTTPStatus.BAD_REQUEST,
        "Send the header Idempotency-Key with a UUID v4, so that what is sent twice is done"
        " once. Nothing was done.",
        kind="idempotency-key-required",
    )


def _key_reused(request: HttpRequest, error: KeyReused) -> HttpResponse:
    return problem(
        HTTPStatus.UNPROCESSABLE_CONTENT,
        "This Idempotency-Key was sent before with another body. Nothing was done now. Send a"
        " new key for something new.",
        kind="idempotency-key-reused",
    )


def _still_running(request: HttpRequest, error: StillRunning) -> HttpResponse:
    return problem(
        HTTPStatus.CONFLICT,
        "The first request with this Idempotency-Key is still running. Send the same again in a"
        " moment to learn how it ended; it will not be done twice.",
        kind="still-running",
        headers={"Retry-After": str(RETRY_AFTER)},
    )


def answer_with_order_problems(api: NinjaAPI) -> None:
    answer_with(api, BadKey, _bad_key)
    answer_with(api, KeyReused, _key_reused)
    answer_with(api, StillRunning, _still_running)
    for error, describe in DECLINED.items():
        answer_with(api, error, _handler(describe))


def _handler(
    describe: Callable[[Any], HttpResponse],
) -> Callable[[HttpRequest, ShopError], HttpResponse]:
    return lambda request, error: describe(error)
