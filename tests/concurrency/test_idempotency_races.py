"""Two requests at the same moment, in one process: each race is run with its guard and, as the
control, with the guard bypassed, where it must show."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection, connections

from orders.answers import Answer
from orders.errors import EmptyCart
from orders.idempotency import StillRunning, _Claim, idempotent
from orders.models import IdempotencyRecord, Order
from orders.services import checkout
from orders.services.checkout import OrderDetails, Shown, place_order
from shop.models import Cart, StockItem
from shop.money import Money
from tests.factories import make_cart, make_order, make_product

pytestmark = pytest.mark.django_db(transaction=True)
AT_ONCE = 6
"""Fewer than the connections of this process's pool: all of them are inside at the same time."""
OWNERS = ("session:mei",)


@pytest.fixture
def barrier() -> Barrier:
    return Barrier(AT_ONCE, timeout=20)


def at_once[T](work: Callable[[], T]) -> list[T]:
    def run(_: int) -> T:
        try:
            return work()
        finally:
            connections["default"].close()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(run, range(AT_ONCE)))


def look_then_write(monkeypatch: pytest.MonkeyPatch, barrier: Barrier) -> None:
    """Bypass the guard: "GET; work; SET", as the sketch of many has it."""

    def take(claim: _Claim) -> tuple[list[str], Answer | None]:
        seen = IdempotencyRecord.objects.filter(owner__in=claim.owners, key=claim.key).first()
        barrier.wait()
        assert seen is None
        return [], None

    def write(claim: _Claim, answer: Answer, claimed: list[str]) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO orders_idempotencyrecord"
                " (owner, key, fingerprint, status, body, created_at, expires_at)"
                " VALUES (%s, %s, '', 200, '', now(), now()) ON CONFLICT DO NOTHING",
                [claim.owners[0], claim.key],
            )

    monkeypatch.setattr(_Claim, "_take", take)
    monkeypatch.setattr(_Claim, "_write", write)


def make_order_under(key: UUID, barrier: Barrier) -> bytes:
    """An effect that nothing but the key protects. Asks again while another one runs."""
    barrier.wait()
    while True:
        try:
            with idempotent(owners=OWNERS, key=key, content={}) as attempt:
                if not attempt.answer:
                    attempt.answer = Answer(201, make_order().number.encode())
            return attempt.settled.body
        except StillRunning:
            continue


def test_requests_with_one_key_have_one_effect(barrier: Barrier) -> None:
    key = uuid4()

    bodies = at_once(lambda: make_order_under(key, barrier))

    assert bodies == [Order.objects.get().number.encode()] * AT_ONCE


def test_look_then_write_has_an_effect_each(
    barrier: Barrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control of the test above."""
    look_then_write(monkeypatch, barrier)
    key = uuid4()

    at_once(lambda: make_order_under(key, barrier))

    assert Order.objects.count() == AT_ONCE


DETAILS = OrderDetails(
    email="mei@example.com",
    name="Lin Mei",
    line1="12 Harbour Road",
    line2="",
    city="Keelung",
    postcode="202",
    country="TW",
    delivery_method="standard",
    payment_method="invoice",
    currency="TWD",
)


@pytest.fixture
def cart() -> Iterator[Cart]:
    yield make_cart({make_product(stock=50).variants.get(): 1})


def order_in_a_tab(cart: Cart, barrier: Barrier) -> bool:
    """Each tab has a key of its own, so that only the cart's lock is between them."""
    barrier.wait()
    with idempotent(
        owners=OWNERS,
        key=uuid4(),
        content={},
        decline=lambda error: Answer(409, repr(error).encode()),
    ) as attempt:
        if not attempt.answer:
            place_order(cart=cart, customer=None, details=DETAILS, shown=Shown())
            attempt.answer = Answer(201, b"")
    assert attempt.settled.body in {b"", repr(EmptyCart()).encode()}
    return attempt.settled.status == 201


def allocated() -> int:
    return StockItem.objects.get().allocated


def test_tabs_with_one_cart_order_it_once(barrier: Barrier, cart: Cart) -> None:
    placed = at_once(lambda: order_in_a_tab(cart, barrier))

    assert sum(placed) == Order.objects.count() == allocated() == 1


def test_a_cart_read_without_its_lock_is_ordered_by_each_tab(
    barrier: Barrier, cart: Cart, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control of the test above: the cart is read before the lock, as shopware's was."""
    price: Any = checkout._price_lines

    def price_lines(lines: Any, currency: str) -> Any:
        barrier.wait()  # by now each tab has read the lines
        return price(lines, currency)

    monkeypatch.setattr(checkout, "lock_cart", lambda cart: cart)
    monkeypatch.setattr(checkout, "_price_lines", price_lines)

    placed = at_once(lambda: order_in_a_tab(cart, barrier))

    assert sum(placed) == Order.objects.count() == allocated() == AT_ONCE


def test_a_price_that_changes_while_the_order_is_written_is_not_charged(
    cart: Cart, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was compared with what the shopper saw is what stands in the order."""
    other = connection.copy()
    write: Any = checkout._write_order

    def change_price_then_write(*given: Any) -> Order:
        with other.cursor() as cursor:
            cursor.execute("UPDATE shop_price SET amount = 9999")
        order: Order = write(*given)
        return order

    monkeypatch.setattr(checkout, "_write_order", change_price_then_write)
    shown = Shown(subtotal=Money(1290, "TWD"))
    try:
        order = place_order(cart=cart, customer=None, details=DETAILS, shown=shown)
    finally:
        other.close()

    assert order.subtotal_amount == 1290
    assert [line.unit_amount for line in order.lines.all()] == [1290]
