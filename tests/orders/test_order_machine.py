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
    RuleBasedStateMachine,
    initialize,
    invariant,
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
from orders.services.refusals import Refusal, take_back_refused
from orders.services.status import cancel_expired_orders, change_status, reinstate
from shop.errors import OutOfStock, StockTooLow
from shop.models import StockItem, Variant
from shop.services.stock import Cause, Mover, adjust_stock, receive_stock
from tests.factories import make_product
from tests.orders.life import books_are_right, line_ids, placed

pytestmark = pytest.mark.django_db

TEST = Cause(Mover.SYSTEM, reason="test")
LIVE = ("pending", "paid", "partly_fulfilled")
UNITS = st.tuples(st.integers(0, 3), st.integers(0, 2))
"""Of the first variant, and of the second."""
PICK = st.integers(0, 31)
ANSWERS: list[tuple[bool, bool] | None] = [None, (True, True), (True, False), (False, False)]
"""To who wants to return: whether the goods came, and go back on the shelf."""


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
        self.is_late = False  # cancelled, as nobody paid it in time
        self.is_refused = False  # cancelled, as nobody paid for it at the door
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
    def owes(self) -> bool:
        return self.status in ("pending", "partly_fulfilled", "fulfilled") and not self.captured

    @property
    def back(self) -> dict[int, int]:
        """Units that may come back."""
        return {variant: sent - back for variant, (_, sent, back) in self.units.items()}

    @property
    def may_leave(self) -> bool:
        return self.status in ("paid", "partly_fulfilled") or (
            self.is_cash and self.status == "pending"
        )

    @property
    def is_at_door(self) -> bool:
        sent = self.status in ("partly_fulfilled", "fulfilled")
        return self.is_cash and sent and not self.captured

    def wanted(self, units: tuple[int, int]) -> dict[int, int]:
        return {variant: units[place] for place, variant in enumerate(self.units)}


class Shop(RuleBasedStateMachine):
    """Each rule says which error it expects, if any, takes the step, and then moves the model."""

    @initialize(shelves=st.tuples(st.integers(2, 9), st.integers(2, 9)), paid=st.booleans())
    def open_shop(self, shelves: tuple[int, int], paid: bool) -> None:
        """With a first order, so that what comes later has something to act upon."""
        self.variants = [make_product(stock=units).variants.get() for units in shelves]
        self.shelves = {
            variant.pk: Shelf(units) for variant, units in zip(self.variants, shelves, strict=True)
        }
        self.sold: list[Sale] = []
        self.sell((2, 2), "invoice", paid=paid)

    def choose(self, pick: int, fits: Callable[[Sale], bool]) -> Sale:
        """Mostly an order that the step fits; one in four is any."""
        fitting = [sale for sale in self.sold if fits(sale)]
        among = fitting if fitting and pick % 4 else self.sold
        return among[pick // 4 % len(among)]

    def attempt(self, error: type[Exception] | None, step: Callable[[], Any]) -> Any:
        """Its result, or None if it was refused as it should be."""
        try:
            result = step()
        except Exception as raised:
            assert type(raised) is error, f"{raised!r} instead of {error}"
            return None
        assert error is None, f"no {error}"
        return result

    # --- Stock ---

    @rule(
        place=st.integers(0, 1),
        event=st.sampled_from(["receive", "adjust", "back_order"]),
        change=st.integers(-4, 4),
    )
    def move_stock(self, place: int, event: str, change: int) -> None:
        variant = self.variants[place]
        shelf = self.shelves[variant.pk]
        match event:
            case "receive":
                receive_stock({variant.pk: abs(change) + 1}, TEST)
                shelf.on_hand += abs(change) + 1
            case "adjust":
                self.adjust(variant, shelf, change)
            case "back_order":
                self.switch_back_order(variant, shelf, change > 0)

    def adjust(self, variant: Variant, shelf: Shelf, change: int) -> None:
        after = shelf.on_hand + change
        low = after < 0 or (not shelf.back_order and after < shelf.allocated)
        error = StockTooLow if low and change else None
        self.attempt(error, lambda: adjust_stock({variant.pk: change}, TEST))
        if not error:
            shelf.on_hand = after

    def switch_back_order(self, variant: Variant, shelf: Shelf, allowed: bool) -> None:
        error = IntegrityError if not allowed and shelf.on_hand < shelf.allocated else None
        self.attempt(error, lambda: self.write_back_order(variant, allowed))
        if not error:
            shelf.back_order = allowed

    @transaction.atomic
    def write_back_order(self, variant: Variant, allowed: bool) -> None:
        StockItem.objects.filter(variant=variant).update(back_order=allowed)

    # --- Orders ---

    @rule(
        units=UNITS,
        method=st.sampled_from(["invoice", "cash_on_delivery"]),
        paid=st.booleans(),
    )
    def place(self, units: tuple[int, int], method: str, paid: bool) -> None:
        self.sell(units, method, paid=paid)

    def sell(self, units: tuple[int, int], method: str, *, paid: bool) -> None:
        chosen = {self.variants[n]: count for n, count in enumerate(units) if count}
        if not chosen:
            return
        possible = all(self.shelves[each.pk].can_promise(count) for each, count in chosen.items())
        error = None if possible else OutOfStock
        order = self.attempt(error, lambda: placed(chosen, payment_method=method))
        if order is None:
            return
        sale = Sale(order, {variant.pk: count for variant, count in chosen.items()})
        self.sold.append(sale)
        self.hold(sale, 1)
        if paid:
            self.pay(sale)

    def hold(self, sale: Sale, sign: int) -> None:
        for variant, units in sale.open.items():
            self.shelves[variant].allocated += sign * units

    @precondition(lambda self: any(sale.owes or sale.is_late for sale in self.sold))
    @rule(pick=PICK)
    def pay_late(self, pick: int) -> None:
        self.pay(self.choose(pick, lambda sale: sale.owes or sale.is_late))

    def pay(self, sale: Sale) -> None:
        error = None if sale.owes or sale.is_late else WrongStatus
        payment = self.attempt(error, lambda: settle_by_hand(order=sale.order, actor=None))
        if not payment:
            return
        sale.captured = sale.total
        if sale.status == "pending":
            sale.status = "paid"
        elif sale.is_late and self.are_there(sale):
            sale.status = "paid"
            self.hold(sale, 1)
        elif sale.is_late:
            assert advance_refund(payment.refunds.get().pk).state == "done"
            sale.refunded = sale.total
        sale.is_late = False

    def are_there(self, sale: Sale) -> bool:
        return all(self.shelves[v].can_promise(count) for v, count in sale.open.items())

    @precondition(lambda self: any(s.status in ("pending", "cancelled") for s in self.sold))
    @rule(pick=PICK, how=st.sampled_from(["cancel", "expire", "come_back"]))
    def end(self, pick: int, how: str) -> None:
        """Or begin again."""
        start = "cancelled" if how == "come_back" else "pending"
        sale = self.choose(pick, lambda sale: sale.status == start)
        if how == "come_back":
            return self.come_back(sale)
        if how == "expire":
            self.expire(sale)
        else:
            self.cancel(sale)
        if sale.status == "pending":
            sale.status, sale.is_late = "cancelled", how == "expire"
            self.hold(sale, -1)

    def cancel(self, sale: Sale) -> None:
        error = None if sale.status == "pending" else WrongStatus
        self.attempt(error, lambda: change_status(order=sale.order, to="cancelled"))

    def expire(self, sale: Sale) -> None:
        past = timezone.now() - timedelta(minutes=1)
        Order.objects.filter(pk=sale.pk).update(expires_at=past)
        assert cancel_expired_orders() == (sale.status == "pending")

    def come_back(self, sale: Sale) -> None:
        if sale.is_refused or sale.refunded == sale.captured > 0:
            return  # nobody reinstates what came back, or was paid back
        error: type[Exception] | None = None
        if sale.status != "cancelled":
            error = WrongStatus
        elif not self.are_there(sale):
            error = OutOfStock
        self.attempt(error, lambda: reinstate(order=sale.order))
        if not error:
            sale.status, sale.is_late = "paid", False
            self.hold(sale, 1)

    # --- Parcels ---

    @precondition(lambda self: any(sale.may_leave for sale in self.sold))
    @rule(pick=PICK, units=UNITS)
    def ship_some(self, pick: int, units: tuple[int, int]) -> None:
        sale = self.choose(pick, lambda sale: sale.may_leave)
        wanted = sale.wanted(units)
        by_line = {sale.line[variant]: count for variant, count in wanted.items()}
        error = self.why_not_sent(sale, wanted)
        self.attempt(error, lambda: ship(order=sale.order, units=by_line, key=uuid4()))
        if not error:
            self.sent(sale, wanted)

    @precondition(lambda self: any(sale.may_leave for sale in self.sold))
    @rule(pick=PICK)
    def ship_all(self, pick: int) -> None:
        sale = self.choose(pick, lambda sale: sale.may_leave)
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

    @precondition(lambda self: any(sale.captured for sale in self.sold))
    @rule(pick=PICK, share=st.sampled_from([1, 3, 10, 11]))
    def refund(self, pick: int, share: int) -> None:
        """A tenth, three, all that was taken, or more."""
        sale = self.choose(pick, lambda sale: sale.refunded < sale.captured)
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

    @precondition(lambda self: any(any(sale.back.values()) for sale in self.sold))
    @rule(pick=PICK, units=UNITS, answer=st.sampled_from(ANSWERS))
    def ask_to_return(self, pick: int, units: tuple[int, int], answer: Any) -> None:
        """And settle it at once, unless there is no `answer` yet."""
        sale = self.choose(pick, lambda sale: any(sale.back.values()))
        wanted = sale.wanted(units)
        error: type[Exception] | None = None
        if sale.status not in ("partly_fulfilled", "fulfilled", "refunded"):
            error = WrongStatus
        elif sale.asked:
            error = ReturnOpen
        elif not any(wanted.values()):
            error = NoUnits
        elif any(count > sale.back[variant] for variant, count in wanted.items()):
            error = TooManyUnits
        by_line = {sale.line[variant]: count for variant, count in wanted.items()}
        request = self.attempt(
            error,
            lambda: request_return(order=sale.order, units=by_line, reason="test", key=uuid4()),
        )
        if request:
            sale.asked = (request, wanted)
            if answer:
                self.settle(sale, *answer)

    @precondition(lambda self: any(sale.asked for sale in self.sold))
    @rule(answer=st.sampled_from(ANSWERS[1:]))
    def settle_late(self, answer: Any) -> None:
        self.settle(next(sale for sale in self.sold if sale.asked), *answer)

    def settle(self, sale: Sale, received: bool, restock: bool) -> None:
        assert sale.asked
        request, wanted = sale.asked
        for _ in range(2):  # the second click
            settle_return(request=request, received=received, restock=restock)
        sale.asked = None
        for variant, count in wanted.items() if received else ():
            sale.units[variant][2] += count
            self.shelves[variant].on_hand += count * restock

    @precondition(lambda self: any(sale.is_at_door for sale in self.sold))
    @rule(pick=PICK, units=UNITS, restock=st.booleans(), lost=st.booleans())
    def refuse(self, pick: int, units: tuple[int, int], restock: bool, lost: bool) -> None:
        sale = self.choose(pick, lambda sale: sale.is_at_door)
        wanted, key = sale.wanted(units), uuid4()
        by_line = {sale.line[variant]: count for variant, count in wanted.items()}
        refusal = Refusal(by_line, restock, lost, "test")
        error = self.why_not_refused(sale, wanted, lost)
        for _ in range(1 if error else 2):  # the second click
            self.attempt(
                error, lambda: take_back_refused(order=sale.order, refusal=refusal, key=key)
            )
        if error:
            return
        for variant, count in wanted.items():
            sale.units[variant][2] += count
            self.shelves[variant].on_hand += count * restock
        if lost or not any(sale.back.values()):
            self.hold(sale, -1)
            sale.status, sale.is_refused = "cancelled", True

    def why_not_refused(
        self, sale: Sale, wanted: dict[int, int], lost: bool
    ) -> type[Exception] | None:
        if not sale.is_at_door:
            return WrongStatus
        if sale.asked:
            return ReturnOpen
        if not any(wanted.values()):
            return None if lost else NoUnits
        more = any(count > sale.back[variant] for variant, count in wanted.items())
        return TooManyUnits if more else None

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
    max_examples=20,
    stateful_step_count=22,
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
