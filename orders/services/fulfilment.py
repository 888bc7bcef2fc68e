"""Parcels that leave and goods that come back: units of lines, stock, status and audit trail.

Each locks the order's row first, so that what it counts stays true until it is written. Of the
form's key and the order the row's id is made: a second click finds what the first one wrote.
"""

from collections.abc import Mapping
from typing import Final
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from orders.errors import NoUnits, ReturnOpen, ReturnSettled, TooManyUnits, WrongStatus
from orders.idempotency import KeyReused
from orders.mails import queue_mail
from orders.models import Order, OrderLine, Return, ReturnLine, Shipment, ShipmentLine
from orders.models.idempotency import find_keyed, keyed_id
from orders.services.status import allowed_origins, cause_of, change_status, tell_tabs
from shop.models import Customer
from shop.services.stock import receive_stock, ship_stock

Status = Order.Status

MAY_COME_BACK: Final = (Status.PARTLY_FULFILLED, Status.FULFILLED, Status.REFUNDED)
"""Refunded too: some shops pay back before the goods arrive."""


@transaction.atomic
def ship(
    *,
    order: Order,
    units: Mapping[int, int],
    tracking: str = "",
    key: UUID,
    actor: Customer | None = None,
) -> Shipment:
    """`{line id: units}` leave in one parcel. The order is fulfilled once nothing is open.

    Raises WrongStatus; NoUnits and TooManyUnits for what is not open (any more); StockTooLow for
    units sold on back-order that have not come; KeyReused for another parcel under the same key.
    Then nothing has changed.
    """
    lines = lock_lines(order)
    if parcel := find_keyed(order.shipments.all(), key, order.number):
        return _same_parcel(parcel, units, tracking)
    if order.status not in allowed_origins(order, Status.FULFILLED):
        raise WrongStatus(order.number, order.status, Status.FULFILLED)
    if 0 < order.total_amount == order.refunded_amount:  # the money is on its way back
        raise WrongStatus(order.number, Status.REFUNDED, Status.FULFILLED)
    wanted = check_units(units, {line.pk: line.open_quantity for line in lines.values()}, lines)
    parcel = Shipment.objects.create(
        pk=keyed_id(key, order.number), order=order, tracking=tracking, actor=actor
    )
    ShipmentLine.objects.bulk_create(
        ShipmentLine(shipment=parcel, line_id=line, quantity=count)
        for line, count in wanted.items()
    )
    for line, count in wanted.items():
        order.lines.filter(pk=line).update(shipped_quantity=F("shipped_quantity") + count)
    left = order.lines.filter(quantity__gt=F("shipped_quantity")).exists()
    status = Status.PARTLY_FULFILLED if left else Status.FULFILLED
    moved = {lines[line].variant_id: count for line, count in wanted.items()}
    ship_stock(moved, cause_of(order, actor, tracking))
    change_status(order=order, to=status, actor=actor, note=tracking)
    queue_mail(order, "shipped", about=str(parcel.pk))
    return parcel


def ship_rest(*, order: Order, actor: Customer | None = None, tracking: str = "") -> Shipment:
    """All that is open leaves in one parcel. Raises what `ship` raises."""
    with transaction.atomic():
        lines = lock_lines(order)
        if order.status not in allowed_origins(order, Status.FULFILLED):
            raise WrongStatus(order.number, order.status, Status.FULFILLED)
        units = {line.pk: line.open_quantity for line in lines.values() if line.open_quantity}
        return ship(order=order, units=units, tracking=tracking, key=uuid4(), actor=actor)


@transaction.atomic
def request_return(*, order: Order, units: Mapping[int, int], reason: str, key: UUID) -> Return:
    """The shopper wants to send `{line id: units}` back. Nothing moves until it is settled.

    Raises WrongStatus where nothing has left; NoUnits and TooManyUnits for what was not sent or
    came back already; ReturnOpen while an earlier one waits; KeyReused for another under the key.
    """
    lines = lock_lines(order)
    if request := find_keyed(order.returns.all(), key, order.number):
        return same_return(request, units, reason)
    if order.status not in MAY_COME_BACK:
        raise WrongStatus(order.number, order.status, "returned")
    if order.returns.filter(state=Return.State.REQUESTED).exists():
        raise ReturnOpen
    wanted = check_units(
        units, {line.pk: line.returnable_quantity for line in lines.values()}, lines
    )
    request = Return.objects.create(pk=keyed_id(key, order.number), order=order, reason=reason)
    ReturnLine.objects.bulk_create(
        ReturnLine(request=request, line_id=line, quantity=count) for line, count in wanted.items()
    )
    tell_tabs(order, order.status)
    return request


@transaction.atomic
def settle_return(
    *,
    request: Return,
    received: bool,
    restock: bool = False,
    answer: str = "",
    actor: Customer | None = None,
) -> Return:
    """The goods came, and go back on the shelf with `restock`; or the wish is declined.

    The same twice is once. Raises ReturnSettled if it was settled otherwise. Money is another
    matter: `refunds.request_refund`.
    """
    order = request.order
    lines = lock_lines(order)
    state = Return.State.RECEIVED if received else Return.State.DECLINED
    restocked = received and restock
    open_one = Return.objects.filter(pk=request.pk, state=Return.State.REQUESTED)
    moved = open_one.update(
        state=state, restocked=restocked, answer=answer, actor=actor, settled_at=timezone.now()
    )
    request.refresh_from_db(fields=("state", "restocked", "answer", "actor", "settled_at"))
    if not moved:
        if (request.state, request.restocked) != (state, restocked):
            raise ReturnSettled(request.state)
        request.was_there = True
        return request
    if received:
        _take_back(order, request, lines, restock=restock, actor=actor)
    tell_tabs(order, order.status)
    queue_mail(order, "return_settled", about=str(request.pk))
    return request


def _take_back(
    order: Order,
    request: Return,
    lines: Mapping[int, OrderLine],
    *,
    restock: bool,
    actor: Customer | None,
) -> None:
    units: dict[int, int] = dict(request.lines.values_list("line", "quantity"))
    for line, count in units.items():
        order.lines.filter(pk=line).update(returned_quantity=F("returned_quantity") + count)
    if restock:
        back = {lines[line].variant_id: count for line, count in units.items()}
        receive_stock(back, cause_of(order, actor, request.reason))


def lock_lines(order: Order) -> dict[int, OrderLine]:
    """The order's lines by id, as they stay until the transaction ends; its row is fresh too."""
    order.status, order.refunded_amount = (
        Order.objects.select_for_update(no_key=True)
        .values_list("status", "refunded_amount")
        .get(pk=order.pk)
    )
    return {line.pk: line for line in OrderLine.objects.filter(order=order)}


def check_units(
    units: Mapping[int, int], possible: Mapping[int, int], lines: Mapping[int, OrderLine]
) -> dict[int, int]:
    """What is wanted, without lines of none. Raises NoUnits, TooManyUnits."""
    wanted = {line: count for line, count in units.items() if count}
    if not wanted:
        raise NoUnits
    for line, count in wanted.items():
        if not 0 < count <= possible.get(line, 0):
            sku = lines[line].sku if line in lines else ""
            raise TooManyUnits(sku, count, possible.get(line, 0))
    return wanted


def _same_parcel(parcel: Shipment, units: Mapping[int, int], tracking: str) -> Shipment:
    written = dict(parcel.lines.values_list("line", "quantity"))
    wanted = {line: count for line, count in units.items() if count}
    if (parcel.tracking, written) != (tracking, wanted):
        raise KeyReused
    parcel.was_there = True
    return parcel


def same_return(request: Return, units: Mapping[int, int], reason: str) -> Return:
    written = dict(request.lines.values_list("line", "quantity"))
    wanted = {line: count for line, count in units.items() if count}
    if (request.reason, written) != (reason, wanted):
        raise KeyReused
    request.was_there = True
    return request
