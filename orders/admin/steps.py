"""Steps of an order's life, taken by staff: mark paid, fulfil, cancel, refund."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast
from uuid import uuid5

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.db import transaction
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop, ngettext

from orders.errors import NothingCaptured, PaymentUnderWay, WrongStatus
from orders.gateways import BY_HAND
from orders.models import Order, Payment, Refund
from orders.services.fulfilment import ship_rest
from orders.services.gateway_calls import lock_order
from orders.services.payments import settle_by_hand, try_now
from orders.services.refunds import advance_refund, request_refund
from orders.services.status import (
    OPEN_PAYMENT,
    SENT,
    allowed_origins,
    change_status,
    was_not_paid_in_time,
)
from shop.errors import StockTooLow
from shop.models import Customer
from shop.outcomes import Ending, counted

IN_FULL: Final = gettext_noop("Full refund")
BUDGET: Final = 20.0
"""Seconds after which the gateway is left to the completer."""
LET_GO: Final = (Payment.State.FAILED, Payment.State.CANCELLED)
"""Payments that bring no money."""
MOST_AT_ONCE: Final = 200
"""Orders in one action: each is a transaction of its own, and a request must end in time."""
NAMED: Final = 8
"""Order numbers a message names: messages travel in a cookie."""


@dataclass(frozen=True)
class Step:
    """A button: what it says, what it does, and what it asks before."""

    to: str
    name: str
    label: Promise
    question: Promise
    consequence: Promise
    answer: Promise
    asks_for_one: bool = True
    """Whether the order's page asks as well, where its button was meant for this order."""
    permission: str = "orders.change_order"


STEPS: Final = {
    step.name: step
    for step in (
        Step(
            Order.Status.PAID,
            "mark_paid",
            gettext_lazy("Mark as paid"),
            gettext_lazy("Has the money for these orders come?"),
            gettext_lazy("Only what came by bank or at the door. This cannot be undone."),
            gettext_lazy("Yes, mark as paid"),
            asks_for_one=False,
        ),
        Step(
            Order.Status.FULFILLED,
            "fulfil",
            gettext_lazy("Mark as fulfilled"),
            gettext_lazy("Has all of these orders left?"),
            gettext_lazy(
                "The units leave the stock and the shoppers are told by e-mail. This cannot be "
                "undone."
            ),
            gettext_lazy("Yes, mark as fulfilled"),
            asks_for_one=False,
        ),
        Step(
            Order.Status.CANCELLED,
            "cancel",
            gettext_lazy("Cancel"),
            gettext_lazy("Cancel these orders?"),
            gettext_lazy("Their units go back on sale at once. This cannot be undone."),
            gettext_lazy("Yes, cancel"),
        ),
        Step(
            Order.Status.REFUNDED,
            "refund",
            gettext_lazy("Refund in full"),
            gettext_lazy("Refund these orders in full?"),
            gettext_lazy(
                "What was paid by card goes back by itself; transfers and cash are sent back by "
                "you. Units that have not left go back on sale. This cannot be undone."
            ),
            gettext_lazy("Yes, refund"),
            permission="orders.add_refund",
        ),
    )
}


@dataclass
class Outcome:
    """What became of the orders of one step."""

    moved: list[str] = field(default_factory=list)
    already: list[str] = field(default_factory=list)
    refused: dict[str, list[str]] = field(default_factory=dict)
    awaited: dict[str, StockTooLow] = field(default_factory=dict)
    """By order number: units sold on back-order that have not come."""
    paying: list[str] = field(default_factory=list)
    """Their shoppers may pay by card any moment: marked as paid, they would pay twice."""
    unpaid: list[str] = field(default_factory=list)
    """There is no money to send back."""
    sold: list[str] = field(default_factory=list)
    """Their money came late, and others have their units: staff send it back."""
    asked: list[str] = field(default_factory=list)
    """The gateway has not sent the money back yet."""


def may_take(order: Order, step: Step) -> bool:
    if step.to == Order.Status.PAID:
        return _may_mark_paid(order, list(order.payments.all()))
    return order.status in allowed_origins(order, step.to)


def steps_of(order: Order, payments: Sequence[Payment]) -> list[Step]:
    """The order page's buttons that ask for nothing more. Parcels and refunds have their pages."""
    names = ["mark_paid"] if _may_mark_paid(order, payments) else []
    names += ["cancel"] if may_take(order, STEPS["cancel"]) else []
    if not payments and may_take(order, STEPS["refund"]):
        names.append("refund")  # of before payments were written down
    return [STEPS[name] for name in names]


def _may_mark_paid(order: Order, payments: Sequence[Payment]) -> bool:
    """Cash comes after its parcel, transfers after their time; cards are nobody's to mark."""
    if order.status == Order.Status.CANCELLED and was_not_paid_in_time(order):
        return all(
            each.state in LET_GO or (each.gateway in BY_HAND and each.state in OPEN_PAYMENT)
            for each in payments
        )
    if not payments:
        return order.status == Order.Status.PENDING
    by_hand = any(each.gateway in BY_HAND and each.state in OPEN_PAYMENT for each in payments)
    return by_hand and order.status in (Order.Status.PENDING, *SENT)


def take_step(
    admin: ModelAdmin[Any], request: HttpRequest, orders: Iterable[Order], step: Step
) -> Outcome:
    """Move each order on in a transaction of its own, with an entry in its admin history.

    A second click finds the orders where the first one left them, and changes nothing.
    """
    outcome = Outcome()
    until = time.monotonic() + BUDGET
    for order in orders:
        # A step happens once in an order's life: its name and the order's are its key.
        with counted(Ending(), f"{step.name} {order.number}") as ending:
            ending.outcome = _take_one(admin, request, order, step, outcome, until)
    return outcome


def _take_one(
    admin: ModelAdmin[Any],
    request: HttpRequest,
    order: Order,
    step: Step,
    outcome: Outcome,
    until: float,
) -> str:
    """Move the order on, and put it into `outcome`. Returns how that is counted."""
    try:
        with transaction.atomic():
            refund = _do(step, order, cast(Customer, request.user))
            again = refund is not None and refund.was_there
            if not again:
                admin.log_change(request, order, [{"changed": {"fields": [step.to]}}])
    except WrongStatus as error:
        if error.status == step.to:
            outcome.already.append(order.number)
            return "replayed"
        outcome.refused.setdefault(error.status, []).append(order.number)
    except StockTooLow as error:
        outcome.awaited[order.number] = error
    except PaymentUnderWay:
        outcome.paying.append(order.number)
    except NothingCaptured:
        outcome.unpaid.append(order.number)
    else:
        _sort_moved(order, step, refund, outcome, until)
        return "replayed" if again else "done"
    return "declined"


def _sort_moved(
    order: Order, step: Step, refund: Refund | None, outcome: Outcome, until: float
) -> None:
    if step.to == Order.Status.PAID and order.status == Order.Status.CANCELLED:
        outcome.sold.append(order.number)
        return
    if refund and time.monotonic() <= until:
        refund = try_now(refund, advance_refund)
    done = refund is None or refund.state == Refund.State.DONE
    (outcome.moved if done else outcome.asked).append(order.number)


def _do(step: Step, order: Order, actor: Customer) -> Refund | None:
    if step.to == Order.Status.PAID:
        settle_by_hand(order=order, actor=actor)
    elif step.to == Order.Status.FULFILLED:
        ship_rest(order=order, actor=actor)
    elif step.to == Order.Status.REFUNDED and order.payments.exists():
        return _refund_rest(order, actor)
    else:
        change_status(order=order, to=step.to, actor=actor)
    return None


def _refund_rest(order: Order, actor: Customer) -> Refund:
    """All that is left. The key is made of what was there, so that a second click is the same.

    Under the order's lock, so that nobody takes some of it in between.
    """
    status = lock_order(order.pk).status
    if status == Order.Status.REFUNDED:
        raise WrongStatus(order.number, status, Order.Status.REFUNDED)
    payment = order.payments.filter(state=Payment.State.CAPTURED).first()
    if payment is None:
        raise NothingCaptured
    rest = payment.amount - payment.refunded_amount
    under_way = payment.refunds.filter(state=Refund.State.REQUESTED).last()
    if not rest and under_way:
        under_way.was_there = True
        return under_way
    if not rest:  # an order that cost nothing
        raise NothingCaptured
    failed = payment.refunds.filter(state=Refund.State.FAILED).count()
    key = uuid5(payment.pk, f"rest after {payment.refunded_amount} and {failed} that failed")
    return request_refund(payment=payment, amount=rest, reason=IN_FULL, actor=actor, key=key)


def tell(request: HttpRequest, outcome: Outcome, step: Step) -> None:
    """Say what happened, to how many, and why some were left alone."""
    wanted = Order.Status(step.to).label.lower()
    if count := len(outcome.moved):
        text = ngettext(
            "%(orders)s is %(status)s now.",
            "%(count)d orders are %(status)s now: %(orders)s.",
            count,
        )
        messages.success(
            request, text % {"count": count, "status": wanted, "orders": _names(outcome.moved)}
        )
    if outcome.already:
        text = ngettext(
            "%(orders)s was %(status)s already: nothing changed.",
            "%(orders)s were %(status)s already: nothing changed.",
            len(outcome.already),
        )
        messages.info(request, text % {"status": wanted, "orders": _names(outcome.already)})
    for status, numbers in outcome.refused.items():
        text = ngettext(
            "%(orders)s was left alone: it is %(from)s, which cannot become %(status)s.",
            "%(orders)s were left alone: they are %(from)s, which cannot become %(status)s.",
            len(numbers),
        )
        current = Order.Status(status).label.lower()
        messages.warning(
            request, text % {"from": current, "status": wanted, "orders": _names(numbers)}
        )
    if outcome.paying:
        text = ngettext(
            "%(orders)s was left alone: its shopper is paying by card.",
            "%(orders)s were left alone: their shoppers are paying by card.",
            len(outcome.paying),
        )
        messages.warning(request, text % {"orders": _names(outcome.paying)})
    if outcome.unpaid:
        text = _("%(orders)s: there is no money to send back.")
        messages.warning(request, text % {"orders": _names(outcome.unpaid)})
    if outcome.sold:
        text = _("%(orders)s: the units were sold meanwhile. Please send the money back.")
        messages.warning(request, text % {"orders": _names(outcome.sold)})
    if outcome.asked:
        text = _("%(orders)s: the refund is under way. The order's page shows how it ends.")
        messages.info(request, text % {"orders": _names(outcome.asked)})
    for number, short in list(outcome.awaited.items())[:NAMED]:
        text = _("%(order)s was left alone: only %(on_hand)d of %(sku)s are on hand.")
        messages.warning(
            request, text % {"order": number, "on_hand": short.on_hand, "sku": short.sku}
        )


def _names(numbers: list[str]) -> str:
    shown = ", ".join(numbers[:NAMED])
    rest = len(numbers) - NAMED
    return (
        shown if rest <= 0 else _("%(orders)s and %(rest)d more") % {"orders": shown, "rest": rest}
    )
