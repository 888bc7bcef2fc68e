"""Money that goes back: taken off what is left at once, asked of the gateway after the commit.

request_refund ─► REQUESTED          its amount is off payment and order from here on
staff's click, job ─► advance_refund
    the gateway has done it ─► DONE   mail; order REFUNDED once all is back
    the gateway refused ─► FAILED     the amount is back on payment and order
"""

import logging
from typing import Final
from uuid import UUID, uuid5

from django.db import transaction
from django.db.models import F, Sum
from django.utils import timezone
from django.utils.translation import gettext_noop

from orders.errors import NothingCaptured, RefundTooLarge
from orders.gateways import get_gateway
from orders.gateways.base import GatewayRefused, GatewayUnreachable, RefundAnswer
from orders.idempotency import KeyReused
from orders.mails import queue_mail
from orders.models import Order, Payment, Refund
from orders.models.idempotency import find_keyed, keyed_id
from orders.services.gateway_calls import ask, lock_order, pause, record, take
from orders.services.status import cause_of, change_status, tell_tabs
from shop.models import Customer
from shop.money import Money

logger = logging.getLogger(__name__)

State = Refund.State

TOO_LATE: Final = gettext_noop("Your payment came after the order was cancelled")
"""Why the shop pays back by itself."""
PAID_BACK: Final = (Order.Status.PAID, Order.Status.PARTLY_FULFILLED, Order.Status.FULFILLED)
"""Statuses that a full refund ends."""


@transaction.atomic
def request_refund(
    *, payment: Payment, amount: int, reason: str, actor: Customer | None, key: UUID
) -> Refund:
    """Write down that `amount` (minor units) is to go back. Ask `advance_refund` after the commit.

    Of `key`, payment and actor the refund's id is made: a second click is the same refund, and
    another clerk's key is another key. Raises ValueError for less than 1, RefundTooLarge for more
    than is left, NothingCaptured, and KeyReused for another refund under the same key; then nothing
    has changed.
    """
    if amount < 1:
        raise ValueError(f"a refund of {amount}")
    lock_order(payment.order_id)
    owners = (payment.pk, actor.pk if actor else "shop")
    if there := find_keyed(payment.refunds.filter(actor=actor), key, *owners):
        return _same_refund(there, amount, reason)
    take_off(payment, amount)
    return Refund.objects.create(
        pk=keyed_id(key, *owners),
        payment=payment,
        amount=amount,
        reason=reason,
        actor=actor,
        next_try_at=timezone.now(),
    )


def refund_by_itself(payment: Payment) -> Refund:
    """All of it goes back, as the order is gone. Once a payment, whoever finds out."""
    return request_refund(
        payment=payment,
        amount=payment.amount,
        reason=TOO_LATE,
        actor=None,
        key=uuid5(payment.pk, "order gone"),
    )


def take_off(payment: Payment, amount: int) -> None:
    """In one statement that fails rather than sends back more than was taken."""
    enough = Payment.objects.filter(
        pk=payment.pk,
        state=Payment.State.CAPTURED,
        refunded_amount__lte=F("amount") - amount,
    )
    if not enough.update(refunded_amount=F("refunded_amount") + amount):
        payment.refresh_from_db()
        if payment.state != Payment.State.CAPTURED:
            raise NothingCaptured
        left = payment.amount - payment.refunded_amount
        raise RefundTooLarge(Money(amount, payment.currency), Money(left, payment.currency))
    Order.objects.filter(pk=payment.order_id).update(refunded_amount=F("refunded_amount") + amount)
    payment.refunded_amount += amount


def _put_back(refund: Refund) -> None:
    Payment.objects.filter(pk=refund.payment_id).update(
        refunded_amount=F("refunded_amount") - refund.amount
    )
    Order.objects.filter(payments=refund.payment_id).update(
        refunded_amount=F("refunded_amount") - refund.amount
    )


def _same_refund(refund: Refund, amount: int, reason: str) -> Refund:
    """Raises KeyReused."""
    if (refund.amount, refund.reason) != (amount, reason):
        raise KeyReused
    refund.was_there = True
    return refund


def advance_refund(refund_id: UUID) -> Refund:
    """Ask the gateway for the refund, unless it is done or another caller asks right now.

    What goes wrong there is written down, and tried again by the completer. Raises
    Refund.DoesNotExist, and RuntimeError inside a transaction.
    """
    refund = Refund.objects.select_related("payment").get(pk=refund_id)
    if refund.state == State.REQUESTED and take(refund):
        _record(refund, _ask(refund))
    return Refund.objects.select_related("payment").get(pk=refund_id)


def advance_new_refunds(payment: Payment) -> None:
    """Those of which no gateway was asked yet."""
    for refund in payment.refunds.filter(state=State.REQUESTED, attempt=0):
        advance_refund(refund.pk)


def _ask(refund: Refund) -> RefundAnswer:
    name = refund.payment.gateway
    try:
        return ask(name, "refund", lambda: get_gateway(name).refund(refund))
    except GatewayRefused as error:
        return RefundAnswer(State.FAILED, failure=str(error))
    except GatewayUnreachable as error:
        return RefundAnswer(State.REQUESTED, failure=str(error))


@transaction.atomic(durable=True)
def _record(refund: Refund, answer: RefundAnswer) -> None:
    order = lock_order(refund.payment.order_id)
    mine = record(
        refund,
        gateway=refund.payment.gateway,
        wait=pause(refund.attempt) if answer.state == State.REQUESTED else None,
        state=answer.state,
        reference=answer.reference[:200] or refund.reference,
        failure=answer.failure[:300],
    )
    if not mine:
        return
    if answer.state == State.FAILED:
        _put_back(refund)
        if refund.actor_id is None:  # no clerk asked, so none reads the answer
            logger.error("%s: refund %s failed: send the money back by hand", order, refund.pk)
        tell_tabs(order, order.status)
    elif answer.state == State.DONE:
        _finish(refund, order)


def _finish(refund: Refund, order: Order) -> None:
    """The money is back: the shopper is told, and an order of which all is back has ended."""
    queue_mail(order, "refunded", about=str(refund.pk), amount=refund.amount)
    done = Refund.objects.filter(payment=refund.payment_id, state=State.DONE)
    total = done.aggregate(total=Sum("amount"))["total"]
    if total < refund.payment.amount:
        return tell_tabs(order, order.status)
    Payment.objects.filter(pk=refund.payment_id).update(state=Payment.State.REFUNDED)
    if order.status in PAID_BACK:
        # The reason is for staff: the ledger has it, the history is shown to the shopper.
        cause = cause_of(order, refund.actor, refund.reason)
        change_status(order=order, to=Order.Status.REFUNDED, actor=refund.actor, cause=cause)
    else:
        tell_tabs(order, order.status)
