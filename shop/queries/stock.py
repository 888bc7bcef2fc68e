"""Does the stock equal its ledger, and is what it holds for orders held by orders?"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from django.db import connection
from django.db.models import F, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce

from shop.models import StockItem, StockMovement

_COMPARE: Final = """
SELECT variant.sku, item.on_hand, item.allocated,
    coalesce(ledger.on_hand, 0), coalesce(ledger.allocated, 0),
    coalesce(ledger.last = ledger.count AND ledger.chained, true)
FROM shop_stockitem item
JOIN shop_variant variant ON variant.id = item.variant_id
LEFT JOIN (
    SELECT stock_item_id, sum(on_hand_change) AS on_hand, sum(allocated_change) AS allocated,
        max(sequence) AS last, count(*) AS count, bool_and(chained) AS chained
    FROM (
        SELECT *, (on_hand_after, allocated_after) = (
            coalesce(lag(on_hand_after) OVER earlier, 0) + on_hand_change,
            coalesce(lag(allocated_after) OVER earlier, 0) + allocated_change
        ) AS chained
        FROM shop_stockmovement
        WINDOW earlier AS (PARTITION BY stock_item_id ORDER BY sequence)
    ) movement GROUP BY stock_item_id
) ledger ON ledger.stock_item_id = item.id
WHERE (item.on_hand, item.allocated, item.sequence, item.sequence) IS DISTINCT FROM (
    coalesce(ledger.on_hand, 0), coalesce(ledger.allocated, 0), coalesce(ledger.last, 0),
    coalesce(ledger.count, 0)
) OR NOT ledger.chained
ORDER BY variant.sku
"""
"""One statement, one snapshot: orders may go on meanwhile."""


@dataclass(frozen=True)
class Difference:
    """A stock item that is not the sum of its movements."""

    sku: str
    on_hand: int
    allocated: int
    ledger_on_hand: int
    ledger_allocated: int
    whole: bool
    """The ledger has every row from the first to the last: it can be followed."""


def find_differences() -> tuple[int, list[Difference]]:
    """How many stock items there are, and those that differ, by SKU. Reads the whole ledger."""
    with connection.cursor() as cursor:
        cursor.execute(_COMPARE)
        rows = cursor.fetchall()
        cursor.execute("SELECT count(*) FROM shop_stockitem")
        (items,) = cursor.fetchone()
    return items, [
        Difference(sku, on_hand, allocated, int(on_shelf), int(held), whole)
        for sku, on_hand, allocated, on_shelf, held, whole in rows
    ]


type OpenUnits = Callable[[], QuerySet[Any, Any]]
_open_units: list[OpenUnits] = []
NAMED: Final = 5
"""Orders that a SKU's sentence names."""


def registers_open_units(read: OpenUnits) -> OpenUnits:
    """Say what orders hold: rows of `variant`, `number` (the order's) and `units` not sent yet.

    Called by whoever sells: the shop does not know orders.
    """
    _open_units.append(read)
    return read


@dataclass(frozen=True)
class Unclaimed:
    """A stock item that keeps other units aside than open orders wait for."""

    sku: str
    allocated: int
    open: int
    orders: list[str] = field(default_factory=list)
    """Numbers of some whose part of the ledger is not what is open of them."""


def find_unclaimed() -> list[Unclaimed]:
    """Stock items by SKU whose allocated units are not those of open orders.

    One statement, one snapshot. Only for what differs it asks which orders those are.
    """
    found: list[Unclaimed] = []
    for read in _open_units:
        units = read().filter(variant=OuterRef("variant")).values("variant")
        total = Coalesce(Subquery(units.annotate(total=Sum("units")).values("total")), 0)
        items = StockItem.objects.annotate(open=total).exclude(allocated=F("open"))
        for item in items.select_related("variant").order_by("variant__sku"):
            orders = _orders_that_differ(item, read)
            found.append(Unclaimed(item.variant.sku, item.allocated, item.open, orders))
    return found


def _orders_that_differ(item: StockItem, read: OpenUnits) -> list[str]:
    moved = StockMovement.objects.filter(stock_item=item).exclude(order_number="").order_by()
    held = dict(
        moved.values("order_number")
        .annotate(units=Sum("allocated_change"))
        .values_list("order_number", "units")
    )
    wanted = {row["number"]: row["units"] for row in read().filter(variant=item.variant_id)}
    numbers = sorted(held.keys() | wanted.keys())
    return [number for number in numbers if held.get(number, 0) != wanted.get(number, 0)][:NAMED]
