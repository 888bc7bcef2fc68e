"""Parcels: what leaves, what stays open, and that a second click sends nothing."""

import threading
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from django.core import mail
from django.db import IntegrityError

from orders.errors import NoUnits, TooManyUnits, WrongStatus
from orders.idempotency import KeyReused
from orders.mails import queue_again
from orders.models import Order, OrderLine, OutboxMessage, Shipment
from orders.outbox import relay
from orders.queries import order_steps
from orders.services import fulfilment
from orders.services.fulfilment import ship, ship_rest
from orders.services.payments import settle_by_hand
from orders.services.status import change_status
from shop.errors import ShopError, StockTooLow
from shop.models import StockItem, Variant
from shop.services.stock import Cause, Mover, receive_stock
from tests.factories import make_customer, make_variant
from tests.orders.life import (
    at_once,
    books_are_right,
    line_ids,
    lines,
    mails,
    paid,
    placed,
    press,
    steps,
    stock,
)

pytestmark = pytest.mark.django_db
LIVE = pytest.mark.django_db(transaction=True)


@pytest.fixture
def other(variant: Variant) -> Variant:
    return make_variant(variant.product, stock=5)


def test_an_order_leaves_in_two_parcels(variant: Variant, other: Variant) -> None:
    order = paid({variant: 3, other: 2})
    bags, caps = line_ids(order)
    packer = make_customer(is_staff=True)

    first = ship(order=order, units={bags: 2, caps: 0}, tracking="TW1", key=uuid4(), actor=packer)
    assert (order.status, lines(order)) == ("partly_fulfilled", [(3, 2, 0), (2, 0, 0)])
    second = ship(order=order, units={bags: 1, caps: 2}, tracking="TW2", key=uuid4(), actor=packer)

    order.refresh_from_db()
    assert (order.status, lines(order)) == ("fulfilled", [(3, 3, 0), (2, 2, 0)])
    assert (stock(variant), stock(other)) == ((7, 0), (3, 0))
    assert steps(order) == [("paid", ""), ("partly_fulfilled", "TW1"), ("fulfilled", "TW2")]
    assert [change.actor for change in order.history.all()][-2:] == [packer, packer]
    assert list(order.shipments.all()) == [first, second]
    assert list(first.lines.values_list("line", "quantity")) == [(bags, 2)]
    assert mails(order) == ["shipped", "shipped"]
    assert books_are_right()


def test_cash_is_asked_for_with_the_first_parcel_until_it_has_come(variant: Variant) -> None:
    order = placed({variant: 3}, payment_method=Order.Payment.CASH)
    (line,) = line_ids(order)
    asked = f"Please have {order.total} ready for the courier."

    ship(order=order, units={line: 1}, key=uuid4())
    ship_rest(order=order)
    relay()
    settle_by_hand(order=order, actor=None)
    first = OutboxMessage.objects.filter(payload__template="shipped").order_by("pk")[0]
    queue_again(first, key=uuid4())
    relay()

    told = [str(message.body) for message in mail.outbox][1:]  # the confirmation excepted
    assert [asked in body for body in told] == [True, False, False]


def test_shoppers_see_each_parcel_with_its_tracking_number(variant: Variant) -> None:
    order = paid({variant: 3})
    (line,) = line_ids(order)

    ship(order=order, units={line: 1}, tracking="TW1", key=uuid4())
    under_way = [(str(step.label), step.tracking, step.at is None) for step in order_steps(order)]
    ship_rest(order=order, tracking="TW2")
    done = order_steps(order)

    assert under_way[2:] == [
        ("Part of it is on its way", "TW1", False),
        ("The rest is on its way", "", True),
    ]
    assert (str(done[-1].label), done[-1].tracking, done[-1].is_current) == (
        "The rest is on its way",
        "TW2",
        True,
    )


def test_the_same_key_is_the_same_parcel(variant: Variant) -> None:
    order = paid({variant: 3})
    (line,), key = line_ids(order), uuid4()

    first = ship(order=order, units={line: 1}, tracking="TW1", key=key)
    again = ship(order=order, units={line: 1}, tracking="TW1", key=key)
    with pytest.raises(KeyReused):
        ship(order=order, units={line: 2}, tracking="TW1", key=key)

    assert first == again
    assert (stock(variant), lines(order)) == ((9, 2), [(3, 1, 0)])
    assert mails(order) == ["shipped"]


def test_the_same_key_is_the_same_parcel_of_an_order_that_went_on(variant: Variant) -> None:
    order = paid({variant: 1})
    units, key = {line_ids(order)[0]: 1}, uuid4()
    first = ship(order=order, units=units, key=key)
    change_status(order=order, to=Order.Status.REFUNDED)

    assert ship(order=order, units=units, key=key) == first


@pytest.mark.parametrize("units", [{0: 4}, {0: -1}, {0: 1, 1: 3}, {99: 1}])
def test_more_than_is_open_does_not_leave(
    variant: Variant, other: Variant, units: dict[int, int]
) -> None:
    order = paid({variant: 3, other: 2})
    ids = dict(enumerate(line_ids(order)))

    with pytest.raises(TooManyUnits):
        ship(order=order, units={ids.get(n, 0): count for n, count in units.items()}, key=uuid4())

    assert (order.status, lines(order), stock(variant)) == ("paid", [(3, 0, 0), (2, 0, 0)], (10, 3))


def test_a_parcel_of_nothing_is_none(variant: Variant) -> None:
    order = paid({variant: 3})

    with pytest.raises(NoUnits):
        ship(order=order, units={line_ids(order)[0]: 0}, key=uuid4())


def test_what_went_back_on_sale_does_not_leave(variant: Variant) -> None:
    unpaid = placed({variant: 1})
    cancelled = change_status(order=placed({variant: 1}), to=Order.Status.CANCELLED)

    for order in (unpaid, cancelled):
        with pytest.raises(WrongStatus):
            ship_rest(order=order)

    assert stock(variant) == (10, 1)


def test_cash_on_delivery_leaves_before_it_is_paid(variant: Variant) -> None:
    order = placed({variant: 2}, payment_method="cash_on_delivery")

    ship(order=order, units={line_ids(order)[0]: 1}, key=uuid4())
    ship_rest(order=order)

    assert [status for status, _ in steps(order)] == ["partly_fulfilled", "fulfilled"]


def test_back_ordered_units_leave_once_they_have_come(variant: Variant) -> None:
    StockItem.objects.filter(variant=variant).update(back_order=True)
    order = paid({variant: 12})
    (line,) = line_ids(order)

    with pytest.raises(StockTooLow) as early:
        ship_rest(order=order)
    assert (order.status, lines(order)) == ("paid", [(12, 0, 0)])
    ship(order=order, units={line: 10}, key=uuid4())
    assert (order.status, stock(variant)) == ("partly_fulfilled", (0, 2))
    receive_stock({variant.pk: 2}, Cause(Mover.STAFF))
    ship_rest(order=order)

    assert early.value.on_hand == 10
    assert (order.status, stock(variant), mails(order)) == ("fulfilled", (0, 0), ["shipped"] * 2)
    assert books_are_right()


def test_nobody_calls_an_order_fulfilled_of_which_units_are_here(variant: Variant) -> None:
    order = paid({variant: 1})

    with pytest.raises(RuntimeError, match="ship what is open"):
        change_status(order=order, to=Order.Status.FULFILLED)

    order.refresh_from_db()
    assert order.status == "paid"


# --- Two at once --------------------------------------------------------------------------------


def unlocked(monkeypatch: pytest.MonkeyPatch, together: int) -> None:
    """The control: each reads what is open before any of them writes."""
    read = threading.Barrier(together, timeout=20)

    def look(order: Order) -> dict[int, OrderLine]:
        order.refresh_from_db(fields=["status"])
        found = {line.pk: line for line in OrderLine.objects.filter(order=order)}
        read.wait()
        return found

    monkeypatch.setattr(fulfilment, "lock_lines", look)


def click(order: Order, times: int) -> list[Any]:
    units, key = {line_ids(order)[0]: 1}, uuid4()
    copies = [Order.objects.get(pk=order.pk) for _ in range(times)]
    return at_once(
        *(partial(press, partial(ship, order=copy, units=units, key=key)) for copy in copies)
    )


@LIVE
def test_eight_clicks_at_once_are_one_parcel(variant: Variant) -> None:
    order = paid({variant: 3})

    parcels = click(order, 8)

    assert parcels == [Shipment.objects.get()] * 8
    assert (stock(variant), lines(order), mails(order)) == ((9, 2), [(3, 1, 0)], ["shipped"])


@LIVE
def test_without_the_lock_the_second_click_fails(
    variant: Variant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: the database still allows one parcel, but the other click is an error."""
    order = paid({variant: 3})
    unlocked(monkeypatch, 2)

    parcels = click(order, 2)

    assert sum(isinstance(each, IntegrityError) for each in parcels) == 1
    assert lines(order) == [(3, 1, 0)]


def ship_both(order: Order) -> list[Any]:
    """Two people pack the last two units, each with a form of their own."""
    units = {line_ids(order)[0]: 2}
    copies = [Order.objects.get(pk=order.pk) for _ in range(2)]
    return at_once(
        *(lambda copy=copy: ship(order=copy, units=units, key=uuid4()) for copy in copies)
    )


@LIVE
def test_two_who_pack_the_same_units_send_them_once(variant: Variant) -> None:
    order = paid({variant: 2})

    results = ship_both(order)

    assert sum(isinstance(each, ShopError) for each in results) == 1
    assert (lines(order), stock(variant), Shipment.objects.count()) == ([(2, 2, 0)], (8, 0), 1)


@LIVE
def test_without_the_lock_the_last_guard_is_the_database(
    variant: Variant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: both saw two units open; the constraint stops the second, with an error."""
    order = paid({variant: 2})
    unlocked(monkeypatch, 2)

    results = ship_both(order)

    (error,) = [each for each in results if isinstance(each, Exception)]
    assert isinstance(error, IntegrityError)
    assert "order_line_ships_what_was_sold" in str(error)
