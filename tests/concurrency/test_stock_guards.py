"""The service that sells, over real connections: with its guards, and with each of them bypassed.

Everybody here calls `place_order`. What a control takes away, it takes from that very service.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from threading import Barrier, get_ident
from typing import Final

import pytest
from django.db import IntegrityError, OperationalError, connection

from orders.models import Order
from orders.services import checkout
from shop.errors import OutOfStock
from shop.models import StockItem, Variant
from shop.queries.stock import find_differences
from shop.services import stock
from shop.services.stock import Cause, Kind, Mover, receive_stock
from tests.factories import make_product
from tests.orders.life import at_once, placed
from tests.orders.life import stock as units
from tests.stack import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

BUYERS: Final = 6
"""Fewer than the connections of this process's pool: all of them are inside at the same time."""
UNITS: Final = 2
SECONDS: Final = 20
DEADLOCK: Final = "40P01"


# --- More buyers than units ----------------------------------------------------------------------


def buy_at_once(variant: Variant) -> Counter[str]:
    """So many want one each, and nobody's units are taken before everybody is about to."""
    return Counter(_name(each) for each in at_once(*[lambda: placed({variant: 1})] * BUYERS))


def _name(result: object) -> str:
    return "sold" if isinstance(result, Order) else type(result).__name__


@pytest.fixture
def variant(monkeypatch: pytest.MonkeyPatch) -> Variant:
    """With few units, which are wanted by all at the same moment."""
    allocate, together = stock.allocate_stock, Barrier(BUYERS, timeout=SECONDS)

    def allocate_together(units: Mapping[int, int], cause: Cause) -> None:
        together.wait()
        allocate(units, cause)

    monkeypatch.setattr(checkout, "allocate_stock", allocate_together)
    return make_product(stock=UNITS).variants.get()


@pytest.fixture
def look_then_take(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: the condition is taken out of the update, and looked at before it."""
    condition = "        AND (back_order OR on_hand + %(on_hand)s >= allocated + %(allocated)s)\n"
    assert condition in stock._MOVE
    move, looked = stock._move, Barrier(BUYERS, timeout=SECONDS)

    def careless(variant_id: int, kind: Kind, cause: Cause, **change: int) -> bool:
        enough = StockItem.objects.get(variant_id=variant_id).available >= change["allocated"]
        looked.wait()
        return enough and move(variant_id, kind, cause, **change)

    monkeypatch.setattr(stock, "_MOVE", stock._MOVE.replace(condition, ""))
    monkeypatch.setattr(stock, "_move", careless)


@pytest.fixture
def without_constraint(variant: Variant, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The database's last word on what is sold is taken away, and given back."""
    (constraint,) = StockItem._meta.constraints
    with connection.schema_editor() as editor:
        editor.remove_constraint(StockItem, constraint)
    yield
    monkeypatch.undo()
    receive_stock({variant.pk: BUYERS}, Cause(Mover.SYSTEM, reason="what was sold and not there"))
    with connection.schema_editor() as editor:
        editor.add_constraint(StockItem, constraint)


def test_no_more_is_sold_than_there_is(variant: Variant) -> None:
    ends = buy_at_once(variant)

    assert ends == {"sold": UNITS, OutOfStock.__name__: BUYERS - UNITS}
    assert (units(variant), Order.objects.count()) == ((UNITS, UNITS), UNITS)
    assert find_differences()[1] == []


@pytest.mark.usefixtures("without_constraint", "look_then_take")
def test_who_looks_and_then_takes_oversells(variant: Variant) -> None:
    """The control: the service without its condition, in a database without its constraint."""
    ends = buy_at_once(variant)

    assert ends == {"sold": BUYERS}
    assert (units(variant), Order.objects.count()) == ((UNITS, BUYERS), BUYERS)


@pytest.mark.usefixtures("look_then_take")
def test_who_looks_and_then_takes_is_stopped_by_the_database_alone(variant: Variant) -> None:
    """The control: nothing is oversold, but shoppers meet an error where they were owed a no."""
    ends = buy_at_once(variant)

    assert ends == {"sold": UNITS, IntegrityError.__name__: BUYERS - UNITS}
    assert (units(variant), Order.objects.count()) == ((UNITS, UNITS), UNITS)


@pytest.mark.usefixtures("without_constraint")
def test_the_condition_alone_is_enough(variant: Variant) -> None:
    """Of the two guards it is the service's own that says no."""
    assert buy_at_once(variant) == {"sold": UNITS, OutOfStock.__name__: BUYERS - UNITS}


# --- Two carts that hold the same two things in another order ------------------------------------


def cross(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Each has taken its first row, or waits for it, before anybody takes a second one."""
    first, second = (make_product(stock=10).variants.get() for _ in range(2))
    carts = ({first: 1, second: 1}, {second: 1, first: 1})
    move, inside = stock._move, set[int]()

    def take(variant_id: int, kind: Kind, cause: Cause, **change: int) -> bool:
        taken = move(variant_id, kind, cause, **change)
        if (me := get_ident()) not in inside:
            inside.add(me)
            wait_until(
                lambda: len(inside) == len(carts) or is_waited_for(),
                SECONDS,
                "the other has taken its first row, or waits for ours",
            )
        return taken

    monkeypatch.setattr(stock, "_move", take)
    ends = at_once(*(lambda cart=cart: placed(cart) for cart in carts))
    assert units(first) == units(second)
    return sorted(_sqlstate(each) for each in ends)


def is_waited_for() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_locks"
            " WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid)))"
        )
        return bool(cursor.fetchone()[0])


def _sqlstate(result: object) -> str:
    if isinstance(result, OperationalError):
        return str(getattr(result.__cause__, "sqlstate", result))
    return _name(result)


def test_carts_in_another_order_wait_for_each_other_and_both_are_sold(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert cross(monkeypatch) == ["sold", "sold"]


def test_without_the_primary_key_order_one_of_them_dies(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: the service takes rows as the cart names them."""
    monkeypatch.setattr(stock, "sorted", list, raising=False)

    assert cross(monkeypatch) == [DEADLOCK, "sold"]
