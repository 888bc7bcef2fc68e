"""Payments and parcels arrive at a shop that has sent orders already."""

from collections.abc import Iterator
from typing import Final

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from shop.models import Variant
from tests.factories import make_product
from tests.orders.life import lines, paid, placed

BEFORE: Final = [("orders", "0002_idempotency_headers"), ("shop", "0002_stock_ledger")]
ORDERS: Final = [("orders", "0003_payments_and_parcels")]

pytestmark = pytest.mark.django_db(transaction=True)


def migrate(targets: list[tuple[str, str]]) -> set[tuple[str, str]]:
    """Returns what is applied then."""
    executor = MigrationExecutor(connection)
    executor.migrate(targets)
    return set(executor.loader.applied_migrations)


@pytest.fixture
def variant() -> Iterator[Variant]:
    yield make_product(stock=10).variants.get()
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())


def test_what_a_former_release_sent_has_left_and_its_stock_stays_sellable(variant: Variant) -> None:
    """The guard of the stock comes with a later step: former instances still sell."""
    sent, waiting = paid({variant: 3}), placed({variant: 2})
    type(sent).objects.filter(pk=sent.pk).update(status="fulfilled")
    migrate(BEFORE)

    applied = migrate(ORDERS)

    assert (lines(sent), lines(waiting)) == ([(3, 3, 0)], [(2, 0, 0)])
    assert ("shop", "0003_stock_guard") not in applied
