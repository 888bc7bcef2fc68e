"""Steps of an order's life: who may take them, and what they mean for stock and payment."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db.models import F
from django.utils import timezone

from orders.errors import WrongStatus
from orders.models import Order, OrderStatusChange, Payment
from orders.services import status as services
from orders.services.fulfilment import ship, ship_rest
from orders.services.status import (
    cancel_expired_orders,
    change_status,
    reinstate,
    was_not_paid_in_time,
)
from realtime.models import Event
from shop.errors import OutOfStock
from shop.models import Variant
from tests.factories import make_customer
from tests.orders.life import (
    at_once,
    books_are_right,
    line_ids,
    lines,
    mails,
    paid,
    payment_of,
    placed,
    steps,
    stock,
)

pytestmark = pytest.mark.django_db
LIVE = pytest.mark.django_db(transaction=True)

Status = Order.Status
ALLOWED = {
    ("pending", "paid"),
    ("pending", "cancelled"),
    ("paid", "partly_fulfilled"),
    ("paid", "fulfilled"),
    ("paid", "refunded"),
    ("partly_fulfilled", "partly_fulfilled"),
    ("partly_fulfilled", "fulfilled"),
    ("partly_fulfilled", "refunded"),
    ("fulfilled", "refunded"),
}


def expire(order: Order) -> None:
    Order.objects.filter(pk=order.pk).update(expires_at=timezone.now() - timedelta(minutes=1))


def test_exactly_these_steps_are_allowed() -> None:
    steps = {
        (origin, to)
        for to in Status.values
        for origin in services.allowed_origins(Order(payment_method="card"), to)
    }
    cash = {
        (origin, to)
        for to in Status.values
        for origin in services.allowed_origins(Order(payment_method="cash_on_delivery"), to)
    }

    assert steps == ALLOWED
    assert cash == ALLOWED | {("pending", "partly_fulfilled"), ("pending", "fulfilled")}


def test_a_step_leaves_a_trail_and_tells_open_tabs(variant: Variant) -> None:
    order, clerk = placed({variant: 1}), make_customer(is_staff=True)

    change_status(order=order, to=Status.PAID, actor=clerk, note="by hand")

    change = order.history.latest("pk")
    assert (change.from_status, change.to_status) == ("pending", "paid")
    assert (change.actor, change.note) == (clerk, "by hand")
    event = Event.objects.filter(audience=f"order:{order.number}").latest("sequence")
    assert event.payload == {"number": order.number, "status": "paid"}


def test_a_cancelled_order_gives_back_what_it_held_and_lets_its_payment_go(
    variant: Variant,
) -> None:
    order = placed({variant: 3})
    payment = payment_of(order, Payment.State.REQUIRES_ACTION)

    change_status(order=order, to=Status.CANCELLED)
    with pytest.raises(WrongStatus):
        change_status(order=order, to=Status.CANCELLED)

    payment.refresh_from_db()
    assert payment.next_try_at is not None
    assert payment.next_try_at <= timezone.now()
    assert (stock(variant), mails(order)) == ((10, 0), ["cancelled"])
    assert not was_not_paid_in_time(order)


def test_a_full_refund_gives_back_what_has_not_left(variant: Variant) -> None:
    order = paid({variant: 3})
    ship(order=order, units={line_ids(order)[0]: 1}, key=uuid4())

    change_status(order=order, to=Status.REFUNDED)

    assert (stock(variant), lines(order)) == ((9, 0), [(3, 1, 0)])
    with pytest.raises(WrongStatus):
        ship_rest(order=order)
    assert books_are_right()


def test_what_a_former_release_sent_gives_nobody_elses_units_back(variant: Variant) -> None:
    """It counted no units of lines that left."""
    order = paid({variant: 3})
    ship_rest(order=order)
    order.lines.update(shipped_quantity=0)
    placed({variant: 5})

    change_status(order=order, to=Status.REFUNDED)

    assert stock(variant) == (7, 5)


# --- Not paid in time -----------------------------------------------------------------------------


def test_unpaid_orders_past_their_hold_give_their_stock_back(variant: Variant) -> None:
    late, early = placed({variant: 1}), placed({variant: 1})
    expire(late)

    assert (cancel_expired_orders(), cancel_expired_orders()) == (1, 0)

    late.refresh_from_db()
    assert (late.status, was_not_paid_in_time(late)) == ("cancelled", True)
    assert (Order.objects.get(pk=early.pk).status, stock(variant)) == ("pending", (10, 1))


@pytest.mark.parametrize(
    ("state", "seconds", "status"),
    [
        ("authorised", None, "pending"),
        ("captured", None, "pending"),
        ("requires_action", 30, "pending"),  # somebody asks the gateway right now
        ("requires_action", -1, "cancelled"),  # whoever asked has died
        ("started", None, "cancelled"),
        ("failed", 30, "cancelled"),
    ],
)
def test_an_order_whose_money_is_coming_is_held(
    variant: Variant, state: Payment.State, seconds: int | None, status: str
) -> None:
    order = placed({variant: 1})
    claimed = timezone.now() + timedelta(seconds=seconds) if seconds else None
    payment_of(order, state, claimed_until=claimed)
    expire(order)

    cancel_expired_orders()

    order.refresh_from_db()
    assert order.status == status


def test_orders_that_are_held_do_not_keep_others_from_their_turn(variant: Variant) -> None:
    held, late = placed({variant: 1}), placed({variant: 1})
    payment_of(held, Payment.State.AUTHORISED)
    expire(held)
    expire(late)

    assert cancel_expired_orders(limit=1) == 1


def test_an_order_that_cannot_be_cancelled_does_not_keep_the_others(
    variant: Variant, caplog: pytest.LogCaptureFixture
) -> None:
    broken, late = placed({variant: 1}), placed({variant: 1})
    broken.lines.update(quantity=5, total_amount=F("unit_amount") * 5)  # more than is allocated
    expire(broken)
    expire(late)

    assert cancel_expired_orders() == 1

    assert list(Order.objects.order_by("pk").values_list("status", flat=True)) == [
        "pending",
        "cancelled",
    ]
    assert f"{broken.number} cannot be cancelled" in caplog.text


@LIVE
def test_a_payment_that_is_claimed_meanwhile_holds_its_order(
    variant: Variant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clean-up has its list; then somebody asks the gateway; then the order's turn comes."""
    order = placed({variant: 1})
    payment = payment_of(order, Payment.State.REQUIRES_ACTION)
    expire(order)
    cancel = services._cancel_unpaid

    def claimed_meanwhile(order: Order) -> bool:
        Payment.objects.filter(pk=payment.pk).update(
            claimed_until=timezone.now() + timedelta(minutes=1)
        )
        return cancel(order)

    monkeypatch.setattr(services, "_cancel_unpaid", claimed_meanwhile)

    assert cancel_expired_orders() == 0
    assert Order.objects.get().status == "pending"


# --- Paid after all -------------------------------------------------------------------------------


def test_an_order_paid_too_late_gets_its_units_again(variant: Variant) -> None:
    order = placed({variant: 3})
    expire(order)
    cancel_expired_orders()

    reinstate(order=order)

    assert (order.status, stock(variant)) == ("paid", (10, 3))
    assert steps(order) == [
        ("cancelled", "Not paid in time"),
        ("paid", "Your payment came after all"),
    ]
    assert mails(order) == ["cancelled", "confirmation"]
    ship_rest(order=order)
    assert books_are_right()


def test_an_order_whose_units_were_sold_stays_cancelled(variant: Variant) -> None:
    order = change_status(order=placed({variant: 3}), to=Status.CANCELLED)
    placed({variant: 8})

    with pytest.raises(OutOfStock) as gone:
        reinstate(order=order)

    assert gone.value.available == 2
    assert (order.status, Order.objects.get(pk=order.pk).status) == ("cancelled", "cancelled")
    assert (stock(variant), mails(order)) == ((10, 8), ["cancelled"])


def test_only_a_cancelled_order_is_reinstated(variant: Variant) -> None:
    order = paid({variant: 1})

    with pytest.raises(WrongStatus):
        reinstate(order=order)

    assert stock(variant) == (10, 1)


# --- Two at once ----------------------------------------------------------------------------------


def cancel_at_once(order: Order, times: int) -> list[Any]:
    copies = [Order.objects.get(pk=order.pk) for _ in range(times)]
    return at_once(
        *(lambda copy=copy: change_status(order=copy, to=Status.CANCELLED) for copy in copies)
    )


@LIVE
def test_eight_who_cancel_at_once_give_the_stock_back_once(variant: Variant) -> None:
    order = placed({variant: 3})
    placed({variant: 7})

    results = cancel_at_once(order, 8)

    assert sum(isinstance(each, WrongStatus) for each in results) == 7
    assert (stock(variant), [status for status, _ in steps(order)]) == ((10, 7), ["cancelled"])


@LIVE
def test_a_status_read_before_it_is_written_gives_the_stock_back_twice(
    variant: Variant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: what the conditional update in `change_status` is for."""
    order = placed({variant: 3})
    placed({variant: 7})

    def careless(order: Order, origins: Any, to: str, actor: Any, note: str) -> str:
        if order.status not in origins:
            raise WrongStatus(order.number, order.status, to)
        Order.objects.filter(pk=order.pk).update(status=to)
        OrderStatusChange.objects.create(order=order, to_status=to)
        return order.status

    monkeypatch.setattr(services, "_move", careless)
    results = cancel_at_once(order, 2)

    assert [each for each in results if isinstance(each, Exception)] == []
    assert stock(variant) == (10, 4)  # three of the other order's units are on sale again
