"""To the payment page and back; and the webhook, which tells the same without a browser."""

from http import HTTPStatus
from typing import Final, cast
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

from orders.answers import Answer
from orders.errors import MethodNotOffered, PaymentUnderWay, WrongStatus
from orders.gateways import UnknownGateway, gateway_of, get_gateway
from orders.gateways.events import ForgedEvent, TellsEvents
from orders.idempotency import IdempotencyError, idempotent, owners_of, read_key
from orders.models import Order, Payment
from orders.numbers import read_number
from orders.problems import decline
from orders.queries import find_order, may_change
from orders.services.cards import EVENTS, AskAgain, come_back, pay_by_card, take_event
from orders.services.payments import open_payment
from orders.services.submit import WAIT_MS
from shop.privacy import private_page

LARGEST_EVENT: Final = 256 << 10
"""Bytes; Stripe's events have a few thousand."""
RETRY_AFTER: Final = 10


@require_POST
@private_page
def pay(request: HttpRequest, number: str) -> HttpResponse:
    """Whoever may read an order for a card may pay it; another order would change its method."""
    order = find_order(request, read_number(number) or "")
    if order and order.payment_method != Order.Payment.CARD:
        order = may_change(request, order.number)
    if order is None:
        return to_order(number)
    try:
        return _pay_once(request, order, read_key(request.POST.get("key", "")))
    except IdempotencyError:  # such as a form of the release before
        messages.info(request, _("Nothing has begun yet. Please press “Pay now” once more."))
        return to_order(number)


def _pay_once(request: HttpRequest, order: Order, key: UUID) -> HttpResponse:
    """A second press of one form is led to where the first one leads, and begins nothing.

    Raises KeyReused, StillRunning.
    """
    with idempotent(
        owners=owners_of(request),
        key=key,
        content={"pay": order.number},
        decline=decline,
        wait_ms=WAIT_MS,
    ) as attempt:
        if not attempt.answer:
            open_payment(order=order, gateway=gateway_of(Order.Payment.CARD))
            attempt.answer = Answer(HTTPStatus.SEE_OTHER, b"")
    if attempt.outcome == "done":
        return to_payment_page(request, order)
    begun = attempt.settled.status == HTTPStatus.SEE_OTHER
    payment = come_back(order) if begun else None
    if payment and payment.action_url:
        return _see_other(payment.action_url)
    return to_order(order.number)


def to_payment_page(request: HttpRequest, order: Order) -> HttpResponse:
    """303 to where the order is paid by card; to the order where there is nothing to pay."""
    try:
        payment = pay_by_card(order)
    except (WrongStatus, PaymentUnderWay, MethodNotOffered):  # the order's page says how it stands
        return to_order(order.number)
    if payment.action_url:
        return _see_other(payment.action_url)
    if payment.state != Payment.State.CAPTURED:
        text = _("The payment page does not answer. Nothing was charged, and your order is kept.")
        messages.warning(request, text)
    return to_order(order.number)


@require_safe
@private_page
def paid(request: HttpRequest, number: str) -> HttpResponse:
    """Where the gateway's page sends the shopper. That they come proves nothing: it is asked."""
    order = find_order(request, read_number(number) or "")
    payment = come_back(order) if order else None
    if payment and payment.state in (Payment.State.REQUIRES_ACTION, Payment.State.AUTHORISED):
        text = _("We are checking your payment. This page tells as soon as we know.")
        messages.info(request, text)
    return to_order(number)


@csrf_exempt
@require_POST
def stripe_webhook(request: HttpRequest) -> HttpResponse:
    """400 for what Stripe did not send; 503 for what it should send again; else 200."""
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not length.isdecimal() or int(length) > LARGEST_EVENT:
        return HttpResponse(status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    try:
        gateway = cast(TellsEvents, get_gateway("stripe"))
    except UnknownGateway:
        raise Http404 from None
    try:
        take_event(gateway.read_event(request.body, request.headers.get("Stripe-Signature", "")))
    except ForgedEvent:
        EVENTS.labels("stripe", "forged").inc()
        return HttpResponse(status=HTTPStatus.BAD_REQUEST)
    except AskAgain:
        headers = {"Retry-After": str(RETRY_AFTER)}
        return HttpResponse(status=HTTPStatus.SERVICE_UNAVAILABLE, headers=headers)
    return HttpResponse()


def to_order(number: str) -> HttpResponse:
    """Which asks for the e-mail those who may not read it."""
    return _see_other(redirect("orders:order", number).headers["Location"])


def _see_other(address: str) -> HttpResponse:
    response = redirect(address)
    response.status_code = HTTPStatus.SEE_OTHER
    return response
