"""The live shop's stock: units to sell, and what its ledger says of them."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg


def move_stock(live: psycopg.Connection, variant: int, *, on_hand: int, allocated: int) -> None:
    """Make these the variant's units, through its ledger."""
    live.execute(
        "WITH item AS ("
        " UPDATE shop_stockitem SET on_hand = %(on_hand)s, allocated = %(allocated)s,"
        "  sequence = sequence + 1"
        " WHERE variant_id = %(variant)s AND (on_hand, allocated) <> (%(on_hand)s, %(allocated)s)"
        " RETURNING new.id, new.sequence, new.on_hand, new.allocated,"
        "  new.on_hand - old.on_hand AS more, new.allocated - old.allocated AS held)"
        " INSERT INTO shop_stockmovement (stock_item_id, sequence, kind, on_hand_change,"
        "  allocated_change, on_hand_after, allocated_after, mover, reason, order_number)"
        " SELECT id, sequence, 'adjusted', more, held, on_hand, allocated, 'system', 'test', ''"
        " FROM item",
        {"variant": variant, "on_hand": on_hand, "allocated": allocated},
    )


@contextmanager
def stocked(writer: Callable[[], psycopg.Connection], *units: int) -> Iterator[list[str]]:
    """Give as many demo variants these units, none of them allocated. Yields their SKUs.

    Their former stock is put back afterwards, by whoever is the writer then.
    """
    with writer() as live:
        former = live.execute(
            "SELECT variant.id, variant.sku, stock.on_hand, stock.allocated"
            " FROM shop_variant variant"
            " JOIN shop_product product ON product.id = variant.product_id"
            " JOIN shop_stockitem stock ON stock.variant_id = variant.id"
            " WHERE product.is_active AND variant.is_active ORDER BY variant.id LIMIT %s",
            [len(units)],
        ).fetchall()
        assert len(former) == len(units), "the demo shop has too few variants"
        for (variant, *_), given in zip(former, units, strict=True):
            move_stock(live, variant, on_hand=given, allocated=0)
    try:
        yield [sku for _, sku, _, _ in former]
    finally:
        with writer() as live:
            for variant, _, on_hand, allocated in former:
                move_stock(live, variant, on_hand=on_hand, allocated=allocated)


def ledger(live: psycopg.Connection, sku: str) -> tuple[int, int]:
    """Units on hand and allocated; fails where they are not the sum of the movements."""
    row = live.execute(
        "SELECT item.on_hand, item.allocated, item.sequence, sum(on_hand_change),"
        " sum(allocated_change), max(movement.sequence), count(*)"
        " FROM shop_stockitem item JOIN shop_stockmovement movement ON stock_item_id = item.id"
        " WHERE variant_id = (SELECT id FROM shop_variant WHERE sku = %s) GROUP BY item.id",
        [sku],
    ).fetchone()
    assert row is not None
    on_hand, allocated, sequence, *totals = row
    assert totals == [on_hand, allocated, sequence, sequence]
    return on_hand, allocated


def last_movement(live: psycopg.Connection) -> int:
    """Number of the ledger's newest row."""
    row = live.execute("SELECT coalesce(max(id), 0) FROM shop_stockmovement").fetchone()
    assert row is not None
    return int(row[0])


def allocations(live: psycopg.Connection, sku: str, since: int) -> Counter[str]:
    """Units that each order took after the movement `since`; fails where one took twice."""
    rows = live.execute(
        "SELECT order_number, allocated_change FROM shop_stockmovement movement"
        " JOIN shop_stockitem item ON item.id = stock_item_id"
        " JOIN shop_variant variant ON variant.id = variant_id"
        " WHERE kind = 'allocated' AND sku = %s AND movement.id > %s",
        [sku, since],
    )
    taken: Counter[str] = Counter()
    for number, units in rows:
        assert number not in taken, f"{number} took {sku} twice"
        taken[number] = units
    return taken
