"""Payments against a bank over HTTP: each step, and each thing that goes wrong at it."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone
from prometheus_client import REGISTRY
from pytest_django.fixtures import Settings

from orders.errors import MethodNotOffered, PaymentUnderWay, WrongStatus
from orders.gateways import gateway_of
from orders.models import Order, Payment, Refund
from orders.queries import order_steps
from orders.services.fulfilment import ship_rest
from orders.services.gateway_calls import LONGEST_PAUSE, pause
from orders.services.payments import _Call, advance, complete_open, open_payment, settle_by_hand
from orders.services.refunds import request_refund
from orders.services.status import cancel_expired_orders, change_status
from shop.errors import OutOfStock
from shop.models import StockItem, Variant
from tests.bank import Bank, use_gateway
from tests.factories import make_customer, make_order, make_product
from tests.orders.paying import history, mails, make_captured, make_payment, pass_time, place

pytestmark = pytest.mark.django_db


@pytest.fixture
def variant() -> Variant:
    return make_product(stock=3).variants.get()


# --- Opening -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "gateway", "state"),
    [
        ("invoice", "invoice", "requires_action"),
        ("cash_on_delivery", "cash_on_delivery", "requires_action"),
        ("card", "bank", "started"),
    ],
)
def test_an_order_is_placed_with_its_payment(
    bank: Bank, variant: Variant, method: str, gateway: str, state: str
) -> None:
    order = place(variant, method=method)

    payment = order.payments.get()
    assert (payment.gateway, payment.state) == (gateway, state)
    assert payment.money == order.total
    assert bank.calls == []


def test_an_order_that_is_not_placed_leaves_no_payment(variant: Variant) -> None:
    with pytest.raises(OutOfStock), transaction.atomic():
        place(variant, 4, method="invoice")

    assert Payment.objects.count() == 0


def test_a_method_that_is_not_offered_takes_no_order(variant: Variant, settings: Settings) -> None:
    settings.PAYMENT_METHODS = {"invoice": "invoice"}

    with pytest.raises(MethodNotOffered), transaction.atomic():
        place(variant, method="card")

    assert Order.objects.count() == 0


def test_opening_again_gives_the_payment_there_is(bank: Bank) -> None:
    payment = make_payment()

    assert open_payment(order=payment.order, gateway="bank") == payment


def test_an_invoice_may_be_paid_by_card_after_all(bank: Bank) -> None:
    order = make_order()
    invoice = make_payment(order, gateway="invoice")

    card = open_payment(order=order, gateway="bank")

    invoice.refresh_from_db()
    order.refresh_from_db()
    assert (invoice.state, card.state, order.payment_method) == ("cancelled", "started", "card")


@pytest.mark.parametrize(
    ("before", "after", "minutes"),
    [
        ("card", "invoice", 14 * 24 * 60),
        ("invoice", "card", 14 * 24 * 60),
        ("cash_on_delivery", "card", 45),
        ("card", "cash_on_delivery", None),
    ],
)
def test_another_method_keeps_the_stock_for_its_own_time(
    bank: Bank, variant: Variant, before: str, after: str, minutes: int | None
) -> None:
    order = place(variant, method=before)
    order.payments.update(state="failed")

    open_payment(order=order, gateway=gateway_of(after))

    order.refresh_from_db()
    held = order.expires_at and round((order.expires_at - order.placed_at).total_seconds() / 60)
    assert held == minutes


def test_a_card_payment_under_way_admits_no_other(bank: Bank) -> None:
    payment = make_payment()

    with pytest.raises(PaymentUnderWay) as refused:
        open_payment(order=payment.order, gateway="invoice")
    with pytest.raises(PaymentUnderWay):
        settle_by_hand(order=payment.order, actor=None)

    assert refused.value.method == "card"
    assert [payment.state for payment in Payment.objects.all()] == ["started"]


def test_the_database_refuses_a_second_payment_that_could_bring_money() -> None:
    payment = make_payment(gateway="invoice")

    with pytest.raises(IntegrityError, match="payment_once_an_order"):
        Payment.objects.create(order=payment.order, gateway="bank", amount=1, currency="TWD")


@pytest.mark.parametrize("status", ["paid", "cancelled", "refunded"])
def test_an_order_that_waits_for_no_money_opens_no_payment(status: str) -> None:
    order = make_order(status=status)

    with pytest.raises(WrongStatus):
        open_payment(order=order, gateway="invoice")
    with pytest.raises(WrongStatus):
        settle_by_hand(order=order, actor=None)

    assert Payment.objects.count() == 0


# --- Moving on -----------------------------------------------------------------------------------


def test_a_card_is_charged_once_the_shopper_has_paid(bank: Bank) -> None:
    payment = make_payment()

    waiting = advance(payment.pk)
    bank.pay(payment)
    captured = advance(payment.pk)
    again = advance(payment.pk)

    assert waiting.state == "requires_action"
    assert waiting.action_url == f"https://bank.example/{payment.pk}"
    assert (captured.state, captured.action_url, captured.next_try_at) == ("captured", "", None)
    assert captured.order.status == again.order.status == "paid"
    assert bank.calls == ["start", "look_up", "capture"]
    assert bank.charged() == [1080]


@pytest.mark.django_db(transaction=True)
def test_a_gateway_is_never_asked_inside_a_transaction(bank: Bank) -> None:
    payment = make_payment()

    with pytest.raises(RuntimeError), transaction.atomic():
        advance(payment.pk)

    assert bank.calls == []
    assert advance(payment.pk).state == "requires_action"


def test_a_shopper_who_has_not_paid_is_waited_for(bank: Bank) -> None:
    payment = advance(make_payment().pk)

    for _ in range(3):
        pass_time(hours=1)
        assert complete_open() == {"payments": 1, "refunds": 0, "failed": 0}
    pauses = timezone.now() + timedelta(minutes=1), timezone.now() + LONGEST_PAUSE

    payment.refresh_from_db()
    assert payment.state == "requires_action"
    assert payment.next_try_at is not None
    assert pauses[0] < payment.next_try_at < pauses[1]
    assert bank.calls == ["start"] + ["look_up"] * 3


def test_pauses_double_up_to_ten_minutes() -> None:
    seconds = [int(pause(attempt).total_seconds()) for attempt in (1, 2, 3, 6, 7, 10**9)]

    assert seconds == [10, 20, 40, 320, 600, 600]


def test_the_completer_starts_what_no_shopper_did(bank: Bank) -> None:
    payment = make_payment()
    assert complete_open()["payments"] == 0  # the shopper comes first

    pass_time(minutes=2)
    complete_open()

    payment.refresh_from_db()
    assert payment.state == "requires_action"


# --- Gateways that fail --------------------------------------------------------------------------


def capture_with_a_lost_reply(bank: Bank) -> Payment:
    payment = advance(make_payment().pk)
    bank.pay(payment)
    bank.lose_reply("capture")

    payment = advance(payment.pk)
    assert payment.state == "authorised"
    assert payment.order.status == "pending"
    pass_time(hours=1)
    complete_open()
    payment.refresh_from_db()
    return payment


def test_a_capture_whose_reply_was_lost_charges_once(bank: Bank) -> None:
    payment = capture_with_a_lost_reply(bank)

    assert (payment.state, payment.failure, payment.order.status) == ("captured", "", "paid")
    assert bank.calls.count("capture") == 2
    assert bank.charged() == [1080]


def test_a_capture_under_a_new_key_charges_twice(bank: Bank, settings: Settings) -> None:
    """The control of the test above."""
    use_gateway(settings, "tests.bank.KeylessGateway")

    capture_with_a_lost_reply(bank)

    assert bank.charged() == [1080, 1080]


@pytest.mark.parametrize("dies_before", ["ask", "record"])
def test_a_caller_who_dies_is_followed_by_another(
    bank: Bank, monkeypatch: pytest.MonkeyPatch, dies_before: str
) -> None:
    """With the claim written and nothing asked, or with the money taken and nothing written."""
    payment = advance(make_payment().pk)
    bank.pay(payment)
    pass_time(hours=1)
    step = getattr(_Call, dies_before)

    def die(call: _Call, *given: Any) -> Any:
        if call.name == "capture":
            raise SystemExit
        return step(call, *given)

    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(_Call, dies_before, die)
        advance(payment.pk)
    assert len(bank.charged()) == (dies_before == "record")
    assert advance(payment.pk).state == "authorised"  # the dead have claimed it
    assert bank.calls.count("capture") == len(bank.charged())
    pass_time(seconds=61)
    complete_open()

    payment.refresh_from_db()
    assert (payment.state, payment.order.status) == ("captured", "paid")
    assert bank.charged() == [1080]


def test_a_gateway_that_is_away_is_asked_again_later(bank: Bank) -> None:
    payment = make_payment()
    bank.is_down = True

    away = advance(payment.pk)
    assert away.state == "started"
    assert "RemoteDisconnected" in away.failure
    assert REGISTRY.get_sample_value("orders_payments_failing") == 1
    assert REGISTRY.get_sample_value("orders_payments_overdue_seconds") == 0
    assert complete_open()["payments"] == 0  # not at once
    bank.is_down = False
    pass_time(seconds=11)
    assert REGISTRY.get_sample_value("orders_payments_overdue_seconds") >= 1  # type: ignore[operator]  # None would fail too
    complete_open()

    payment.refresh_from_db()
    assert (payment.state, payment.failure) == ("requires_action", "")
    assert REGISTRY.get_sample_value("orders_payments_failing") == 0


def test_a_start_that_is_refused_leaves_the_order_to_another_payment(bank: Bank) -> None:
    bank.refusals["start"] = "no such currency"

    payment = advance(make_payment().pk)
    another = open_payment(order=payment.order, gateway="invoice")

    assert (payment.state, payment.failure, payment.next_try_at) == (
        "failed",
        "no such currency",
        None,
    )
    assert (payment.order.status, another.state) == ("pending", "requires_action")


def test_a_capture_that_is_refused_lets_the_money_go(bank: Bank) -> None:
    payment = advance(make_payment().pk)
    bank.pay(payment)
    bank.refusals["capture"] = "the card was closed"

    payment = advance(payment.pk)

    assert (payment.state, payment.failure) == ("failed", "the card was closed")
    assert payment.order.status == "pending"
    assert bank.calls[-1] == "cancel"
    assert bank.charged() == []


def test_a_refusal_that_settles_nothing_is_kept_for_staff(bank: Bank) -> None:
    payment = advance(make_payment().pk)
    bank.refusals["look_up"] = "this account is closed"

    payment = advance(payment.pk)

    assert (payment.state, payment.failure) == ("requires_action", "this account is closed")
    assert payment.next_try_at is not None
    assert payment.next_try_at > timezone.now() + timedelta(minutes=50)
    assert payment.action_url


def test_a_session_that_ends_unpaid_makes_way_for_another(bank: Bank) -> None:
    payment = advance(make_payment().pk)
    bank.set_state(payment, "cancelled")

    ended = advance(payment.pk)
    another = open_payment(order=payment.order, gateway="bank")

    assert (ended.state, ended.order.status) == ("cancelled", "pending")
    assert another != payment


def test_one_payment_that_cannot_be_asked_for_does_not_keep_others(
    bank: Bank, settings: Settings
) -> None:
    lost = make_payment()
    Payment.objects.filter(pk=lost.pk).update(gateway="taken away")
    payment = make_payment()
    pass_time(hours=1)

    assert complete_open() == {"payments": 2, "refunds": 0, "failed": 1}

    payment.refresh_from_db()
    assert payment.state == "requires_action"


def test_one_row_that_the_database_refuses_does_not_keep_others(bank: Bank) -> None:
    captured = make_captured(bank)
    request_refund(payment=captured, amount=80, reason="", actor=None, key=uuid4())
    Payment.objects.filter(pk=captured.pk).update(refunded_amount=0)  # books that do not add up
    bank.refusals["refund"] = "not now"
    payment = make_payment()
    pass_time(hours=1)

    assert complete_open() == {"payments": 1, "refunds": 1, "failed": 1}

    assert bank.calls[-2:] == ["refund", "start"]  # money that is owed comes first
    payment.refresh_from_db()
    assert payment.state == "requires_action"


# --- Orders that are gone ------------------------------------------------------------------------


def cancel(order: Order) -> None:
    change_status(order=order, to=Order.Status.CANCELLED)


def expire(order: Order) -> None:
    Order.objects.filter(pk=order.pk).update(expires_at=timezone.now() - timedelta(minutes=1))
    assert cancel_expired_orders() == 1


def sell_out(variant: Variant) -> None:
    place(variant, variant.stock.available, method="invoice")


@pytest.mark.parametrize("gateway", ["bank", "invoice", "cash_on_delivery"])
def test_a_payment_that_nobody_began_ends_with_its_order(bank: Bank, gateway: str) -> None:
    payment = make_payment(gateway=gateway)

    cancel(payment.order)
    complete_open()

    payment.refresh_from_db()
    assert (payment.state, payment.next_try_at) == ("cancelled", None)
    assert bank.calls == []


@pytest.mark.parametrize("has_paid", [False, True])
def test_a_cancelled_order_lets_the_money_go(bank: Bank, has_paid: bool) -> None:
    payment = advance(make_payment().pk)
    if has_paid:
        bank.pay(payment)

    cancel(payment.order)
    complete_open()

    payment.refresh_from_db()
    assert payment.state == "cancelled"
    assert bank.calls == ["start", "cancel"]
    assert bank.charged() == []


def test_a_start_whose_reply_was_lost_is_found_and_ended(bank: Bank) -> None:
    """The bank knows of it, so that forgetting it would leave a page on which one can pay."""
    bank.lose_reply("start")
    payment = advance(make_payment().pk)

    cancel(payment.order)
    complete_open()

    payment.refresh_from_db()
    assert payment.state == "cancelled"
    assert bank.calls == ["start", "start", "cancel"]


def take_money_behind_our_back(bank: Bank, payment: Payment) -> None:
    """Captured, and the reply was lost; or captured by hand in the bank's own pages."""
    bank.pay(payment)
    with bank.books() as books:
        books.execute("INSERT INTO charge VALUES ('x', ?, ?)", [str(payment.pk), payment.amount])
    bank.set_state(payment, "captured")


def test_money_of_an_order_that_its_shopper_cancelled_goes_back(
    bank: Bank, variant: Variant
) -> None:
    order = place(variant)
    payment = advance(order.payments.get().pk)
    take_money_behind_our_back(bank, payment)

    cancel(order)
    complete_open()
    complete_open()

    payment.refresh_from_db()
    order.refresh_from_db()
    assert (payment.state, order.status) == ("refunded", "cancelled")
    assert order.refunded_amount == payment.refunded_amount == payment.amount
    assert bank.sent_back() == bank.charged() == [payment.amount]
    assert mails(order) == ["cancelled", "refunded"]
    assert StockItem.objects.get().allocated == 0


def test_money_that_came_late_brings_the_order_back(bank: Bank, variant: Variant) -> None:
    order = place(variant, 2)
    payment = advance(order.payments.get().pk)
    expire(order)
    take_money_behind_our_back(bank, payment)

    complete_open()

    payment.refresh_from_db()
    order.refresh_from_db()
    assert (payment.state, order.status) == ("captured", "paid")
    assert history(order) == ["pending", "cancelled", "paid"]
    assert StockItem.objects.get().allocated == 2
    assert bank.sent_back() == []


def test_money_that_came_after_the_stock_was_gone_goes_back(bank: Bank, variant: Variant) -> None:
    order = place(variant, 2)
    payment = advance(order.payments.get().pk)
    expire(order)
    sell_out(variant)
    take_money_behind_our_back(bank, payment)

    complete_open()

    payment.refresh_from_db()
    order.refresh_from_db()
    assert (payment.state, order.status) == ("refunded", "cancelled")
    assert bank.sent_back() == bank.charged() == [payment.amount]
    assert mails(order) == ["cancelled", "stock_gone", "refunded"]
    assert StockItem.objects.get().available == 0


@pytest.mark.parametrize("is_gone", [False, True])
def test_money_reserved_in_time_and_seen_late(bank: Bank, variant: Variant, is_gone: bool) -> None:
    """While the bank was away, the order's time ended: take it only if it can still be sent."""
    order = place(variant, 2)
    payment = advance(order.payments.get().pk)
    expire(order)
    if is_gone:
        sell_out(variant)
    Payment.objects.filter(pk=payment.pk).update(state="authorised")
    bank.pay(payment)

    payment = advance(payment.pk)

    order.refresh_from_db()
    told = ["cancelled", "stock_gone"] if is_gone else ["cancelled"]
    assert (payment.state, order.status) == (
        ("cancelled", "cancelled") if is_gone else ("captured", "paid")
    )
    assert bank.charged() == ([] if is_gone else [payment.amount])
    assert mails(order) == told


def test_an_automatic_refund_is_finished_by_the_completer(bank: Bank) -> None:
    payment = advance(make_payment().pk)
    take_money_behind_our_back(bank, payment)
    cancel(payment.order)
    bank.lose_reply("refund")

    complete_open()
    assert Refund.objects.get().state == "requested"
    pass_time(hours=1)
    complete_open()

    assert Refund.objects.get().state == "done"
    assert bank.calls.count("refund") == 2
    assert bank.sent_back() == [1080]


# --- By hand -------------------------------------------------------------------------------------


def test_staff_settle_an_invoice_once() -> None:
    order = make_order()  # of the former release: it has no payment yet

    payment = settle_by_hand(order=order, actor=None)
    with pytest.raises(WrongStatus) as again:
        settle_by_hand(order=order, actor=None)

    assert (payment.gateway, payment.state, order.status) == ("invoice", "captured", "paid")
    assert again.value.status == "paid"
    assert history(order) == ["paid"]


def test_cash_is_settled_after_its_parcel_left(variant: Variant) -> None:
    order, clerk = place(variant, method="cash_on_delivery"), make_customer(is_staff=True)
    ship_rest(order=order, actor=None)

    payment = settle_by_hand(order=order, actor=clerk)
    with pytest.raises(WrongStatus):
        settle_by_hand(order=order, actor=clerk)

    order.refresh_from_db()
    assert (payment.state, order.status) == ("captured", "fulfilled")
    last = order.history.latest("pk")
    assert (last.from_status, last.to_status, last.actor) == ("fulfilled", "fulfilled", clerk)
    shown = [(str(step.label), step.tracking) for step in order_steps(order)]
    assert shown == [("Received", ""), ("On its way", ""), ("Paid", "")]


@pytest.mark.parametrize("is_gone", [False, True])
def test_a_transfer_after_its_time_brings_the_order_back_or_goes_back(
    variant: Variant, is_gone: bool
) -> None:
    order, clerk = place(variant, method="invoice"), make_customer(is_staff=True)
    expire(order)
    complete_open()  # the payment is let go
    if is_gone:
        sell_out(variant)

    payment = settle_by_hand(order=order, actor=clerk)
    complete_open()
    with pytest.raises(WrongStatus):
        settle_by_hand(order=order, actor=clerk)

    payment.refresh_from_db()
    last = order.history.latest("pk")
    if is_gone:
        assert (payment.state, order.status, last.to_status) == (
            "refunded",
            "cancelled",
            "cancelled",
        )
        assert mails(order) == ["cancelled", "stock_gone", "refunded"]
    else:
        assert (payment.state, order.status, last.actor) == ("captured", "paid", clerk)
        assert mails(order) == ["cancelled"]


def test_settling_is_news_to_whoever_asked_before(bank: Bank) -> None:
    """It takes the next attempt, so that an answer from before is not written down."""
    payment = make_payment(gateway="invoice")

    settled = settle_by_hand(order=payment.order, actor=None)

    assert settled.attempt == payment.attempt + 1
