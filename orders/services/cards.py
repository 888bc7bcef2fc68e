"""A shopper's way through a gateway's page, and the two ways back: their browser, and a webhook.

Both ways only say that there is something to ask; `advance` asks. They may come at once, in two
regions: one asks the gateway, the other waits for it.
"""

import logging
import time
from collections.abc import Callable
from typing import Final
from uuid import UUID

from prometheus_client import Counter

from orders.gateways import BY_HAND, gateway_of
from orders.gateways.events import Event
from orders.models import GatewayEvent, Order, Payment, Refund
from orders.services.payments import advance, open_payment, try_now
from orders.services.refunds import advance_refund
from orders.services.status import OPEN_PAYMENT

logger = logging.getLogger(__name__)

State = Payment.State

PATIENCE: Final = 3.0
"""Seconds for which one who comes back waits for another caller who is asking."""
POLL: Final = 0.1

EVENTS: Final = Counter(
    "orders_gateway_events",
    "Webhooks of payment gateways, by what was done.",
    ["gateway", "outcome"],
)  # done, duplicate, unknown, forged, later


class AskAgain(Exception):
    """What the event tells of could not be looked up now: it should be sent again."""


def pay_by_card(order: Order) -> Payment:
    """The payment whose `action_url` the shopper is to be sent to; it has none when that failed.

    Raises WrongStatus for an order that waits for no money, PaymentUnderWay, MethodNotOffered.
    """
    gateway = gateway_of(Order.Payment.CARD)
    payment = try_now(open_payment(order=order, gateway=gateway), advance)
    if payment.state in (State.FAILED, State.CANCELLED):  # such as a page that has expired
        payment = try_now(open_payment(order=order, gateway=gateway), advance)
    return payment


def come_back(order: Order) -> Payment | None:
    """The order's latest payment, after the shopper was at the gateway's page.

    None where money comes by hand: there is nobody to ask.
    """
    payment = order.payments.exclude(gateway__in=BY_HAND).first()
    return try_now(payment, lambda _: look_again(payment, advance)) if payment else None


def look_again[Row: (Payment, Refund)](row: Row, move: Callable[[UUID], Row]) -> Row:
    """Ask the gateway, and not before now; or let one ask who began after now.

    What a caller learns who began earlier may be older than the news. Gives up after PATIENCE,
    and then the row still is claimed, or its attempt the one of before.
    """
    before = row.attempt
    deadline = time.monotonic() + PATIENCE
    while True:
        row = move(row.pk)
        if not _is_open(row) or _was_asked_since(row, before) or time.monotonic() > deadline:
            return row
        time.sleep(POLL)


def _is_open(row: Payment | Refund) -> bool:
    return row.state in (*OPEN_PAYMENT, Refund.State.REQUESTED)


def _was_asked_since(row: Payment | Refund, attempt: int) -> bool:
    return row.attempt > attempt and row.claimed_until is None


def take_event(event: Event) -> None:
    """Do once what a webhook is about. Raises AskAgain.

    The event is written down after it was acted upon, not before: whoever dies in between leaves
    it to the gateway's next try, and asking twice is harmless.
    """
    if GatewayEvent.objects.filter(gateway=event.gateway, event_id=event.id).exists():
        EVENTS.labels(event.gateway, "duplicate").inc()
        return
    outcome = _act(event)
    EVENTS.labels(event.gateway, outcome).inc()
    if outcome == "later":
        raise AskAgain(event.id)
    written = GatewayEvent(gateway=event.gateway, event_id=event.id, kind=event.kind)
    GatewayEvent.objects.bulk_create([written], ignore_conflicts=True)


def _act(event: Event) -> str:
    """How it went: done, unknown, or later where the gateway could not be asked."""
    row: Payment | Refund | None = None
    if event.refund:
        row = Refund.objects.filter(pk=event.refund, payment__gateway=event.gateway).first()
    elif event.payment:
        row = Payment.objects.filter(pk=event.payment, gateway=event.gateway).first()
    if row is None:
        logger.warning("webhook %s %s is about nothing of ours", event.kind, event.id)
        return "unknown"
    if event.kind == "refund.failed" and row.state == Refund.State.DONE:
        logger.error("refund %s did not arrive in the end: send the money another way", row.pk)
    before = row.attempt
    match row:
        case Payment():
            row = look_again(row, advance)
        case Refund():
            row = look_again(row, advance_refund)
    answered = _was_asked_since(row, before) and not row.failure
    return "done" if answered or not _is_open(row) else "later"
