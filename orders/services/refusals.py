"""Cash that never came: parcels that nobody accepted, and paid for, at the door."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from orders.errors import ReturnOpen, WrongStatus
from orders.gateways import method_of
from orders.idempotency import KeyReused
from orders.models import Order, Payment, Return, ReturnLine
from orders.models.idempotency import find_keyed, keyed_id
from orders.services.fulfilment import check_units, lock_lines, same_return
from orders.services.payments import close_by_hand
from orders.services.status import OPEN_PAYMENT, SENT, cause_of, end_refused, tell_tabs
from shop.models import Customer
from shop.services.stock import Cause, receive_stock, release_stock


@dataclass(frozen=True)
class Refusal:
    """What became of goods that were sent for cash and not accepted."""

    units: Mapping[int, int]
    """`{line id: units}` that are here again."""
    restock: bool
    """Whether they are sold again."""
    lost: bool
    """Nothing else comes back, and nobody pays: the order ends, whatever is still out."""
    reason: str
    """For the ledger and staff; the shopper does not read it."""


@transaction.atomic
def take_back_refused(
    *, order: Order, refusal: Refusal, key: UUID, actor: Customer | None = None
) -> Return:
    """Goods come back unasked and unpaid. Once nothing is out any more, the order is cancelled.

    Then what never left goes on sale again, and the payment is let go: nothing was paid, so
    nothing is refunded. Until then the order waits for the money of what is still out.
    Raises WrongStatus for an order of which nothing was sent for cash, or that was paid; NoUnits
    and TooManyUnits for what is not out (any more); ReturnOpen while the shopper's wish to return
    something waits; KeyReused for other goods under the key. Then nothing has changed.
    """
    lines = lock_lines(order)
    if there := find_keyed(order.returns.all(), key, order.number):
        return _same_refusal(there, order, refusal)
    payment = cash_to_come(order)
    if payment is None:
        was_paid = order.status in SENT
        raise WrongStatus(
            order.number, Order.Status.PAID if was_paid else order.status, Order.Status.CANCELLED
        )
    if order.returns.filter(state=Return.State.REQUESTED).exists():
        raise ReturnOpen
    out = {line.pk: line.returnable_quantity for line in lines.values() if line.returnable_quantity}
    nothing = refusal.lost and not any(refusal.units.values())
    units = {} if nothing else check_units(refusal.units, out, lines)
    request = _write(order, units, refusal, key, actor)
    cause = cause_of(order, actor, refusal.reason)
    back = {lines[line].variant_id: count for line, count in units.items() if refusal.restock}
    if not refusal.lost and units != out:
        tell_tabs(order, order.status)
        receive_stock(back, cause)
        return request
    close_by_hand(payment, Payment.State.CANCELLED)
    end_refused(order=order, actor=actor)
    _put_on_shelf(back, {line.variant_id: line.open_quantity for line in lines.values()}, cause)
    return request


def cash_to_come(order: Order) -> Payment | None:
    """The payment that the courier was to bring for what was sent, as long as it has not come."""
    if order.status not in SENT:
        return None
    payment = order.payments.filter(state__in=OPEN_PAYMENT).first()
    return payment if payment and method_of(payment.gateway) == Order.Payment.CASH else None


def _write(
    order: Order, units: Mapping[int, int], refusal: Refusal, key: UUID, actor: Customer | None
) -> Return:
    now = timezone.now()
    request = Return.objects.create(
        pk=keyed_id(key, order.number),
        order=order,
        state=Return.State.RECEIVED,
        at_door=True,
        restocked=refusal.restock,
        reason=refusal.reason,
        actor=actor,
        requested_at=now,
        settled_at=now,
    )
    ReturnLine.objects.bulk_create(
        ReturnLine(request=request, line_id=line, quantity=count) for line, count in units.items()
    )
    for line, count in units.items():
        order.lines.filter(pk=line).update(returned_quantity=F("returned_quantity") + count)
    return request


def _same_refusal(there: Return, order: Order, refusal: Refusal) -> Return:
    """Raises KeyReused."""
    still_open = refusal.lost and order.status != Order.Status.CANCELLED
    if there.restocked != refusal.restock or still_open:
        raise KeyReused
    return same_return(there, refusal.units, refusal.reason)


def _put_on_shelf(back: Mapping[int, int], released: Mapping[int, int], cause: Cause) -> None:
    """In one walk over the variants: two would take stock's rows out of their order."""
    for variant in sorted({*back, *released}):
        if count := back.get(variant):
            receive_stock({variant: count}, cause)
        if count := released.get(variant):
            release_stock({variant: count}, cause)
