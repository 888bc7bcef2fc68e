"""Orders and stock in every order of events, against a model in the plainest words."""

import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from hypothesis import Phase
from hypothesis import settings as examples
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from orders.errors import (
    NothingCaptured,
    NoUnits,
    RefundTooLarge,
    ReturnOpen,
    TooManyUnits,
    WrongStatus,
)
from orders.models import Order, OrderLine, Return
from orders.services import status as services
from orders.services.fulfilment import request_return, settle_return, ship, ship_rest
from orders.services.payments import settle_by_hand
from orders.services.refunds import advance_refund, request_refund
from orders.services.status import cancel_expired_orders, change_status, reinstate
from shop.errors import OutOfStock, StockTooLow
from shop.models import StockItem, Variant
from shop.services.stock import Cause, Mover, adjust_stock, receive_stock
from tests.factories import make_product
from tests.orders.life import books_are_right, line_ids, placed

pytestmark = pytest.mark.django_db

TEST = Cause(Mover.SYSTEM, reason="test")
LIVE = ("pending", "paid", "partly_fulfilled")
UNITS = st.tuples(st.integers(0, 4), st.integers(0, 4))
"""Of the first variant, and of the second."""
FEW = st.integers(1, 5)


class Shelf:
    """What is known of a variant's stock."""

    def __init__(self, on_hand: int) -> None:
        self.on_hand, self.allocated, self.back_order = on_hand, 0, False

    def can_promise(self, units: int) -> bool:
        return self.back_order or self.on_hand - self.allocated >= units


class Sale:
    """What is known of an order. `units` of each variant: sold, sent, back."""

    def __init__(self, order: Order, units: dict[int, int]) -> None:
        self.number, self.pk, self.total = order.number, order.pk, order.total_amount
        self.status, self.is_cash = "pending", order.payment_method == "cash_on_delivery"
        self.units = {variant: [count, 0, 0] for variant, count in units.items()}
        self.line = dict(zip(units, line_ids(order), strict=True))
        self.captured = self.refunded = 0
        self.asked: tuple[Return, dict[int, int]] | None = None

    def __repr__(self) -> str:
        return f"<{self.number} {self.status} {self.units}>"

    @property
    def order(self) -> Order:
        return Order.objects.get(pk=self.pk)

    @property
    def open(self) -> dict[int, int]:
        return {variant: sold - sent for variant, (sold, sent, _) in self.units.items()}

    @property
    def may_leave(self) -> bool:
        return self.status in ("paid", "partly_fulfilled") or (
            self.is_cash and self.status == "pending"
        )

    def wanted(self, units: tuple[int, int]) -> dict[int, int]:
        return {variant: units[place] for place, variant in enumerate(self.units)}


class Shop(RuleBasedStateMachine):
    """Each rule says which error it expects, if any, takes the step, and then moves the model."""

    sales = Bundle("sales")

    @initialize(first=st.integers(0, 8), second=st.integers(0, 8))
    def open_shop(self, first: int, second: int) -> None:
        self.variants = [make_product(stock=units).variants.get() for units in (first, second)]
        self.shelves = {
            variant.pk: Shelf(units)
            for variant, units in zip(self.variants, (first, second), strict=True)
        }
        self.sold: list[Sale] = []

    def attempt(self, error: type[Exception] | None, step: Callable[[], Any]) -> Any:
        """Its result, or None if it was refused as it should be."""
        try:
            result = step()
        except Exception as raised:
            assert type(raised) is error, f"{raised!r} instead of {error}"
            return None
        assert error is None, f"no {error}"
        return result

    def shelf(self, place: int) -> tuple[Variant, Shelf]:
        variant = self.variants[place]
        return variant, self.shelves[variant.pk]

    # --- Stock ---

    @rule(place=st.integers(0, 1), count=FEW)
    def receive(self, place: int, count: int) -> None:
        variant, shelf = self.shelf(place)
        receive_stock({variant.pk: count}, TEST)
        shelf.on_hand += count

    @rule(place=st.integers(0, 1), change=st.integers(-5, 5))
    def adjust(self, place: int, change: int) -> None:
        variant, shelf = self.shelf(place)
        after = shelf.on_hand + change
        low = after < 0 or (not shelf.back_order and after < shelf.allocated)
        error = StockTooLow if low and change else None
        self.attempt(error, lambda: adjust_stock({variant.pk: change}, TEST))
        if not error:
            shelf.on_hand = after

    @rule(place=st.integers(0, 1), allowed=st.booleans())
    def switch_back_order(self, place: int, allowed: bool) -> None:
        variant, shelf = self.shelf(place)
        error = IntegrityError if not allowed and shelf.on_hand < shelf.allocated else None
        self.attempt(error, lambda: self.write_back_order(variant, allowed))
        if not error:
            shelf.back_order = allowed

    @transaction.atomic
    def write_back_order(self, variant: Variant, allowed: bool) -> None:
        StockItem.objects.filter(variant=variant).update(back_order=allowed)

    # --- Orders ---

    @rule(target=sales, units=UNITS, method=st.sampled_from(["invoice", "cash_on_delivery"]))
    def place(self, units: tuple[int, int], method: str) -> Any:
        chosen = {self.variants[n]: count for n, count in enumerate(units) if count}
        if not chosen:
            return multiple()
        possible = all(self.shelves[each.pk].can_promise(count) for each, count in chosen.items())
        error = None if possible else OutOfStock
        order = self.attempt(error, lambda: placed(chosen, payment_method=method))
        if order is None:
            return multiple()
        sale = Sale(order, {variant.pk: count for variant, count in chosen.items()})
        self.sold.append(sale)
        self.hold(sale, 1)
        return sale

    def hold(self, sale: Sale, sign: int) -> None:
        for variant, units in sale.open.items():
            self.shelves[variant].allocated += sign * units

    @rule(sale=sales)
    def pay(self, sale: Sale) -> None:
        owed = sale.status in ("pending", "partly_fulfilled", "fulfilled") and not sale.captured
        error = None if owed else WrongStatus
        self.attempt(error, lambda: settle_by_hand(order=sale.order, actor=None))
        if not error:
            sale.captured = sale.total
            sale.status = "paid" if sale.status == "pending" else sale.status

    @rule(sale=sales)
    def cancel(self, sale: Sale) -> None:
        error = None if sale.status == "pending" else WrongStatus
        self.attempt(error, lambda: change_status(order=sale.order, to="cancelled"))
        self.cancelled(sale)

    @rule(sale=sales)
    def expire(self, sale: Sale) -> None:
        past = timezone.now() - timedelta(minutes=1)
        Order.objects.filter(pk=sale.pk).update(expires_at=past)
        assert cancel_expired_orders() == (sale.status == "pending")
        self.cancelled(sale)

    def cancelled(self, sale: Sale) -> None:
        if sale.status == "pending":
            sale.status = "cancelled"
            self.hold(sale, -1)

    @rule(sale=sales)
    def come_back(self, sale: Sale) -> None:
        error: type[Exception] | None = None
        if sale.status != "cancelled":
            error = WrongStatus
        elif not all(self.shelves[v].can_promise(count) for v, count in sale.open.items()):
            error = OutOfStock
        self.attempt(error, lambda: reinstate(order=sale.order))
        if not error:
            sale.status = "paid"
            self.hold(sale, 1)

    # --- Parcels ---

    @rule(sale=sales, units=UNITS)
    def ship_some(self, sale: Sale, units: tuple[int, int]) -> None:
        wanted = sale.wanted(units)
        by_line = {sale.line[variant]: count for variant, count in wanted.items()}
        error = self.why_not_sent(sale, wanted)
        self.attempt(error, lambda: ship(order=sale.order, units=by_line, key=uuid4()))
        if not error:
            self.sent(sale, wanted)

    @rule(sale=sales)
    def ship_all(self, sale: Sale) -> None:
        wanted = sale.open
        error = self.why_not_sent(sale, wanted)
        self.attempt(error, lambda: ship_rest(order=sale.order))
        if not error:
            self.sent(sale, wanted)

    def why_not_sent(self, sale: Sale, wanted: dict[int, int]) -> type[Exception] | None:
        if not sale.may_leave:
            return WrongStatus
        if not any(wanted.values()):
            return NoUnits
        if any(count > sale.open[variant] for variant, count in wanted.items()):
            return TooManyUnits
        short = any(count > self.shelves[variant].on_hand for variant, count in wanted.items())
        return StockTooLow if short else None

    def sent(self, sale: Sale, wanted: dict[int, int]) -> None:
        for variant, count in wanted.items():
            sale.units[variant][1] += count
            self.shelves[variant].on_hand -= count
            self.shelves[variant].allocated -= count
        sale.status = "partly_fulfilled" if any(sale.open.values()) else "fulfilled"

    # --- Money and goods that come back ---

    @rule(sale=sales, share=st.sampled_from([1, 3, 10, 11]))
    def refund(self, sale: Sale, share: int) -> None:
        """A tenth, three, all that was taken, or more."""
        amount = sale.total if share == 10 else sale.total * share // 10
        error: type[Exception] | None = None
        if not sale.captured or sale.refunded == sale.captured:
            error = NothingCaptured
        elif amount > sale.captured - sale.refunded:
            error = RefundTooLarge
        self.attempt(error, lambda: self.send_back(sale, amount))
        if not error:
            self.sent_back(sale, amount)

    @precondition(lambda self: any(0 < sale.refunded < sale.captured for sale in self.sold))
    @rule()
    def refund_the_rest(self) -> None:
        sale = next(sale for sale in self.sold if 0 < sale.refunded < sale.captured)
        rest = sale.captured - sale.refunded
        self.send_back(sale, rest)
        self.sent_back(sale, rest)

    def send_back(self, sale: Sale, amount: int) -> None:
        payment = sale.order.payments.get()
        refund = request_refund(
            payment=payment, amount=amount, reason="test", actor=None, key=uuid4()
        )
        assert advance_refund(refund.pk).state == "done"

    def sent_back(self, sale: Sale, amount: int) -> None:
        sale.refunded += amount
        if sale.refunded == sale.captured:
            if sale.status in LIVE:
                self.hold(sale, -1)
            sale.status = "refunded"

    @rule(sale=sales, units=UNITS)
    def ask_to_return(self, sale: Sale, units: tuple[int, int]) -> None:
        wanted = sale.wanted(units)
        back = {variant: sent - back for variant, (_, sent, back) in sale.units.items()}
        error: type[Exception] | None = None
        if sale.status not in ("partly_fulfilled", "fulfilled", "refunded"):
            error = WrongStatus
        elif sale.asked:
            error = ReturnOpen
        elif not any(wanted.values()):
            error = NoUnits
        elif any(count > back[variant] for variant, count in wanted.items()):
            error = TooManyUnits
        by_line = {sale.line[variant]: count for variant, count in wanted.items()}
        request = self.attempt(
            error,
            lambda: request_return(order=sale.order, units=by_line, reason="test", key=uuid4()),
        )
        if request:
            sale.asked = (request, wanted)

    @precondition(lambda self: any(sale.asked for sale in self.sold))
    @rule(received=st.booleans(), restock=st.booleans())
    def settle(self, received: bool, restock: bool) -> None:
        sale = next(sale for sale in self.sold if sale.asked)
        assert sale.asked
        request, wanted = sale.asked
        for _ in range(2):  # the second click
            settle_return(request=request, received=received, restock=restock)
        sale.asked = None
        for variant, count in wanted.items() if received else ():
            sale.units[variant][2] += count
            self.shelves[variant].on_hand += count * restock

    # --- What must hold ---

    @invariant()
    def stock_is_where_the_model_says(self) -> None:
        if not hasattr(self, "shelves"):
            return
        items = StockItem.objects.filter(variant__in=self.variants)
        there = {item.variant_id: (item.on_hand, item.allocated, item.back_order) for item in items}
        assert there == {
            variant: (shelf.on_hand, shelf.allocated, shelf.back_order)
            for variant, shelf in self.shelves.items()
        }
        for variant, shelf in self.shelves.items():
            waiting = sum(sale.open.get(variant, 0) for sale in self.sold if sale.status in LIVE)
            assert shelf.allocated == waiting

    @invariant()
    def orders_are_as_the_model_says(self) -> None:
        if not hasattr(self, "sold"):
            return
        keys = [sale.pk for sale in self.sold]
        there = {order.pk: order for order in Order.objects.filter(pk__in=keys)}
        lines = {line.pk: line for line in OrderLine.objects.filter(order__in=keys)}
        for sale in self.sold:
            order = there[sale.pk]
            assert (order.status, order.refunded_amount) == (sale.status, sale.refunded)
            assert sale.refunded <= sale.captured
            for variant, units in sale.units.items():
                line = lines[sale.line[variant]]
                counts = [line.quantity, line.shipped_quantity, line.returned_quantity]
                assert counts == units

    def teardown(self) -> None:
        with connection.cursor() as cursor:  # what the database checks at a commit
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        assert books_are_right()


EXAMPLES = examples(
    max_examples=25,
    stateful_step_count=30,
    deadline=None,
    database=None,
    derandomize="CI" in os.environ,
)


def test_orders_and_stock_are_where_a_simple_model_says() -> None:
    """The examples share the test's transaction, and each has variants and orders of its own."""
    run_state_machine_as_test(Shop, settings=EXAMPLES)


def test_the_machine_finds_a_refund_that_releases_what_has_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The control: a mistake that only an order of several steps brings to light."""

    def all_units(order: Order) -> dict[int, int]:
        return dict(order.lines.values_list("variant_id", "quantity"))

    monkeypatch.setattr(services, "_open_units", all_units)
    monkeypatch.setattr(services, "_refuse_unshipped", lambda order, to: None)

    with pytest.raises((AssertionError, StockTooLow)):
        run_state_machine_as_test(
            Shop, settings=examples(EXAMPLES, max_examples=200, phases=[Phase.generate])
        )
