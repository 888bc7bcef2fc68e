"""Refunds against a bank over HTTP: never more than was taken, and each of them once."""

from uuid import uuid4

import pytest
from django.db import transaction
from django.db.models import F
from prometheus_client import REGISTRY
from pytest_django.fixtures import Settings

from orders.errors import NothingCaptured, RefundTooLarge, WrongStatus
from orders.idempotency import KeyReused
from orders.models import Order, OutboxMessage, Payment, Refund
from orders.services import refunds
from orders.services.fulfilment import ship_rest
from orders.services.payments import advance, complete_open
from orders.services.refunds import advance_refund, refund_by_itself, request_refund
from shop.models import Customer, StockItem
from shop.money import Money
from tests.bank import Bank, use_gateway
from tests.factories import make_customer, make_product
from tests.orders.life import ledger
from tests.orders.paying import (
    history,
    mails,
    make_captured,
    make_payment,
    pass_time,
    place,
)
from tests.staff import boss, client_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def payment(bank: Bank) -> Payment:
    """1080 TWD, captured."""
    return make_captured(bank)


def ask_for(payment: Payment, amount: int, actor: Customer | None = None) -> Refund:
    return request_refund(payment=payment, amount=amount, reason="broken", actor=actor, key=uuid4())


def left(payment: Payment) -> int:
    """Of the payment; its order says the same."""
    payment.refresh_from_db()
    payment.order.refresh_from_db()
    assert payment.order.refunded_amount == payment.refunded_amount
    return payment.amount - payment.refunded_amount


def test_partial_refunds_add_up_to_a_refunded_order(bank: Bank) -> None:
    variant = make_product(stock=5).variants.get()
    order = place(variant, 2)
    payment = make_captured(bank, order)
    staff = make_customer(is_staff=True)

    first = advance_refund(ask_for(payment, 1000, staff).pk)
    assert left(payment) == payment.amount - 1000
    assert (first.state, payment.state, payment.order.status) == ("done", "captured", "paid")
    second = advance_refund(ask_for(payment, payment.amount - 1000, staff).pk)

    assert left(payment) == 0
    assert (second.state, payment.state, payment.order.status) == ("done", "refunded", "refunded")
    assert second.reference == f"ref-{second.pk}:refund"
    assert history(order) == ["pending", "paid", "refunded"]
    assert order.history.last().actor == staff  # type: ignore[union-attr]  # it has some
    assert mails(order) == ["refunded", "refunded"]
    amounts = OutboxMessage.objects.filter(payload__template="refunded").order_by("pk")
    assert [mail.payload["context"]["amount"] for mail in amounts] == [1000, payment.amount - 1000]
    assert StockItem.objects.get().allocated == 0
    assert ledger(order)[-1] == ("released", "staff", staff.pk, "broken")
    assert order.history.last().note == ""  # type: ignore[union-attr]  # the shopper reads it
    assert bank.sent_back() == [1000, payment.amount - 1000]


def test_an_order_that_left_is_refunded_without_its_stock(bank: Bank) -> None:
    variant = make_product(stock=5).variants.get()
    order = place(variant, 2)
    payment = make_captured(bank, order)
    ship_rest(order=order, actor=None)

    advance_refund(ask_for(payment, payment.amount).pk)

    order.refresh_from_db()
    stock = StockItem.objects.get()
    assert order.status == "refunded"
    assert (stock.on_hand, stock.allocated) == (3, 0)


def test_an_order_whose_money_goes_back_does_not_leave(bank: Bank) -> None:
    """Between the click and the gateway's answer it is paid by its status alone."""
    order = place(make_product(stock=5).variants.get(), 2)
    payment = make_captured(bank, order)
    refund = ask_for(payment, payment.amount)

    with pytest.raises(WrongStatus):
        ship_rest(order=order, actor=None)

    advance_refund(refund.pk)
    stock = StockItem.objects.get()
    assert (stock.on_hand, stock.allocated) == (5, 0)


def test_money_that_came_by_bank_goes_back_by_hand() -> None:
    order = place(make_product().variants.get(), method="invoice")
    payment = order.payments.get()
    Payment.objects.filter(pk=payment.pk).update(state="captured")
    Order.objects.filter(pk=order.pk).update(status="paid")

    refund = advance_refund(ask_for(payment, payment.amount).pk)

    order.refresh_from_db()
    assert (refund.state, order.status) == ("done", "refunded")


def test_refunds_never_take_more_than_is_left(payment: Payment, bank: Bank) -> None:
    ask_for(payment, 700)

    with pytest.raises(RefundTooLarge) as refused:
        ask_for(payment, 381)

    assert (refused.value.wanted, refused.value.left) == (Money(381, "TWD"), Money(380, "TWD"))
    assert left(payment) == 380
    complete_open()
    assert bank.sent_back() == [700]


@pytest.mark.parametrize("amount", [0, -1])
def test_a_refund_is_of_something(payment: Payment, amount: int) -> None:
    with pytest.raises(ValueError, match="a refund of"):
        ask_for(payment, amount)

    assert left(payment) == 1080


def test_what_was_not_captured_is_not_refunded(bank: Bank) -> None:
    payment = advance(make_payment().pk)

    with pytest.raises(NothingCaptured):
        ask_for(payment, 1)
    bank.pay(payment)
    payment = advance(payment.pk)
    advance_refund(ask_for(payment, 1080).pk)
    with pytest.raises(NothingCaptured):
        ask_for(payment, 1)

    assert bank.sent_back() == [1080]


def test_a_second_click_is_the_same_refund(payment: Payment, bank: Bank) -> None:
    key = uuid4()

    for _ in range(2):
        refund = request_refund(payment=payment, amount=80, reason="late", actor=None, key=key)
        advance_refund(refund.pk)

    assert Refund.objects.get() == refund
    assert left(payment) == 1000
    assert bank.sent_back() == [80]
    with pytest.raises(KeyReused):
        request_refund(payment=payment, amount=81, reason="late", actor=None, key=key)


def test_the_shop_refunds_by_itself_once(payment: Payment) -> None:
    first, second = refund_by_itself(payment), refund_by_itself(payment)

    assert first == second
    assert left(payment) == 0


# --- Gateways that fail --------------------------------------------------------------------------


def refund_with_a_lost_reply(payment: Payment, bank: Bank) -> Refund:
    bank.lose_reply("refund")
    refund = advance_refund(ask_for(payment, 500).pk)
    assert (refund.state, left(payment)) == ("requested", 580)
    pass_time(hours=1)
    complete_open()
    refund.refresh_from_db()
    return refund


def test_a_refund_whose_reply_was_lost_is_sent_once(payment: Payment, bank: Bank) -> None:
    refund = refund_with_a_lost_reply(payment, bank)

    assert (refund.state, refund.failure) == ("done", "")
    assert bank.calls.count("refund") == 2
    assert bank.sent_back() == [500]
    assert mails(payment.order) == ["refunded"]


def test_a_refund_under_a_new_key_is_sent_twice(
    payment: Payment, bank: Bank, settings: Settings
) -> None:
    """The control of the test above."""
    use_gateway(settings, "tests.bank.KeylessGateway")

    refund_with_a_lost_reply(payment, bank)

    assert bank.sent_back() == [500, 500]


def test_a_refund_waits_for_a_gateway_that_is_away(payment: Payment, bank: Bank) -> None:
    bank.is_down = True
    refund = advance_refund(ask_for(payment, 1080).pk)
    assert (refund.state, payment.order.status) == ("requested", "paid")
    assert "RemoteDisconnected" in refund.failure
    assert complete_open() == {"payments": 0, "refunds": 0, "failed": 0}  # not at once

    with pytest.raises(RefundTooLarge):  # it is still on its way
        ask_for(payment, 1)
    bank.is_down = False
    pass_time(seconds=11)
    complete_open()

    refund.refresh_from_db()
    assert left(payment) == 0
    assert (refund.state, payment.order.status) == ("done", "refunded")
    assert bank.sent_back() == [1080]


def test_a_refund_that_is_refused_gives_its_amount_back(payment: Payment, bank: Bank) -> None:
    bank.refusals["refund"] = "the account of mei@example.com is closed"

    refund = advance_refund(ask_for(payment, 1080).pk)

    assert (refund.state, refund.failure, refund.next_try_at) == (
        "failed",
        "the account of … is closed",
        None,
    )
    assert left(payment) == 1080
    assert payment.order.status == "paid"
    assert mails(payment.order) == []
    del bank.refusals["refund"]
    assert advance_refund(ask_for(payment, 1080).pk).state == "done"


def test_money_of_an_order_that_is_gone_is_shown_until_it_is_back(
    payment: Payment, bank: Bank, caplog: pytest.LogCaptureFixture
) -> None:
    place(make_product().variants.get())  # control: of orders that go on nothing is owed
    staff = client_of(boss())
    Order.objects.filter(pk=payment.order_id).update(status="cancelled")

    def owed_back() -> tuple[float | None, list[Order]]:
        page = staff.get("/admin/orders/order/", {"needs": "refund"})
        gauge = REGISTRY.get_sample_value("orders_payments_owed_back")
        return gauge, list(page.context["cl"].result_list)

    refund = refund_by_itself(payment)
    assert owed_back() == (0, [])  # it is on its way
    bank.refusals["refund"] = "the account is closed"
    advance_refund(refund.pk)

    assert owed_back() == (1, [payment.order])
    errors = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert errors == [f"{payment.order}: refund {refund.pk} failed: send the money back by hand"]
    del bank.refusals["refund"]
    advance_refund(ask_for(payment, 1080).pk)
    assert owed_back() == (0, [])


@pytest.mark.django_db(transaction=True)
def test_a_refund_is_never_asked_for_inside_a_transaction(payment: Payment, bank: Bank) -> None:
    refund = ask_for(payment, 80)

    with pytest.raises(RuntimeError), transaction.atomic():
        advance_refund(refund.pk)

    assert "refund" not in bank.calls


def test_the_condition_is_what_keeps_refunds_within_the_payment(
    payment: Payment, bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: two clerks look, both see enough, and each writes what they think is off."""

    def look_then_write(payment: Payment, amount: int) -> None:
        assert payment.refunded_amount + amount <= payment.amount
        Payment.objects.filter(pk=payment.pk).update(
            refunded_amount=payment.refunded_amount + amount
        )

    monkeypatch.setattr(refunds, "take_off", look_then_write)
    seen = [Payment.objects.get(pk=payment.pk) for _ in range(2)]

    for copy in seen:
        advance_refund(ask_for(copy, 1000).pk)

    assert sum(bank.sent_back()) > sum(bank.charged())
    assert Refund.objects.filter(state="done", amount=F("payment__amount") - 80).count() == 2
