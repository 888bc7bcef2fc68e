"""Reads of orders: who may read which, and what their pages show."""

from dataclasses import dataclass, replace
from datetime import datetime
from operator import attrgetter
from typing import Any, Final

from django.db.models import F, Prefetch, QuerySet
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from orders.errors import TooManyTries
from orders.models import Order, OrderLine, OrderStatusChange, Refund, Return
from orders.services.fulfilment import MAY_COME_BACK
from orders.services.status import HOLDS_STOCK, PAID_AT_DOOR, SENT
from shop.models import Customer, ProductImage
from shop.queries.stock import registers_open_units
from shop.throttle import LOOKUP, SCAN, give_back, spend_try

SESSION_ORDERS: Final = "orders"
"""Session: numbers of the orders this browser placed or looked up, oldest first."""
SESSION_PLACED: Final = "orders_placed"
"""Session: those of them that it placed, and so may change."""
REMEMBERED: Final = 50


def remember_order(request: HttpRequest, number: str, *, placed: bool = False) -> bool:
    """Let this session read the order under its number from now on, and change it if it `placed`
    it. False if it could before.
    """
    news = False
    for name in (SESSION_ORDERS, SESSION_PLACED) if placed else (SESSION_ORDERS,):
        known = request.session.get(name, [])
        if number not in known:
            request.session[name] = [*known, number][-REMEMBERED:]
            news = True
    return news


def find_order(request: HttpRequest, number: str, *, email: str = "") -> Order | None:
    """The order, for whoever placed it or knows number and e-mail, and for staff who may view any.

    None for others and for a number that does not exist: the two must look alike.
    """
    if "\x00" in number:  # PostgreSQL has no text with it
        return None
    order = Order.objects.filter(number=number).first()
    if order is None:
        return None
    user = request.user
    theirs = isinstance(user, Customer) and (
        order.customer_id == user.pk or user.has_perm("orders.view_order")
    )
    here = order.number in request.session.get(SESSION_ORDERS, [])
    named = bool(email) and order.email.casefold() == email.strip().casefold()
    return order if theirs or here or named else None


def may_change(request: HttpRequest, number: str) -> Order | None:
    """The order, for whoever placed it: the customer, or this browser.

    To know its number and e-mail is enough to look at it and no more. Staff have the admin.
    """
    order = find_order(request, number)
    if order is None:
        return None
    user = request.user
    theirs = isinstance(user, Customer) and order.customer_id == user.pk
    return order if theirs or number in request.session.get(SESSION_PLACED, []) else None


def look_up_order(request: HttpRequest, number: str, *, email: str) -> Order | None:
    """The order of this number and e-mail, or one that the asker may read anyway.

    Failed tries are counted by address, and by address and number. Raises TooManyTries.
    """
    order = find_order(request, number)
    if order or not email:
        return order
    spent = ((LOOKUP, number), (SCAN, ""))
    for limit, subject in spent:
        if not spend_try(request, limit, subject=subject):
            raise TooManyTries(limit.seconds)
    order = find_order(request, number, email=email)
    if order:
        for limit, subject in spent:
            give_back(request, limit, subject=subject)
    return order


@dataclass(frozen=True)
class Step:
    """A stage of an order's life. `at` is None while it lies ahead."""

    label: Promise | str
    at: datetime | None
    note: str = ""
    tracking: str = ""
    is_current: bool = False


Status = Order.Status

STEP_LABELS: Final[dict[str, Promise]] = {
    Status.PENDING: _("Received"),
    Status.PAID: pgettext_lazy("a step", "Paid"),
    Status.PARTLY_FULFILLED: _("Part of it is on its way"),
    Status.FULFILLED: _("On its way"),
    Status.CANCELLED: _("Cancelled"),
    Status.REFUNDED: _("Refunded"),
}
THE_REST: Final = _("The rest is on its way")
RETURN_LABELS: Final[dict[str, Promise]] = {
    Return.State.RECEIVED: _("Your return is here"),
    Return.State.DECLINED: _("We cannot take it back"),
}
AHEAD: Final[dict[tuple[str, str], tuple[str, ...]]] = {
    (Order.Payment.CASH, Status.PENDING): (Status.FULFILLED,),
    (Order.Payment.INVOICE, Status.PENDING): (Status.PAID, Status.FULFILLED),
    (Order.Payment.CARD, Status.PENDING): (Status.PAID, Status.FULFILLED),
}
"""What usually follows, by payment method. Cash is paid at the door, when it arrives."""


def order_steps(order: Order) -> list[Step]:
    """What happened to the order, with times, and what comes next."""
    changes = list(order.history.all())
    past = [_status_step(change) for change in changes]
    past += _return_steps(order) + _refund_steps(order, changes)
    past.sort(key=attrgetter("at"))
    if past:
        past[-1] = replace(past[-1], is_current=True)
    return past + [Step(label, None) for label in _ahead(order)]


def _ahead(order: Order) -> list[Promise]:
    if order.status == Status.PARTLY_FULFILLED:
        return [THE_REST]
    if order.status == Status.PAID:
        return [STEP_LABELS[Status.FULFILLED]]
    following = AHEAD.get((order.payment_method, order.status), ())
    return [STEP_LABELS[status] for status in following]


def _status_step(change: OrderStatusChange) -> Step:
    if change.note == PAID_AT_DOOR and change.from_status == change.to_status:
        return Step(STEP_LABELS[Status.PAID], change.at)
    if change.to_status not in SENT:
        return Step(STEP_LABELS[change.to_status], change.at, change.note)
    last = change.to_status == Status.FULFILLED and change.from_status == Status.PARTLY_FULFILLED
    label = THE_REST if last else STEP_LABELS[change.to_status]
    return Step(label, change.at, tracking=change.note)


def _return_steps(order: Order) -> list[Step]:
    steps = []
    for request in order.returns.all():
        if request.at_door:  # what staff wrote of it is theirs to read
            if request.lines.exists():
                steps.append(Step(gettext("Your parcel is here again"), request.requested_at))
            continue
        steps.append(Step(gettext("You asked to return"), request.requested_at, request.reason))
        if request.settled_at:
            steps.append(Step(RETURN_LABELS[request.state], request.settled_at, request.answer))
    return steps


def _refund_steps(order: Order, changes: list[OrderStatusChange]) -> list[Step]:
    """What was paid back. The refund that made the order a refunded one is its step already."""
    done = Refund.objects.filter(payment__order=order, state=Refund.State.DONE)
    refunds = list(done.select_related("payment").order_by("updated_at"))
    if any(change.to_status == Status.REFUNDED for change in changes):
        refunds = refunds[:-1]
    return [
        Step(gettext("%(amount)s sent back") % {"amount": refund.money}, refund.updated_at)
        for refund in refunds
    ]


def is_returnable(order: Order) -> bool:
    """Whether something left that may come back, and no return waits for its answer."""
    if order.status not in MAY_COME_BACK:
        return False
    gone = order.lines.filter(shipped_quantity__gt=F("returned_quantity"))
    return gone.exists() and not order.returns.filter(state=Return.State.REQUESTED).exists()


def with_lines(orders: QuerySet[Order]) -> QuerySet[Order]:
    """Lines with the pictures of what was bought, however many there are."""
    pictures = ProductImage.objects.order_by("position", "pk")
    return orders.prefetch_related(
        "lines__variant__product",
        Prefetch("lines__variant__images", pictures),
        Prefetch("lines__variant__product__images", pictures),
    )


@registers_open_units
def open_units() -> QuerySet[Any, Any]:
    """What has not left of live orders, for `stock verify`: `variant`, `number`, `units`."""
    lines = OrderLine.objects.filter(
        order__status__in=HOLDS_STOCK, quantity__gt=F("shipped_quantity")
    )
    return lines.order_by().values(
        "variant", number=F("order__number"), units=F("quantity") - F("shipped_quantity")
    )


def order_history(customer: Customer) -> QuerySet[Order]:
    """A customer's orders, newest first, with their lines."""
    return Order.objects.filter(customer=customer).prefetch_related("lines")
