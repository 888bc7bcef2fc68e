"""Does the stock equal its ledger?"""

from dataclasses import dataclass
from typing import Final

from django.db import connection

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
