"""The one home of stock's changes: conditional updates that cannot go below zero.

Each change is one statement: it moves the item's units and writes the ledger's row. A row's lock
is thus held for no longer than an update alone would hold it, and nothing else is locked. All
take rows in primary-key order of the variants, so that two orders with the same variants cannot
deadlock. Call them inside the transaction of their effect, as late in it as can be.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.db import connection, transaction

from shop.errors import OutOfStock, StockTooLow, UnknownSku
from shop.models import Customer, StockItem, StockMovement, Variant

Kind = StockMovement.Kind
Mover = StockMovement.Mover

_MOVE: Final = """
WITH item AS (
    UPDATE shop_stockitem SET
        on_hand = on_hand + %(on_hand)s, allocated = allocated + %(allocated)s,
        sequence = sequence + 1
    WHERE variant_id = %(variant)s
        AND on_hand + %(on_hand)s >= 0 AND allocated + %(allocated)s >= 0
        AND (back_order OR on_hand + %(on_hand)s >= allocated + %(allocated)s)
    RETURNING id, sequence, on_hand, allocated
)
INSERT INTO shop_stockmovement (
    stock_item_id, sequence, kind, on_hand_change, allocated_change, on_hand_after,
    allocated_after, mover, actor_id, reason, order_number, key, created_at
)
SELECT id, sequence, %(kind)s, %(on_hand)s, %(allocated)s, on_hand,
    allocated, %(mover)s, %(actor)s::bigint, %(reason)s, %(order)s, %(key)s::uuid,
    clock_timestamp()
FROM item
"""
_OPEN: Final = """
WITH item AS (
    INSERT INTO shop_stockitem (variant_id, on_hand, allocated, back_order, sequence)
    SELECT variant, units, 0, false, least(units, 1)
    FROM unnest(%(variants)s::bigint[], %(units)s::integer[]) AS opened (variant, units)
    ON CONFLICT (variant_id) DO NOTHING
    RETURNING id, on_hand
), movement AS (
    INSERT INTO shop_stockmovement (
        stock_item_id, sequence, kind, on_hand_change, allocated_change, on_hand_after,
        allocated_after, mover, actor_id, reason, order_number, created_at
    )
    SELECT id, 1, 'received', on_hand, 0, on_hand,
        0, %(mover)s, %(actor)s::bigint, %(reason)s, %(order)s, clock_timestamp()
    FROM item WHERE on_hand > 0
)
SELECT count(*) FROM item
"""


@dataclass(frozen=True)
class Cause:
    """Who moves stock, and why. `order` is its number, `key` that of the form that was sent."""

    mover: Mover
    actor: Customer | None = None
    reason: str = ""
    order: str = ""
    key: UUID | None = None

    def as_params(self) -> dict[str, Any]:
        return {
            "mover": self.mover.value,
            "actor": self.actor.pk if self.actor else None,
            "reason": self.reason,
            "order": self.order,
            "key": self.key,
        }


def allocate_stock(units: Mapping[int, int], cause: Cause) -> None:
    """Give `{variant id: units}` to an order.

    Raises OutOfStock for the first variant that has too few and is not sold on back-order.
    """
    for variant_id in sorted(units):
        if not _move(variant_id, Kind.ALLOCATED, cause, allocated=units[variant_id]):
            variant = Variant.objects.select_related("product", "stock").get(pk=variant_id)
            stock = getattr(variant, "stock", None)
            raise OutOfStock(variant.sku, variant.product.name, stock.available if stock else 0)


def release_stock(units: Mapping[int, int], cause: Cause) -> None:
    """Take `{variant id: units}` back from an order that will not be sent.

    Raises StockTooLow where fewer are allocated: the order does not hold them.
    """
    for variant_id in sorted(units):
        if not _move(variant_id, Kind.RELEASED, cause, allocated=-units[variant_id]):
            raise _too_low(variant_id)


def ship_stock(units: Mapping[int, int], cause: Cause) -> None:
    """Allocated `{variant id: units}` leave the building.

    Raises StockTooLow where fewer are on hand: they were sold on back-order and have not come.
    """
    for variant_id in sorted(units):
        change = -units[variant_id]
        if not _move(variant_id, Kind.SHIPPED, cause, on_hand=change, allocated=change):
            raise _too_low(variant_id)


def receive_stock(units: Mapping[int, int], cause: Cause) -> None:
    """Goods arrive: `{variant id: units}`. Raises StockTooLow where there is no stock item."""
    for variant_id in sorted(units):
        if not _move(variant_id, Kind.RECEIVED, cause, on_hand=units[variant_id]):
            raise _too_low(variant_id)


def adjust_stock(changes: Mapping[int, int], cause: Cause) -> None:
    """Set right what a count, a loss or a find has shown: `{variant id: units more or fewer}`.

    Raises StockTooLow where fewer would be on hand than orders hold, or than none.
    """
    for variant_id in sorted(changes):
        change = changes[variant_id]
        if change and not _move(variant_id, Kind.ADJUSTED, cause, on_hand=change):
            raise _too_low(variant_id)


def open_stock(units: Mapping[int, int], cause: Cause) -> int:
    """Give variants that have none a stock item with their first units, in one statement.

    Returns how many were opened; the others are left as they are.
    """
    variants = sorted(units)
    counts = [units[variant] for variant in variants]
    params = cause.as_params() | {"variants": variants, "units": counts}
    with connection.cursor() as cursor:
        cursor.execute(_OPEN, params)
        return int(cursor.fetchone()[0])


@transaction.atomic
def follow_ledger(sku: str) -> bool:
    """Set an item back to what its ledger says. Whether that was needed.

    For stock that `stock verify` finds to differ: somebody went around the database's guard.
    Raises UnknownSku, and StockTooLow where the ledger's last row is none that an item may equal.
    """
    item = StockItem.objects.select_for_update().filter(variant__sku=sku).first()
    if item is None:
        raise UnknownSku(sku)
    last = StockMovement.objects.filter(stock_item=item).order_by("-sequence").first()
    before = (item.on_hand, item.allocated, item.sequence)
    after = (last.on_hand_after, last.allocated_after, last.sequence) if last else (0, 0, 0)
    item.on_hand, item.allocated, item.sequence = after
    if item.balance < 0 and not item.back_order:
        raise StockTooLow(sku, item.on_hand, item.allocated)
    item.save(update_fields=["on_hand", "allocated", "sequence"])
    return before != after


def _move(
    variant_id: int, kind: Kind, cause: Cause, *, on_hand: int = 0, allocated: int = 0
) -> bool:
    """Whether it was possible."""
    change = {"variant": variant_id, "kind": kind.value, "on_hand": on_hand, "allocated": allocated}
    with connection.cursor() as cursor:
        cursor.execute(_MOVE, cause.as_params() | change)
        return bool(cursor.rowcount)


def _too_low(variant_id: int) -> StockTooLow:
    item = StockItem.objects.filter(variant_id=variant_id).first()
    sku = Variant.objects.values_list("sku", flat=True).get(pk=variant_id)
    return StockTooLow(sku, item.on_hand if item else 0, item.allocated if item else 0)
