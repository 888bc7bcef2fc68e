"""An order's life: conditional updates with an audit row, stock and an event."""

from typing import Final

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_noop

from orders.errors import WrongStatus
from orders.models import Order, OrderStatusChange
from realtime.publish import publish
from shop.models import Customer
from shop.services.stock import Cause, Mover, release_stock, ship_stock

Status = Order.Status

NOT_PAID: Final = gettext_noop("Not paid in time")
"""A note in the history; the order's page shows it in the reader's language."""

ALLOWED_FROM: Final[dict[str, tuple[str, ...]]] = {
    Status.PAID: (Status.PENDING,),
    Status.FULFILLED: (Status.PENDING, Status.PAID),
    Status.CANCELLED: (Status.PENDING,),
    Status.REFUNDED: (Status.PAID, Status.FULFILLED),
}


def allowed_origins(order: Order, to: str) -> tuple[str, ...]:
    """Statuses from which this order may move to `to`.

    Only cash on delivery is sent before it is paid: it is paid at the door.
    """
    origins = ALLOWED_FROM.get(to, ())
    if to == Status.FULFILLED and order.payment_method != Order.Payment.CASH:
        return tuple(origin for origin in origins if origin != Status.PENDING)
    return origins


@transaction.atomic
def change_status(*, order: Order, to: str, actor: Customer | None = None, note: str = "") -> Order:
    """Move the order on, with what that means for stock, the audit trail and open tabs.

    Raises WrongStatus if the order is not (any more) where this step starts, and StockTooLow if it
    is to be sent while units sold on back-order have not come; then nothing has changed. Two clicks
    at once give one step: the loser of the conditional update sees the winner's status.
    """
    for origin in allowed_origins(order, to):
        if Order.objects.filter(pk=order.pk, status=origin).update(status=to):
            break
    else:
        order.refresh_from_db(fields=["status"])
        raise WrongStatus(order.number, order.status, to)
    order.status = to
    _move_stock(order, origin, to, _cause(order, actor, note))
    OrderStatusChange.objects.create(
        order=order, from_status=origin, to_status=to, actor=actor, note=note
    )
    publish(
        audience=f"order:{order.number}",
        kind="order.status",
        payload={"number": order.number, "status": to},
    )
    return order


def _cause(order: Order, actor: Customer | None, note: str) -> Cause:
    mover = Mover.SYSTEM if actor is None else Mover.STAFF if actor.is_staff else Mover.SHOPPER
    return Cause(mover, actor, reason=note, order=order.number)


def _move_stock(order: Order, origin: str, to: str, cause: Cause) -> None:
    units = dict(order.lines.values_list("variant_id", "quantity"))
    if to == Status.FULFILLED:
        ship_stock(units, cause)
    elif to == Status.CANCELLED or (to == Status.REFUNDED and origin == Status.PAID):
        release_stock(units, cause)


def cancel_expired_orders(*, limit: int = 500) -> int:
    """Cancel unpaid orders past their hold and give their stock back. Returns how many.

    Each order is a transaction of its own: one that was paid meanwhile is left alone.
    """
    expired = Order.objects.filter(status=Status.PENDING, expires_at__lt=timezone.now())
    cancelled = 0
    for order in expired.order_by("expires_at")[:limit]:
        try:
            change_status(order=order, to=Status.CANCELLED, note=NOT_PAID)
        except WrongStatus:
            continue
        cancelled += 1
    return cancelled
