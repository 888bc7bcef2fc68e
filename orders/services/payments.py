"""Payments of orders: opened with the order, moved on by whoever asks, finished by a job.

    place_order ─► open_payment          STARTED
    shopper's return, webhook, job ─► advance
        STARTED ─start─► REQUIRES_ACTION ─look_up─► AUTHORISED ─capture─► CAPTURED: order PAID
        order cancelled meanwhile ─cancel─► CANCELLED
        captured all the same ─► order reinstated, else refunded by itself
    staff ─► settle_by_hand              CAPTURED, where money comes by bank or at the door

Nobody's word is taken for what happened but the gateway's own, asked by `advance`.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final, cast
from uuid import UUID

from django.db import InterfaceError, OperationalError, transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from orders.errors import PaymentUnderWay, WrongStatus
from orders.gateways import BY_HAND, get_gateway, method_of
from orders.gateways.base import (
    GatewayRefused,
    GatewayUnreachable,
    PaymentAnswer,
)
from orders.mails import queue_mail
from orders.models import Order, OrderStatusChange, Payment, Refund
from orders.services.gateway_calls import AFTER_REFUSAL, ask, lock_order, pause, record, take
from orders.services.refunds import advance_new_refunds, advance_refund, refund_by_itself
from orders.services.status import (
    OPEN_PAYMENT,
    PAID_AT_DOOR,
    SENT,
    change_status,
    reinstate,
    tell_tabs,
    was_not_paid_in_time,
)
from shop.errors import OutOfStock
from shop.models import Customer, StockItem

logger = logging.getLogger(__name__)

Status = Order.Status
State = Payment.State
type _Outcome = PaymentAnswer | GatewayUnreachable | GatewayRefused

HOLD: Final = {
    Order.Payment.INVOICE: timedelta(days=14),
    Order.Payment.CARD: timedelta(minutes=45),
    Order.Payment.CASH: None,
}
"""How long an unpaid order keeps its stock; None where payment comes with the parcel."""
GONE: Final = (Status.CANCELLED, Status.REFUNDED)
OWED: Final = (Status.PENDING, Status.PARTLY_FULFILLED, Status.FULFILLED)
"""Statuses in which an open payment's money is wanted: cash comes after its parcel."""
SHOPPER_FIRST: Final = timedelta(seconds=60)
"""The shopper's own click starts a payment; the completer does when it does not come."""
BUDGET: Final = 40.0
"""Seconds after which the completer begins nothing else: the next one is due in a minute."""
MOST_CALLS: Final = 4
"""In one `advance`: start, look up, capture, and one to spare."""
FINAL: Final = (State.CAPTURED, State.FAILED, State.CANCELLED, State.REFUNDED)
FORWARD: Final[dict[str, tuple[State, ...]]] = {
    State.STARTED: (State.REQUIRES_ACTION, State.AUTHORISED, *FINAL),
    State.REQUIRES_ACTION: (State.AUTHORISED, *FINAL),
    State.AUTHORISED: FINAL,
}
"""A payment never goes back: an answer that says so was overtaken on its way."""


@transaction.atomic
def open_payment(*, order: Order, gateway: str) -> Payment:
    """The order's one payment that may yet bring its money: the one there is, or a new one.

    In the caller's transaction; ask `advance` for it after the commit. An order that is paid by
    hand may still be paid otherwise. Raises WrongStatus for an order that waits for no money, and
    PaymentUnderWay while another gateway could take it; then nothing has changed.
    """
    current = lock_order(order.pk)
    if current.status != Status.PENDING:
        raise WrongStatus(order.number, current.status, Status.PAID)
    there = order.payments.exclude(state__in=(State.FAILED, State.CANCELLED)).first()
    if there and there.gateway == gateway:
        return there
    if there and not _let_go(there):
        raise PaymentUnderWay(method_of(there.gateway))
    if current.payment_method != method_of(gateway):
        _switch_method(order, current, method_of(gateway))
    return write_payment(order=order, gateway=gateway)


def _switch_method(order: Order, current: Order, method: str) -> None:
    """It keeps its stock for as long as if it had been placed so, or as long as before."""
    hold = HOLD[Order.Payment(method)]
    until = current.expires_at or timezone.now() + (hold or timedelta(0))
    order.payment_method = method
    order.expires_at = max(until, current.placed_at + hold) if hold else None
    order.save(update_fields=["payment_method", "expires_at"])


def write_payment(*, order: Order, gateway: str) -> Payment:
    """The payment of an order that has none. In the transaction that made sure of it."""
    by_hand = gateway in BY_HAND
    return Payment.objects.create(
        order=order,
        gateway=gateway,
        state=State.REQUIRES_ACTION if by_hand else State.STARTED,
        amount=order.total_amount,
        currency=order.currency,
        next_try_at=None if by_hand else timezone.now() + SHOPPER_FIRST,
    )


def _let_go(payment: Payment) -> bool:
    """Whether it could be closed without asking anybody."""
    if payment.gateway not in BY_HAND or payment.state not in OPEN_PAYMENT:
        return False
    return close_by_hand(payment, State.CANCELLED)


def close_by_hand(payment: Payment, state: State) -> bool:
    """Under the order's lock. The next attempt is taken, so that no older one may record."""
    closed = Payment.objects.filter(pk=payment.pk, state__in=OPEN_PAYMENT).update(
        state=state,
        attempt=F("attempt") + 1,
        claimed_until=None,
        next_try_at=None,
        updated_at=Now(),
    )
    return bool(closed)


@transaction.atomic
def settle_by_hand(*, order: Order, actor: Customer | None) -> Payment:
    """Staff say that the money has come, by bank or at the door: CAPTURED, and the order is paid.

    An order that was not paid in time is reinstated, or stays cancelled and its money goes back
    where its units were sold. Raises WrongStatus for an order that waits for no money, and
    PaymentUnderWay where a gateway could take the money as well; then nothing has changed.
    """
    order.status = lock_order(order.pk).status
    payment = order.payments.exclude(state__in=(State.FAILED, State.CANCELLED)).first()
    awaited = order.status in OWED or _came_late(order)
    is_taken = payment is not None and payment.state not in OPEN_PAYMENT
    if not awaited or is_taken:
        was_told = is_taken and order.status != Status.REFUNDED
        raise WrongStatus(order.number, Status.PAID if was_told else order.status, Status.PAID)
    if payment is None:
        method = order.payment_method
        payment = write_payment(order=order, gateway=method if method in BY_HAND else BY_HAND[0])
    elif payment.gateway not in BY_HAND:
        raise PaymentUnderWay(method_of(payment.gateway))
    close_by_hand(payment, State.CAPTURED)
    if order.status in SENT:
        status = order.status  # which stays: whose word it was is written down all the same
        OrderStatusChange.objects.create(
            order=order, from_status=status, to_status=status, actor=actor, note=PAID_AT_DOOR
        )
    payment.refresh_from_db()
    _take_effect(order, payment, before=State.REQUIRES_ACTION, actor=actor)
    return payment


def advance(payment_id: UUID) -> Payment:
    """Move the payment on as far as it goes without the shopper. For anyone, at any time.

    What goes wrong at the gateway is written down and tried again by the completer: look at the
    answer's `state`. While another caller asks the gateway, the payment is returned as it is.
    Raises Payment.DoesNotExist, and RuntimeError inside a transaction.
    """
    for _ in range(MOST_CALLS):
        call = _claim(payment_id)
        if call is None or not call.record(call.ask()):
            break
    payment = Payment.objects.get(pk=payment_id)
    if payment.state == State.CAPTURED and payment.refunded_amount:
        advance_new_refunds(payment)
    return payment


def try_now[Row: (Payment, Refund)](row: Row, move: Callable[[UUID], Row]) -> Row:
    """`advance`, `advance_refund` or alike after a commit: the effect is there already.

    What fails here, the completer does again, and the row is returned as it was.
    """
    try:
        return move(row.pk)
    except Exception:
        logger.exception("payments: %s is left to the completer", row.pk)
        return row


@dataclass(frozen=True)
class _Call:
    """A question to the gateway that is this caller's to ask."""

    payment: Payment
    name: str

    def ask(self) -> _Outcome:
        if self.name == "forget":
            return PaymentAnswer(State.CANCELLED)
        try:
            return self._ask(self.name)
        except GatewayUnreachable as error:
            return error
        except GatewayRefused as refusal:
            if self.name == "start":
                return PaymentAnswer(State.FAILED, failure=str(refusal))
            return self._give_up(refusal) if self.name == "capture" else refusal

    def _ask(self, name: str) -> PaymentAnswer:
        method = getattr(get_gateway(self.payment.gateway), name)
        return ask(self.payment.gateway, name, lambda: cast(PaymentAnswer, method(self.payment)))

    def _give_up(self, refusal: GatewayRefused) -> _Outcome:
        """Money that was reserved and cannot be taken is let go: FAILED, with the reason."""
        try:
            answer = self._ask("cancel")
        except GatewayUnreachable as error:
            return error
        except GatewayRefused:
            return refusal
        if answer.state != State.CANCELLED:
            return answer
        return replace(answer, state=State.FAILED, failure=str(refusal))

    @transaction.atomic(durable=True)
    def record(self, outcome: _Outcome) -> bool:
        """With what it means for the order. Whether there is more to ask at once."""
        order = lock_order(self.payment.order_id)
        answer = self._forward(outcome)
        go_on = answer is outcome and self._goes_on(answer, order)
        if isinstance(outcome, GatewayRefused):
            wait: timedelta | None = AFTER_REFUSAL
        elif answer.state in FINAL or self._waits_for_staff(answer, order):
            wait = None
        else:
            wait = timedelta(0) if go_on else pause(self.payment.attempt)
        mine = record(
            self.payment,
            gateway=self.payment.gateway,
            wait=wait,
            state=answer.state,
            reference=answer.reference[:200] or self.payment.reference,
            action_url=answer.action_url if answer.state == State.REQUIRES_ACTION else "",
            failure=answer.failure[:300],
        )
        before = self.payment.state
        if mine and answer.state != before:
            self.payment.state = answer.state
            _take_effect(order, self.payment, before=before)
        return mine and go_on

    def _forward(self, outcome: _Outcome) -> PaymentAnswer:
        """The answer, or what stays as it was where there is none, or one that was overtaken."""
        there = self.payment
        state = State(there.state)
        if isinstance(outcome, Exception):
            return PaymentAnswer(state, action_url=there.action_url, failure=str(outcome))
        if outcome.state == state or outcome.state in FORWARD[state]:
            return outcome
        return PaymentAnswer(state, action_url=there.action_url)

    def _goes_on(self, answer: PaymentAnswer, order: Order) -> bool:
        """Whether the next call follows at once: nothing of it is the shopper's, or the staff's."""
        if answer.state in FINAL:
            return False
        if order.status in GONE:  # perhaps only since the gateway was asked
            return self.name in ("start", "look_up")
        return answer.state == State.AUTHORISED != self.payment.state

    def _waits_for_staff(self, answer: PaymentAnswer, order: Order) -> bool:
        by_hand = self.payment.gateway in BY_HAND
        return by_hand and answer.state == State.REQUIRES_ACTION and order.status in OWED


def _claim(payment_id: UUID) -> _Call | None:
    """None where nothing is to be asked, or another caller asks."""
    payment = Payment.objects.select_related("order").get(pk=payment_id)
    is_known = payment.attempt > 0
    if _next_call(payment, is_known=is_known) is None or not take(payment):
        return None
    # Again: from the claim on the order does not expire, but it may have done so just before.
    payment.order.refresh_from_db(fields=["status"])
    return _Call(payment, _next_call(payment, is_known=is_known) or "look_up")


def _next_call(payment: Payment, *, is_known: bool) -> str | None:
    """What to ask next. `is_known`: the gateway may have heard of the payment."""
    owed = payment.order.status in OWED
    match payment.state:
        case State.STARTED:
            return "start" if owed or is_known else "forget"
        case State.REQUIRES_ACTION if owed and payment.gateway in BY_HAND:
            return None
        case State.REQUIRES_ACTION:
            return "look_up" if owed else "cancel"
        case State.AUTHORISED:
            return "capture" if owed or _could_come_back(payment.order) else "cancel"
    return None


def _could_come_back(order: Order) -> bool:
    """Whether an order that was not paid in time finds its units: then its money is worth taking.

    Only a look. `reinstate` decides, and the money goes back where it cannot.
    """
    if not _came_late(order):
        return False
    stocks = {
        stock.variant_id: stock
        for stock in StockItem.objects.filter(variant__in=order.lines.values("variant"))
    }
    return all(
        (stock := stocks.get(line.variant_id)) is not None
        and (stock.back_order or stock.available >= line.open_quantity)
        for line in order.lines.all()
    )


def _came_late(order: Order) -> bool:
    return order.status == Status.CANCELLED and was_not_paid_in_time(order)


def _take_effect(
    order: Order, payment: Payment, *, before: str, actor: Customer | None = None
) -> None:
    """What the payment's new state means for its order, whose row is locked."""
    is_late = _came_late(order)
    if payment.state == State.CAPTURED and order.status == Status.PENDING:
        change_status(order=order, to=Status.PAID, actor=actor)
        return
    if payment.state == State.CAPTURED and order.status in GONE:
        if is_late and _reinstated(order, actor):
            return
        refund_by_itself(payment)
    elif not (is_late and payment.state == State.CANCELLED and before == State.AUTHORISED):
        tell_tabs(order, order.status)
        return
    if is_late:  # whoever cancelled it themselves knows
        queue_mail(order, "stock_gone")
    tell_tabs(order, order.status)


def _reinstated(order: Order, actor: Customer | None) -> bool:
    try:
        with transaction.atomic():
            reinstate(order=order, actor=actor)
    except OutOfStock:
        return False
    return True


def complete_open(limit: int = 200) -> dict[str, int]:
    """Ask again for what is due: payments and refunds that a crash, a lost message or a gateway
    that was away left open. Returns how many were asked for, and how many raised.

    Refunds first, for half of BUDGET, payments in what is left of it: neither waits behind the
    other for ever. Any number may run at once, in every region. Raises OperationalError and
    InterfaceError when the database cannot be asked.
    """
    began = time.monotonic()
    counts = {"payments": 0, "refunds": 0, "failed": 0}
    for name, rows, move, budget in (
        ("refunds", Refund.objects.all(), advance_refund, BUDGET / 2),
        ("payments", Payment.objects.all(), advance, BUDGET),
    ):
        due = rows.filter(next_try_at__lte=Now()).order_by("next_try_at")
        for pk in list(due.values_list("pk", flat=True)[:limit]):
            if time.monotonic() - began > budget:
                break
            counts[name] += 1
            counts["failed"] += not _moved(move, pk)
    return counts


def _moved(move: Callable[[UUID], object], pk: UUID) -> bool:
    """One that cannot be moved on must not keep the others from it."""
    try:
        move(pk)
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        logger.exception("payments: %s cannot be completed", pk)
        return False
    return True
