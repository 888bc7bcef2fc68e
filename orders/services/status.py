"""An order's life: conditional updates with an audit row, stock and an event.

Whoever changes an order locks its row first, then its payment, then stock: two that meet wait for
each other and never in a circle.
"""

import logging
from typing import Final

from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_noop

from orders.errors import WrongStatus
from orders.mails import queue_mail
from orders.models import Order, OrderStatusChange, Payment
from realtime.publish import publish
from shop.models import Customer
from shop.services.stock import Cause, Mover, allocate_stock, release_stock

logger = logging.getLogger(__name__)

Status = Order.Status

NOT_PAID: Final = gettext_noop("Not paid in time")
CAME_LATE: Final = gettext_noop("Your payment came after all")
PAID_AT_DOOR: Final = gettext_noop("Paid after its parcel left")
REFUSED_AT_DOOR: Final = gettext_noop("Not accepted at the door")
"""Notes in the history; the order's page shows them in the reader's language."""

OPEN_PAYMENT: Final = (
    Payment.State.STARTED,
    Payment.State.REQUIRES_ACTION,
    Payment.State.AUTHORISED,
)
"""Payments of which nothing is taken yet, and which a cancelled order has to let go."""

ALLOWED_FROM: Final[dict[str, tuple[str, ...]]] = {
    Status.PAID: (Status.PENDING,),
    Status.PARTLY_FULFILLED: (Status.PENDING, Status.PAID, Status.PARTLY_FULFILLED),
    Status.FULFILLED: (Status.PENDING, Status.PAID, Status.PARTLY_FULFILLED),
    Status.CANCELLED: (Status.PENDING,),
    Status.REFUNDED: (Status.PAID, Status.PARTLY_FULFILLED, Status.FULFILLED),
}
"""Where each step starts. From CANCELLED there is a way back for money alone: `reinstate`. What
left and was never paid for is cancelled by `end_refused`."""
SENT: Final = (Status.PARTLY_FULFILLED, Status.FULFILLED)
HOLDS_STOCK: Final = (Status.PENDING, Status.PAID, Status.PARTLY_FULFILLED)
"""Statuses in which what has not left is allocated."""


def allowed_origins(order: Order, to: str) -> tuple[str, ...]:
    """Statuses from which this order may move to `to`.

    Only cash on delivery is sent before it is paid: it is paid at the door.
    """
    origins = ALLOWED_FROM.get(to, ())
    if to in SENT and order.payment_method != Order.Payment.CASH:
        return tuple(origin for origin in origins if origin != Status.PENDING)
    return origins


@transaction.atomic
def change_status(
    *,
    order: Order,
    to: str,
    actor: Customer | None = None,
    note: str = "",
    cause: Cause | None = None,
) -> Order:
    """Move the order on, with what that means for stock, the audit trail and open tabs.

    `cause` is what the stock's ledger says where actor and note do not tell it: a guest has no
    name, and the shopper is not shown every reason. Raises WrongStatus if the order is not (any
    more) where this step starts; then nothing has changed. Two clicks at once give one step: the
    loser of the conditional update sees the winner's status. Parcels leave by `fulfilment.ship`,
    which calls this.
    """
    origin = _move(order, allowed_origins(order, to), to, actor, note)
    if to in SENT:
        _refuse_unshipped(order, to)
    if to == Status.CANCELLED:
        # The gateway still may take the money: the completer stops it there.
        _open_payments(order).update(next_try_at=Now())
        queue_mail(order, "cancelled")
    if to == Status.CANCELLED or (to == Status.REFUNDED and origin in HOLDS_STOCK):
        release_stock(_open_units(order), cause or cause_of(order, actor, note))
    order.status = to
    return order


@transaction.atomic
def reinstate(*, order: Order, actor: Customer | None = None, note: str = CAME_LATE) -> Order:
    """A cancelled order is paid after all: its units are allocated again. For payments alone.

    Raises OutOfStock where they were sold meanwhile, and WrongStatus if it is not cancelled; then
    nothing has changed.
    """
    _move(order, (Status.CANCELLED,), Status.PAID, actor, note)
    allocate_stock(_open_units(order), cause_of(order, actor, note))
    queue_mail(order, "confirmation", about="reinstated")  # they were told that it is cancelled
    order.status = Status.PAID
    return order


@transaction.atomic
def end_refused(*, order: Order, actor: Customer | None = None) -> Order:
    """An order that was sent and not paid for is cancelled. For
    `refusals.take_back_refused` alone, which moves its units and lets its payment go.

    Raises WrongStatus if it was not sent, or ended meanwhile; then nothing has changed.
    """
    _move(order, SENT, Status.CANCELLED, actor, REFUSED_AT_DOOR)
    queue_mail(order, "cancelled")
    order.status = Status.CANCELLED
    return order


def was_not_paid_in_time(order: Order) -> bool:
    """Whether it was cancelled by its hold's end, and not because somebody wanted that."""
    last = order.history.order_by("-pk").first()
    return last is not None and last.to_status == Status.CANCELLED and last.note == NOT_PAID


def _move(
    order: Order, origins: tuple[str, ...], to: str, actor: Customer | None, note: str
) -> str:
    """Returns where it came from."""
    for origin in origins:
        if Order.objects.filter(pk=order.pk, status=origin).update(status=to):
            break
    else:
        order.refresh_from_db(fields=["status"])
        raise WrongStatus(order.number, order.status, to)
    OrderStatusChange.objects.create(
        order=order, from_status=origin, to_status=to, actor=actor, note=note
    )
    tell_tabs(order, to)
    return origin


def tell_tabs(order: Order, status: str) -> None:
    """The tabs that show the order show it anew. Call it in the transaction of what changed."""
    publish(
        audience=f"order:{order.number}",
        kind="order.status",
        payload={"number": order.number, "status": status},
    )


def cause_of(order: Order, actor: Customer | None, note: str = "") -> Cause:
    """For the stock's ledger."""
    mover = Mover.SYSTEM if actor is None else Mover.STAFF if actor.is_staff else Mover.SHOPPER
    return Cause(mover, actor, reason=note, order=order.number)


def _open_units(order: Order) -> dict[int, int]:
    """`{variant id: units}` that have not left."""
    lines = order.lines.filter(quantity__gt=F("shipped_quantity"))
    return {line.variant_id: line.open_quantity for line in lines}


def _refuse_unshipped(order: Order, to: str) -> None:
    """Fulfilled is an order of which all has left: whoever forgets the parcel is a bug."""
    if (to == Status.FULFILLED) == bool(_open_units(order)):
        raise RuntimeError(f"{order.number} is not {to}: ship what is open")


def _open_payments(order: Order) -> QuerySet[Payment]:
    return Payment.objects.filter(order=order, state__in=OPEN_PAYMENT)


def cancel_expired_orders(*, limit: int = 500) -> int:
    """Cancel unpaid orders past their hold and give their stock back. Returns how many.

    Each order is a transaction of its own: one that was paid meanwhile is left alone, and so is
    one whose money is reserved, or whose gateway is being asked: whoever asks moves it on. One
    that cannot be cancelled is logged and keeps none of the others. Raises Django's
    OperationalError and InterfaceError when the database cannot be asked.
    """
    expired = Order.objects.filter(status=Status.PENDING, expires_at__lt=timezone.now())
    cancelled = 0
    for order in expired.filter(~_money_is_coming()).order_by("expires_at")[:limit]:
        try:
            cancelled += _cancel_unpaid(order)
        except (OperationalError, InterfaceError):
            raise
        except Exception:
            logger.exception("orders: %s cannot be cancelled", order.number)
    return cancelled


def _money_is_coming() -> Exists:
    """A condition on orders: the money is reserved or taken, or its gateway is asked right now."""
    reserved = Q(state__in=(Payment.State.AUTHORISED, Payment.State.CAPTURED))
    asked = Q(state__in=OPEN_PAYMENT, claimed_until__gt=Now())
    return Exists(Payment.objects.filter(reserved | asked, order=OuterRef("pk")))


@transaction.atomic
def _cancel_unpaid(order: Order) -> bool:
    """Whether it was still unpaid. Under both locks nobody can claim its payment meanwhile."""
    list(Order.objects.select_for_update(no_key=True).filter(pk=order.pk))
    list(_open_payments(order).select_for_update(no_key=True))
    if Order.objects.filter(_money_is_coming(), pk=order.pk).exists():
        return False
    try:
        change_status(order=order, to=Status.CANCELLED, note=NOT_PAID)
    except WrongStatus:
        return False
    return True
