"""Stock and its ledger: each change, the database's guard, the command, a model of it all."""

import json
from collections.abc import Callable
from io import StringIO
from typing import Any, Final

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, IntegrityError, connection, transaction
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from shop.errors import OutOfStock, ShopError, StockTooLow
from shop.models import Customer, StockItem, StockMovement, Variant
from shop.queries.stock import find_differences
from shop.services.stock import (
    Cause,
    Mover,
    adjust_stock,
    allocate_stock,
    open_stock,
    receive_stock,
    release_stock,
    ship_stock,
)
from tests.factories import make_customer, make_product, make_variant

pytestmark = pytest.mark.django_db

ORDER: Final = Cause(Mover.SHOPPER, order="AP-0000-0000-0001")
STAFF: Final = Cause(Mover.STAFF, reason="a count")
LEDGER: Final = ("kind", "on_hand_change", "allocated_change", "on_hand_after", "allocated_after")


@pytest.fixture
def item() -> StockItem:
    return make_product(stock=10).variants.get().stock


def commit() -> None:
    """What the database checks when a transaction ends, now."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")


def units(item: StockItem) -> tuple[int, int]:
    item.refresh_from_db()
    return item.on_hand, item.allocated


def verify(**options: Any) -> tuple[int, str]:
    """Exit code and output of `stock verify`."""
    output = StringIO()
    try:
        call_command("stock", "verify", stdout=output, **options)
    except SystemExit as end:
        return int(str(end.code)), output.getvalue()
    return 0, output.getvalue()


def without_guard(sql: str, *params: Any) -> None:
    """Somebody switches the triggers off, as a superuser can, and writes what they like."""
    commit()
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE shop_stockitem DISABLE TRIGGER USER")
        cursor.execute("ALTER TABLE shop_stockmovement DISABLE TRIGGER USER")
        cursor.execute(sql, params)
        commit()
        cursor.execute("ALTER TABLE shop_stockitem ENABLE TRIGGER USER")
        cursor.execute("ALTER TABLE shop_stockmovement ENABLE TRIGGER USER")


# --- Movements ----------------------------------------------------------------------------------


def test_each_change_is_a_movement_with_the_totals_after_it(item: StockItem) -> None:
    variant = item.variant_id

    allocate_stock({variant: 4}, ORDER)
    ship_stock({variant: 3}, ORDER)
    release_stock({variant: 1}, ORDER)
    receive_stock({variant: 6}, STAFF)
    adjust_stock({variant: -2}, STAFF)
    commit()

    assert list(item.movements.order_by("sequence").values_list("sequence", *LEDGER)) == [
        (1, "received", 10, 0, 10, 0),
        (2, "allocated", 0, 4, 10, 4),
        (3, "shipped", -3, -3, 7, 1),
        (4, "released", 0, -1, 7, 0),
        (5, "received", 6, 0, 13, 0),
        (6, "adjusted", -2, 0, 11, 0),
    ]
    assert (units(item), item.sequence) == ((11, 0), 6)


def test_a_movement_says_who_why_and_for_which_order(item: StockItem) -> None:
    actor = make_customer()

    allocate_stock({item.variant_id: 1}, Cause(Mover.SHOPPER, actor, order="AP-1"))
    release_stock(
        {item.variant_id: 1}, Cause(Mover.SYSTEM, reason="Not paid in time", order="AP-1")
    )

    rows = item.movements.order_by("sequence").values_list(
        "mover", "actor", "reason", "order_number"
    )
    assert list(rows)[1:] == [
        ("shopper", actor.pk, "", "AP-1"),
        ("system", None, "Not paid in time", "AP-1"),
    ]


def test_what_is_refused_leaves_no_movement(item: StockItem) -> None:
    allocate_stock({item.variant_id: 4}, ORDER)

    with pytest.raises(OutOfStock) as short:
        allocate_stock({item.variant_id: 7}, ORDER)
    with pytest.raises(StockTooLow) as held:
        adjust_stock({item.variant_id: -7}, STAFF)
    with pytest.raises(StockTooLow):
        release_stock({item.variant_id: 5}, ORDER)
    with pytest.raises(StockTooLow):
        ship_stock({item.variant_id: 5}, ORDER)

    assert short.value.available == 6
    assert (held.value.on_hand, held.value.allocated) == (10, 4)
    assert (units(item), item.movements.count()) == ((10, 4), 2)


def test_opening_leaves_what_is_open_alone(item: StockItem) -> None:
    other = Variant.objects.create(product=item.variant.product, sku="NEW")
    empty = Variant.objects.create(product=item.variant.product, sku="EMPTY")

    opened = open_stock({item.variant_id: 99, other.pk: 5, empty.pk: 0}, STAFF)
    commit()

    assert opened == 2
    assert [units(each.stock) for each in (item.variant, other, empty)] == [(10, 0), (5, 0), (0, 0)]
    assert empty.stock.movements.count() == 0
    receive_stock({empty.pk: 1}, STAFF)
    commit()
    assert empty.stock.movements.get().sequence == 1


def test_a_change_takes_one_statement_a_line(
    item: StockItem, django_assert_num_queries: Callable[[int], Any]
) -> None:
    other = make_variant(item.variant.product, stock=5)

    with django_assert_num_queries(2):
        allocate_stock({other.pk: 1, item.variant_id: 1}, ORDER)


def test_a_customer_who_goes_leaves_the_ledger_standing(item: StockItem) -> None:
    actor = make_customer()
    allocate_stock({item.variant_id: 1}, Cause(Mover.SHOPPER, actor, order="AP-1"))

    Customer.objects.filter(pk=actor.pk).delete()
    commit()

    movement = item.movements.latest("sequence")
    assert (movement.actor, movement.mover, movement.order_number) == (None, "shopper", "AP-1")


def test_a_variant_that_goes_takes_its_ledger_along(item: StockItem) -> None:
    item.variant.product.delete()
    commit()

    assert StockMovement.objects.filter(stock_item_id=item.pk).count() == 0


# --- Back-order -----------------------------------------------------------------------------------


def test_back_order_sells_beyond_what_is_here_and_ships_when_it_has_come(item: StockItem) -> None:
    StockItem.objects.filter(pk=item.pk).update(back_order=True)

    allocate_stock({item.variant_id: 12}, ORDER)
    with pytest.raises(StockTooLow) as early:
        ship_stock({item.variant_id: 12}, ORDER)
    receive_stock({item.variant_id: 2}, STAFF)
    ship_stock({item.variant_id: 12}, ORDER)
    commit()

    assert (early.value.on_hand, early.value.allocated) == (10, 12)
    assert units(item) == (0, 0)


def test_the_database_refuses_to_end_back_order_while_units_are_awaited(item: StockItem) -> None:
    StockItem.objects.filter(pk=item.pk).update(back_order=True)
    allocate_stock({item.variant_id: 12}, ORDER)

    with pytest.raises(IntegrityError, match="stock_never_negative"), transaction.atomic():
        StockItem.objects.filter(pk=item.pk).update(back_order=False)

    item.refresh_from_db()
    assert (item.available, item.balance) == (0, -2)


# --- The guard ------------------------------------------------------------------------------------

WRITES: Final = {
    "units without a movement": "UPDATE shop_stockitem SET on_hand = on_hand + 1",
    "an item with units and no ledger": "DELETE FROM shop_stockmovement",
    "a movement without units": (
        "INSERT INTO shop_stockmovement (stock_item_id, sequence, kind, on_hand_change,"
        " allocated_change, on_hand_after, allocated_after, mover, reason, order_number)"
        " SELECT id, sequence + 1, 'received', 5, 0, on_hand + 5, allocated, 'system', '', ''"
        " FROM shop_stockitem"
    ),
    "a movement that begins elsewhere": (
        "WITH item AS (UPDATE shop_stockitem SET on_hand = on_hand + 5, sequence = sequence + 1"
        " RETURNING *)"
        " INSERT INTO shop_stockmovement (stock_item_id, sequence, kind, on_hand_change,"
        " allocated_change, on_hand_after, allocated_after, mover, reason, order_number)"
        " SELECT id, sequence, 'received', 4, 0, on_hand, allocated, 'system', '', '' FROM item"
    ),
    "a movement that leaves one out": (
        "WITH item AS (UPDATE shop_stockitem SET on_hand = on_hand + 5, sequence = sequence + 2"
        " RETURNING *)"
        " INSERT INTO shop_stockmovement (stock_item_id, sequence, kind, on_hand_change,"
        " allocated_change, on_hand_after, allocated_after, mover, reason, order_number)"
        " SELECT id, sequence, 'received', 5, 0, on_hand, allocated, 'system', '', '' FROM item"
    ),
    "an earlier state": "UPDATE shop_stockitem SET on_hand = 10, allocated = 0, sequence = 1",
    "another past": "UPDATE shop_stockmovement SET reason = 'nothing to see'",
}


@pytest.mark.parametrize("sql", WRITES.values(), ids=WRITES.keys())
def test_the_database_refuses_what_goes_round_the_service(item: StockItem, sql: str) -> None:
    allocate_stock({item.variant_id: 4}, ORDER)
    commit()

    with pytest.raises(IntegrityError), transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(sql)
        commit()

    assert (units(item), find_differences()) == ((10, 4), (1, []))


def test_a_kind_moves_only_what_it_says(item: StockItem) -> None:
    movement = {"stock_item": item, "sequence": 2, "on_hand_after": 9, "allocated_after": 0}

    with pytest.raises(IntegrityError, match="movement_moves_what"), transaction.atomic():
        StockMovement.objects.create(
            kind="received", on_hand_change=-1, allocated_change=0, mover="staff", **movement
        )


# --- The command ------------------------------------------------------------------------------


def test_verify_finds_nothing_after_honest_work(item: StockItem) -> None:
    allocate_stock({item.variant_id: 4}, ORDER)
    ship_stock({item.variant_id: 4}, ORDER)

    assert verify() == (
        0,
        "1 stock items, each the sum of its movements and held by open orders\n",
    )
    assert json.loads(verify(json=True)[1]) == {"items": 1, "differences": [], "unclaimed": []}


def test_verify_names_units_that_no_open_order_waits_for(item: StockItem) -> None:
    allocate_stock({item.variant_id: 4}, ORDER)

    code, said = verify()

    assert code == 1
    assert said == (
        f"{item.variant.sku}: 4 allocated, but open orders wait for 0. Look at {ORDER.order}:"
        " their movements are not what is open of them.\n"
    )


def test_verify_names_a_sku_whose_guard_was_switched_off(item: StockItem) -> None:
    make_product(stock=3)
    sku = item.variant.sku
    without_guard("UPDATE shop_stockitem SET on_hand = 12 WHERE id = %s", item.pk)

    code, said = verify()
    _, document = verify(json=True)

    assert code == 1
    assert said == (
        f"{sku}: 12 on hand and 0 allocated, but its ledger says 10 and 0. Count the units, run"
        f" `manage.py stock follow-ledger {sku}`, then enter what you counted in the admin.\n"
    )
    assert json.loads(document)["differences"] == [
        {
            "sku": sku,
            "on_hand": 12,
            "allocated": 0,
            "ledger_on_hand": 10,
            "ledger_allocated": 0,
            "whole": True,
        }
    ]


def test_an_item_follows_its_ledger_again(item: StockItem) -> None:
    without_guard("UPDATE shop_stockitem SET on_hand = 12 WHERE id = %s", item.pk)

    call_command("stock", "follow-ledger", item.variant.sku, "--dry-run", stdout=StringIO())
    assert units(item) == (12, 0)
    call_command("stock", "follow-ledger", item.variant.sku, stdout=StringIO())
    commit()

    assert units(item) == (10, 0)
    assert verify()[0] == 0


def test_a_ledger_that_lost_a_row_is_not_followed(item: StockItem) -> None:
    allocate_stock({item.variant_id: 4}, ORDER)
    release_stock({item.variant_id: 4}, ORDER)
    without_guard("DELETE FROM shop_stockmovement WHERE sequence = 2")

    code, said = verify()

    assert code == 1
    assert "lacks rows or was altered" in said
    with pytest.raises(CommandError, match="restore it from a backup"):
        call_command("stock", "follow-ledger", item.variant.sku)


# --- Every state, against a model ------------------------------------------------------------

STEPS: Final = st.lists(
    st.tuples(
        st.sampled_from(["allocate", "release", "ship", "receive", "adjust", "back_order"]),
        st.integers(1, 6),
        st.booleans(),
    ),
    max_size=25,
)


class Model:
    """What stock is supposed to do, in the plainest words."""

    def __init__(self, on_hand: int) -> None:
        self.on_hand, self.allocated, self.back_order = on_hand, 0, False

    def allowed(self, on_hand: int, allocated: int) -> bool:
        return on_hand >= 0 and allocated >= 0 and (self.back_order or on_hand >= allocated)

    def take(self, step: str, count: int, flag: bool) -> bool:
        """Whether the step is possible; it is taken if it is."""
        if step == "back_order":
            if not flag and self.on_hand < self.allocated:
                return False
            self.back_order = flag
            return True
        more, held = {
            "allocate": (0, count),
            "release": (0, -count),
            "ship": (-count, -count),
            "receive": (count, 0),
            "adjust": (count if flag else -count, 0),
        }[step]
        if not self.allowed(self.on_hand + more, self.allocated + held):
            return False
        self.on_hand, self.allocated = self.on_hand + more, self.allocated + held
        return True


def take(variant: int, step: str, count: int, flag: bool) -> bool:
    """The same step in the shop."""
    try:
        with transaction.atomic():
            match step:
                case "allocate":
                    allocate_stock({variant: count}, ORDER)
                case "release":
                    release_stock({variant: count}, ORDER)
                case "ship":
                    ship_stock({variant: count}, ORDER)
                case "receive":
                    receive_stock({variant: count}, STAFF)
                case "adjust":
                    adjust_stock({variant: count if flag else -count}, STAFF)
                case "back_order":
                    StockItem.objects.filter(variant=variant).update(back_order=flag)
    except (ShopError, DatabaseError):
        return False
    return True


@examples(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(start=st.integers(0, 8), steps=STEPS)
def test_stock_is_where_a_simple_model_says(start: int, steps: list[tuple[str, int, bool]]) -> None:
    with transaction.atomic():
        variant = make_product(stock=start).variants.get().pk
        model = Model(start)
        for step in steps:
            assert take(variant, *step) == model.take(*step), step
            item = StockItem.objects.get(variant=variant)
            assert (item.on_hand, item.allocated) == (model.on_hand, model.allocated)
        commit()
        assert find_differences() == (1, [])
        transaction.set_rollback(True)
