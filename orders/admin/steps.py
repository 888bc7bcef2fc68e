"""Steps of an order's life, taken by staff: mark paid, fulfil, cancel, refund."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final, cast

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.db import transaction
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from orders.errors import PaymentUnderWay, WrongStatus
from orders.models import Order
from orders.services.fulfilment import ship_rest
from orders.services.payments import settle_by_hand
from orders.services.status import allowed_origins, change_status
from shop.errors import StockTooLow
from shop.models import Customer

MOST_AT_ONCE: Final = 200
"""Orders in one action: each is a transaction of its own, and a request must end in time."""
NAMED: Final = 8
"""Order numbers a message names: messages travel in a cookie."""


@dataclass(frozen=True)
class Step:
    """A button: what it says, what it does, and whether it asks before."""

    to: str
    name: str
    label: Promise
    question: Promise | None = None
    consequence: Promise | None = None
    answer: Promise | None = None


STEPS: Final = {
    step.name: step
    for step in (
        Step(Order.Status.PAID, "mark_paid", gettext_lazy("Mark as paid")),
        Step(
            Order.Status.FULFILLED,
            "fulfil",
            gettext_lazy("Mark as fulfilled"),
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
            gettext_lazy("Mark as refunded"),
            gettext_lazy("Mark these orders as refunded?"),
            gettext_lazy(
                "This records the refund; the money itself is sent back by whoever took it. "
                "Units that have not left go back on sale. This cannot be undone."
            ),
            gettext_lazy("Yes, mark as refunded"),
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


def may_take(order: Order, step: Step) -> bool:
    return order.status in allowed_origins(order, step.to)


def steps_of(order: Order) -> list[Step]:
    """The steps that the order allows now."""
    return [step for step in STEPS.values() if may_take(order, step)]


def take_step(
    admin: ModelAdmin[Any], request: HttpRequest, orders: Iterable[Order], step: Step
) -> Outcome:
    """Move each order on in a transaction of its own, with an entry in its admin history.

    A second click finds the orders where the first one left them, and changes nothing.
    """
    outcome = Outcome()
    for order in orders:
        try:
            with transaction.atomic():
                _do(step, order, cast(Customer, request.user))
                admin.log_change(request, order, [{"changed": {"fields": [step.to]}}])
        except WrongStatus as error:
            if error.status == step.to:
                outcome.already.append(order.number)
            else:
                outcome.refused.setdefault(error.status, []).append(order.number)
        except StockTooLow as error:
            outcome.awaited[order.number] = error
        except PaymentUnderWay:
            outcome.paying.append(order.number)
        else:
            outcome.moved.append(order.number)
    return outcome


def _do(step: Step, order: Order, actor: Customer) -> None:
    if step.to == Order.Status.PAID:
        settle_by_hand(order=order, actor=actor)
    elif step.to == Order.Status.FULFILLED:
        ship_rest(order=order, actor=actor)
    else:
        change_status(order=order, to=step.to, actor=actor)


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
