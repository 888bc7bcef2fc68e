"""Callers of one payment or refund who meet, freeze and wake: with their guard and without it."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from threading import Barrier, Thread
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, connections, transaction

from orders.errors import RefundTooLarge, WrongStatus
from orders.models import Order, Payment, Refund
from orders.services import gateway_calls, payments, refunds
from orders.services.gateway_calls import CLAIM
from orders.services.payments import advance, complete_open, open_payment, settle_by_hand
from orders.services.refunds import advance_refund, request_refund
from orders.services.status import change_status
from tests.bank import Bank
from tests.factories import make_order
from tests.orders.admin_pages import act
from tests.orders.admin_pages import refunds as refunds_of
from tests.orders.life import press
from tests.orders.paying import history, make_captured, make_payment, pass_time
from tests.stack import wait_until
from tests.staff import boss, client_of

pytestmark = pytest.mark.django_db(transaction=True)
AT_ONCE = 6
"""Fewer than the connections of this process's pool: all of them are inside at the same time."""
STALE = CLAIM.total_seconds() + 1
SECONDS = 20


def at_once[T](work: Callable[[int], T]) -> list[T]:
    barrier = Barrier(AT_ONCE, timeout=SECONDS)

    def run(number: int) -> T:
        try:
            connection.ensure_connection()
            barrier.wait()
            return work(number)
        finally:
            connections["default"].close()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(run, range(AT_ONCE)))


@contextmanager
def beside(work: Callable[[], object]) -> Iterator[None]:
    """`work` in a thread, which has ended when the block is left."""

    def run() -> None:
        try:
            work()
        finally:
            connections["default"].close()

    thread = Thread(target=run)
    thread.start()
    yield
    thread.join(SECONDS)
    assert not thread.is_alive()


def whoever_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bypass the guard: a record is written whichever attempt it is of."""
    monkeypatch.setattr(
        gateway_calls, "_mine", lambda row: type(row)._default_manager.filter(pk=row.pk)
    )


# --- At once -------------------------------------------------------------------------------------


def come_back_at_once(bank: Bank) -> Payment:
    """The browser, the webhook and the completer, twice each."""
    payment = advance(make_payment().pk)
    bank.pay(payment)
    pass_time(hours=1)

    at_once(lambda number: advance(payment.pk) if number % 3 else complete_open())

    payment.refresh_from_db()
    assert (payment.state, payment.order.status) == ("captured", "paid")
    assert history(payment.order) == ["paid"]
    assert bank.charged() == [1080]
    return payment


def test_browser_webhook_and_completer_ask_once(bank: Bank) -> None:
    come_back_at_once(bank)

    assert bank.calls == ["start", "look_up", "capture"]


def test_without_claims_everybody_asks(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control. The bank's keys and the order's condition alone still charge once."""
    together = Barrier(AT_ONCE, timeout=SECONDS)

    def look_together(row: Any) -> bool:
        if bank.calls and row.state == "requires_action":
            together.wait()
        return True

    monkeypatch.setattr(payments, "take", look_together)

    come_back_at_once(bank)

    assert bank.calls.count("look_up") == AT_ONCE


def test_an_order_opens_one_payment_however_many_ask(bank: Bank) -> None:
    order = make_order(payment_method="card")

    opened = at_once(lambda _: open_payment(order=order, gateway="bank").pk)

    assert set(opened) == {Payment.objects.get().pk}


def test_an_invoice_is_settled_once_however_many_click() -> None:
    order = make_order()

    def click(_: int) -> str:
        try:
            return settle_by_hand(order=Order.objects.get(pk=order.pk), actor=None).state
        except WrongStatus as error:
            return f"was {error.status}"

    assert sorted(at_once(click)) == ["captured"] + ["was paid"] * (AT_ONCE - 1)
    assert history(order) == ["paid"]


def test_cancelling_and_paying_at_once_end_even(bank: Bank) -> None:
    """Whoever is first: the money is here if the order is paid, and back if it is not."""
    for _ in range(4):
        payment = advance(make_payment().pk)
        bank.pay(payment)

        def act(number: int, payment: Payment = payment) -> None:
            if number % 2:
                advance(payment.pk)
                return
            with suppress(WrongStatus):
                order = Order.objects.get(pk=payment.order_id)
                change_status(order=order, to=Order.Status.CANCELLED)

        at_once(act)
        pass_time(hours=1)
        complete_open()

        payment.refresh_from_db()
        here = sum(bank.charged(payment)) - sum(bank.sent_back(payment))
        ends = {"paid": ("captured",), "cancelled": ("cancelled", "refunded")}
        assert payment.state in ends[payment.order.status]
        assert here == (1080 if payment.order.status == "paid" else 0)


# --- Frozen and woken ----------------------------------------------------------------------------


def wake_after_the_capture(bank: Bank) -> Payment:
    """Asks while the shopper types, sleeps, and wakes when another has taken the money."""
    payment = advance(make_payment().pk)
    hold = bank.hold_reply("look_up")
    with beside(lambda: advance(payment.pk)):
        assert hold.answered.wait(SECONDS)
        bank.pay(payment)
        assert advance(payment.pk).state == "requires_action"  # another asks: left to them
        pass_time(seconds=STALE)
        assert advance(payment.pk).state == "captured"
        hold.release.set()
    payment.refresh_from_db()
    return payment


def test_a_caller_who_wakes_too_late_is_not_believed(bank: Bank) -> None:
    payment = wake_after_the_capture(bank)

    assert (payment.state, payment.order.status, payment.next_try_at) == ("captured", "paid", None)
    assert bank.calls == ["start", "look_up", "look_up", "capture"]


def test_a_late_record_without_its_attempt_forgets_the_capture(
    bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control of the test above."""
    whoever_writes(monkeypatch)

    payment = wake_after_the_capture(bank)

    assert (payment.state, payment.order.status) == ("requires_action", "paid")


def wake_after_the_refund(bank: Bank) -> Refund:
    """Is refused, sleeps, and wakes when the bank has done it for another."""
    payment = make_captured(bank)
    refund = request_refund(payment=payment, amount=1080, reason="", actor=None, key=uuid4())
    bank.refusals["refund"] = "not now"
    hold = bank.hold_reply("refund")
    with beside(lambda: advance_refund(refund.pk)):
        assert hold.answered.wait(SECONDS)
        del bank.refusals["refund"]
        pass_time(seconds=STALE)
        assert advance_refund(refund.pk).state == "done"
        hold.release.set()
    refund.refresh_from_db()
    return refund


def test_a_refusal_that_comes_too_late_frees_no_money(bank: Bank) -> None:
    refund = wake_after_the_refund(bank)

    assert refund.state == "done"
    assert refund.payment.refunded_amount == refund.payment.order.refunded_amount == 1080
    assert bank.sent_back() == [1080]


def test_a_late_refusal_without_its_attempt_frees_money_that_is_gone(
    bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control of the test above."""
    whoever_writes(monkeypatch)

    refund = wake_after_the_refund(bank)

    assert refund.payment.refunded_amount == 0
    assert bank.sent_back() == [1080]


# --- Asked while the order was cancelled ---------------------------------------------------------


@pytest.mark.parametrize("call", ["start", "look_up"])
def test_an_order_cancelled_while_the_bank_thinks_is_let_go_at_once(bank: Bank, call: str) -> None:
    payment = make_payment()
    if call == "look_up":
        advance(payment.pk)
    hold = bank.hold_reply(call)
    with beside(lambda: advance(payment.pk)):
        assert hold.answered.wait(SECONDS)
        change_status(order=payment.order, to=Order.Status.CANCELLED)
        hold.release.set()

    payment.refresh_from_db()
    assert (payment.state, bank.calls[-1]) == ("cancelled", "cancel")


def cancel_while_capturing(bank: Bank) -> Payment:
    payment = advance(make_payment().pk)
    bank.pay(payment)
    hold = bank.hold_reply("capture")

    def ask() -> None:
        with suppress(WrongStatus):
            advance(payment.pk)

    with beside(ask):
        assert hold.answered.wait(SECONDS)
        change_status(order=payment.order, to=Order.Status.CANCELLED)
        hold.release.set()
    payment.refresh_from_db()
    return payment


def test_money_taken_while_the_order_was_cancelled_goes_back(bank: Bank) -> None:
    payment = cancel_while_capturing(bank)

    assert (payment.state, payment.order.status) == ("refunded", "cancelled")
    assert bank.sent_back() == bank.charged() == [1080]


def test_an_order_believed_to_be_as_it_was_keeps_the_money(
    bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: the order is taken as it was when the bank was asked, and nobody looks again."""

    def believe(order: Order, payment: Payment, *, before: str) -> None:
        if payment.state == "captured":
            change_status(order=order, to=Order.Status.PAID)

    monkeypatch.setattr(payments, "_take_effect", believe)

    cancel_while_capturing(bank)

    assert (bank.charged(), bank.sent_back()) == ([1080], [])


# --- Refunds at once -----------------------------------------------------------------------------


def refund_at_once(payment: Payment) -> list[str]:
    """So many clerks send back 400 of 1080 each."""

    def click(_: int) -> str:
        copy, key = Payment.objects.get(pk=payment.pk), uuid4()
        try:
            press(
                lambda: request_refund(payment=copy, amount=400, reason="dent", actor=None, key=key)
            )
        except RefundTooLarge as error:
            return f"{error.left.amount} left"
        return "goes back"

    return sorted(at_once(click))


def test_clerks_at_once_send_back_no_more_than_was_taken(bank: Bank) -> None:
    payment = make_captured(bank)

    clicks = refund_at_once(payment)
    complete_open()

    assert clicks == ["280 left"] * (AT_ONCE - 2) + ["goes back"] * 2
    assert bank.sent_back() == [400, 400]


def test_clerks_who_look_and_then_write_send_back_too_much(
    bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: neither the condition nor the order's lock."""
    payment = make_captured(bank)
    together = Barrier(AT_ONCE, timeout=SECONDS)

    def look_then_write(payment: Payment, amount: int) -> None:
        assert payment.refunded_amount + amount <= payment.amount
        together.wait()
        Payment.objects.filter(pk=payment.pk).update(
            refunded_amount=payment.refunded_amount + amount
        )

    with monkeypatch.context() as patch:
        patch.setattr(refunds, "take_off", look_then_write)
        patch.setattr(refunds, "lock_order", lambda pk: Order.objects.get(pk=pk))
        refund_at_once(payment)
    complete_open()

    assert sum(bank.sent_back()) == AT_ONCE * 400 > sum(bank.charged())


def test_one_click_sent_many_times_is_one_refund(bank: Bank) -> None:
    payment = make_captured(bank)
    key = uuid4()

    def click(_: int) -> str:
        copy = Payment.objects.get(pk=payment.pk)
        refund = request_refund(payment=copy, amount=400, reason="dent", actor=None, key=key)
        return str(advance_refund(refund.pk).pk)

    assert len(set(at_once(click))) == 1
    assert bank.sent_back() == [400]
    assert bank.calls.count("refund") == 1


# --- All that is left, while some of it goes back ------------------------------------------------


def somebody_waits_for_us() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_locks"
            " WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid)))"
        )
        return bool(cursor.fetchone()[0])


def test_what_is_left_is_reckoned_once_nobody_else_takes_of_it(bank: Bank) -> None:
    payment = make_captured(bank)
    order, staff = payment.order, client_of(boss())
    said: list[str] = []

    with ExitStack() as at_last, transaction.atomic():
        request_refund(payment=payment, amount=80, reason="part", actor=None, key=uuid4())
        action = beside(lambda: said.extend(act(staff, "refund", order, confirmed="1")))
        at_last.enter_context(action)
        assert wait_until(somebody_waits_for_us, SECONDS, "the action waits for the refund")

    assert said == [f"{order.number} is refunded now."]
    assert sorted(amount for amount, _, _ in refunds_of(order)) == [80, 1000]
