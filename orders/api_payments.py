"""The JSON API of payments and refunds (mounted under /api/orders by orders.api).

The answer to a key is written with the payment or refund, before any gateway is asked: so it is
the same, byte for byte, whatever the gateway says. How it stands is at the answer's `Location`.
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ObjectDoesNotExist
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from ninja import Field, Query, Router, Schema
from ninja.errors import HttpError, Throttled
from pydantic import StrictInt

from orders.answers import Answer
from orders.errors import NothingCaptured, TooManyTries
from orders.gateways import BY_HAND, gateway_of, method_of
from orders.keyed import IdempotencyKey, keyed
from orders.models import Order, Payment, Refund
from orders.numbers import read_number
from orders.queries import look_up_order, may_change
from orders.services.payments import advance, open_payment, try_now
from orders.services.refunds import advance_refund, request_refund
from shop.api import Text
from shop.models import Customer
from shop.problems import Problem

payments_router = Router(tags=["Payments"])

LARGEST = 2**63 - 1
MAY_REFUND = "orders.add_refund"
MAY_SEE_REFUNDS = "orders.view_refund"


class PaymentIn(Schema):
    method: Order.Payment


class PaymentOut(Schema):
    """`amount` counts minor units of `currency`."""

    id: UUID
    method: str
    state: Payment.State
    amount: int
    currency: str
    action_url: str | None = Field(
        description="Where the shopper's browser pays; null where money comes by bank or at the"
        " door. It stays the same, and leads on to the order once nothing is to be paid."
    )


class RefundIn(Schema):
    amount: Annotated[StrictInt, Field(ge=1, le=LARGEST)] = Field(
        description="In minor units of the payment's currency."
    )
    reason: Annotated[Text, Field(min_length=1, max_length=200)] = Field(description="For staff.")


class RefundOut(Schema):
    """`amount` counts minor units of `currency`."""

    id: UUID
    state: Refund.State
    amount: int
    currency: str
    reason: str


@payments_router.post(
    "/{number}/payments",
    response={201: PaymentOut, frozenset({400, 403, 404, 409, 413, 415, 422, 429}): Problem},
    summary="Pay an order",
)
def create_payment(
    request: HttpRequest,
    number: str,
    wanted: PaymentIn,
    key: IdempotencyKey = "",
    email: Query[Text] = "",
) -> HttpResponse:
    """For whoever placed the order; others add `?email=`. An order has one payment at a time: the
    one that is open is answered again. Send the shopper to `action_url`. Another method than the
    order's own is chosen by whoever placed it.
    """
    order = _order(request, number, email=email)
    with keyed(request, key, wanted) as attempt:
        if not attempt.answer:
            _check_method(request, order, wanted.method)
            payment = open_payment(order=order, gateway=gateway_of(wanted.method))
            attempt.answer = _answer(order, "payments", payment_out(payment))
    if attempt.outcome == "done":
        try_now(payment, advance)
    return attempt.response()


@payments_router.get(
    "/{number}/payments/{uuid:payment_id}",
    response={200: PaymentOut, frozenset({404, 422, 429}): Problem},
    summary="How a payment stands",
)
def read_payment(
    request: HttpRequest, number: str, payment_id: UUID, email: Query[Text] = ""
) -> PaymentOut:
    order = _order(request, number, email=email)
    return payment_out(_found(lambda: order.payments.get(pk=payment_id)))


@payments_router.post(
    "/{number}/refunds",
    response={201: RefundOut, frozenset({400, 403, 404, 409, 413, 415, 422}): Problem},
    summary="Send money back",
)
def create_refund(
    request: HttpRequest, number: str, wanted: RefundIn, key: IdempotencyKey = ""
) -> HttpResponse:
    """For staff who may add refunds. Never more than was taken, refunds under way included."""
    actor = _staff(request, MAY_REFUND)
    order = _order(request, number)
    with keyed(request, key, wanted) as attempt:
        if not attempt.answer:
            refund = request_refund(
                payment=_captured_payment(order),
                amount=wanted.amount,
                reason=wanted.reason,
                actor=actor,
                key=UUID(key),
            )
            attempt.answer = _answer(order, "refunds", refund_out(refund))
    if attempt.outcome == "done":
        try_now(refund, advance_refund)
    return attempt.response()


@payments_router.get(
    "/{number}/refunds/{uuid:refund_id}",
    response={200: RefundOut, frozenset({403, 404, 422}): Problem},
    summary="How a refund stands",
)
def read_refund(request: HttpRequest, number: str, refund_id: UUID) -> RefundOut:
    _staff(request, MAY_SEE_REFUNDS)
    order = _order(request, number)
    refunds = Refund.objects.select_related("payment").filter(payment__order=order)
    return refund_out(_found(lambda: refunds.get(pk=refund_id)))


def payment_out(payment: Payment) -> PaymentOut:
    """`action_url` is ours, so that it can be told before the gateway was asked for its own."""
    path = reverse("orders:pay_link", args=[payment.order.number, payment.pk])
    return PaymentOut(
        id=payment.pk,
        method=method_of(payment.gateway),
        state=Payment.State(payment.state),
        amount=payment.amount,
        currency=payment.currency,
        action_url=None if payment.gateway in BY_HAND else settings.ANYPORT_URL + path,
    )


def refund_out(refund: Refund) -> RefundOut:
    return RefundOut(
        id=refund.pk,
        state=Refund.State(refund.state),
        amount=refund.amount,
        currency=refund.payment.currency,
        reason=refund.reason,
    )


def _answer(order: Order, collection: str, out: PaymentOut | RefundOut) -> Answer:
    headers = {
        "Content-Type": "application/json",
        "Location": f"/api/orders/{order.number}/{collection}/{out.id}",
    }
    return Answer(HTTPStatus.CREATED, out.model_dump_json().encode(), headers)


def _order(request: HttpRequest, number: str, *, email: str = "") -> Order:
    """Raises Http404 for what the asker may not read, Throttled."""
    canonical = read_number(number) or ""
    try:
        order = look_up_order(request, canonical, email=email) if canonical else None
    except TooManyTries as error:
        raise Throttled(error.seconds) from error
    if order is None:
        raise Http404
    return order


def _check_method(request: HttpRequest, order: Order, method: str) -> None:
    if method != order.payment_method and not may_change(request, order.number):
        raise HttpError(
            HTTPStatus.FORBIDDEN,
            "Only whoever placed the order can choose another way to pay. Nothing was changed.",
        )


def _staff(request: HttpRequest, permission: str) -> Customer:
    user = request.user
    if isinstance(user, Customer) and user.is_staff and user.has_perm(permission):
        return user
    raise HttpError(
        HTTPStatus.FORBIDDEN, "Only staff who may do this can. Nothing was changed. Log in as one."
    )


def _captured_payment(order: Order) -> Payment:
    """Raises NothingCaptured."""
    payment = order.payments.filter(state=Payment.State.CAPTURED).first()
    if payment is None:
        raise NothingCaptured
    return payment


def _found[Row](get: Callable[[], Row]) -> Row:
    try:
        return get()
    except ObjectDoesNotExist:
        raise Http404 from None
