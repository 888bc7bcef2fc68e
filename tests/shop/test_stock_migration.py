"""The ledger arrives on a live shop: what was there, and what a former release still does."""

from collections.abc import Iterator
from typing import Any, Final

import pytest
from django.db import IntegrityError, connection
from django.db.migrations.executor import MigrationExecutor

from shop.models import StockItem
from shop.queries.stock import find_differences
from shop.services.stock import Cause, Mover, allocate_stock
from tests.factories import make_product

pytestmark = pytest.mark.django_db(transaction=True)

BEFORE: Final = "0001_initial"
LEDGER: Final = "0002_stock_ledger"
GUARD: Final = "0003_stock_guard"
FORMER_SALE: Final = (
    "UPDATE shop_stockitem SET allocated = allocated + %s"
    " WHERE variant_id = %s AND on_hand >= allocated + %s"
)
"""As the release without a ledger sells."""


def migrate(name: str) -> None:
    MigrationExecutor(connection).migrate([("shop", name)])


def former_release(sql: str, *params: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)


@pytest.fixture
def variants() -> Iterator[list[int]]:
    """Two variants in a shop before the ledger, the second with nothing."""
    made = [make_product(stock=units).variants.get().pk for units in (10, 0)]
    migrate(BEFORE)
    yield made
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())  # with what needs the ledger, too


def ledger(variant: int) -> list[tuple[int, str, int, int, int, int, str]]:
    rows = StockItem.objects.get(variant=variant).movements.order_by("sequence")
    columns = ("on_hand_change", "allocated_change", "on_hand_after", "allocated_after", "reason")
    return list(rows.values_list("sequence", "kind", *columns))


def test_a_live_shop_gets_its_ledger_and_then_its_guard(variants: list[int]) -> None:
    sold, empty = variants
    former_release(FORMER_SALE, 3, sold, 3)

    migrate(LEDGER)
    former_release(FORMER_SALE, 2, sold, 2)
    allocate_stock({sold: 1}, Cause(Mover.SHOPPER, order="AP-1"))
    former_release("UPDATE shop_stockitem SET on_hand = 4 WHERE variant_id = %s", empty)
    migrate(GUARD)

    assert ledger(sold) == [
        (1, "adjusted", 10, 3, 10, 3, "opening balance"),
        (2, "adjusted", 0, 2, 10, 5, "former release"),
        (3, "allocated", 0, 1, 10, 6, ""),
    ]
    assert ledger(empty) == [(1, "adjusted", 4, 0, 4, 0, "former release")]
    assert find_differences() == (2, [])
    with pytest.raises(IntegrityError, match="but its ledger"):
        former_release(FORMER_SALE, 1, sold, 1)
    assert len(ledger(sold)) == 3
