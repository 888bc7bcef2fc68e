"""Cards over the wire: the shop, Stripe's official client, and the stack's Stripe."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from pytest_django.fixtures import Settings

from orders.gateways import stripe as gateway
from orders.gateways.base import GatewayRefused, GatewayUnreachable
from orders.gateways.stripe import StripeGateway, stripe_amount
from orders.models import Order, Payment, Refund
from orders.services.cards import come_back, pay_by_card
from orders.services.payments import advance, complete_open
from orders.services.refunds import advance_refund, request_refund
from orders.services.status import change_status
from shop.models import Variant
from tests import card
from tests.card import Account, Line
from tests.orders.life import placed, steps
from tests.stack import Stack, wait_until

pytestmark = pytest.mark.django_db(transaction=True)
State = Payment.State
TOTAL = 137000
"""NT$1,290 and NT$80 of postage, in Stripe's units."""


@pytest.fixture
def order(variant: Variant) -> Order:
    return placed({variant: 1}, payment_method="card")


def captured(order: Order) -> Payment:
    card.enter_card(pay_by_card(order).action_url)
    payment = come_back(order)
    assert payment is not None and payment.state == State.CAPTURED
    return payment


# --- Money ---------------------------------------------------------------------------------------


def test_amounts_are_sent_in_stripes_units(variant: Variant, account: Account) -> None:
    ours = {"TWD": 1290, "JPY": 4200, "SGD": 4250, "USD": 199}
    theirs = {currency: stripe_amount(amount, currency) for currency, amount in ours.items()}
    assert theirs == {"TWD": 129000, "JPY": 4200, "SGD": 4250, "USD": 199}
    order = placed({variant: 1}, payment_method="card", currency="JPY")

    payment = pay_by_card(order)

    session = account.v1.checkout.sessions.retrieve(payment.reference)
    assert (session.currency, session.amount_total) == ("jpy", order.total_amount)


# --- States --------------------------------------------------------------------------------------


def test_a_card_is_authorised_captured_and_pays_the_order(order: Order, account: Account) -> None:
    payment = pay_by_card(order)
    assert payment.state == State.REQUIRES_ACTION
    assert StripeGateway().look_up(payment).action_url == payment.action_url

    back = card.enter_card(payment.action_url)

    assert back.headers["Location"].endswith(f"/orders/{order.number}/paid/")
    authorised = StripeGateway().look_up(payment)
    assert authorised.state == State.AUTHORISED
    assert authorised.reference.startswith("pi_")
    assert account.charges(payment.pk) == [("authorised", 0, 0)]

    payment = advance(payment.pk)

    assert (payment.state, payment.reference) == (State.CAPTURED, authorised.reference)
    assert account.charges(payment.pk) == [("captured", TOTAL, 0)]
    assert steps(order) == [("paid", "")]
    assert StripeGateway().capture(payment).state == State.CAPTURED  # once more: nothing
    assert StripeGateway().cancel(payment).state == State.CAPTURED  # too late
    assert account.charges(payment.pk) == [("captured", TOTAL, 0)]


@pytest.mark.parametrize(
    ("number", "code"),
    [(card.DECLINED, "card_declined"), (card.NO_MONEY, "card_declined")],
)
def test_a_declined_card_leaves_the_page_open_for_another(
    order: Order, account: Account, number: str, code: str
) -> None:
    payment = pay_by_card(order)

    page = card.enter_card(payment.action_url, number)

    assert page.status_code == 200
    assert advance(payment.pk).state == State.REQUIRES_ACTION
    assert account.charges(payment.pk) == [(code, 0, 0)]

    card.enter_card(payment.action_url)

    assert advance(payment.pk).state == State.CAPTURED
    assert account.charges(payment.pk) == [("captured", TOTAL, 0), (code, 0, 0)]


@pytest.mark.parametrize(
    ("number", "answer", "state"),
    [
        (card.ASKS, "yes", State.CAPTURED),
        (card.ASKS, "no", State.REQUIRES_ACTION),
        (card.ASKS_IN_VAIN, "yes", State.REQUIRES_ACTION),
    ],
)
def test_the_cards_bank_asks_first(order: Order, number: str, answer: str, state: State) -> None:
    payment = pay_by_card(order)
    card.enter_card(payment.action_url, number)
    assert advance(payment.pk).state == State.REQUIRES_ACTION

    card.answer_bank(payment.action_url, answer)

    assert advance(payment.pk).state == state


def test_a_cancelled_order_closes_its_page(order: Order, account: Account) -> None:
    payment = pay_by_card(order)
    change_status(order=order, to=Order.Status.CANCELLED)

    assert advance(payment.pk).state == State.CANCELLED

    page = card.enter_card(payment.action_url)
    assert "expired" in page.text
    assert account.charges(payment.pk) == []


def test_what_was_authorised_for_a_cancelled_order_is_let_go(
    order: Order, account: Account
) -> None:
    payment = pay_by_card(order)
    card.enter_card(payment.action_url)
    change_status(order=order, to=Order.Status.CANCELLED)

    assert advance(payment.pk).state == State.CANCELLED

    assert account.charges(payment.pk) == [("released", 0, TOTAL)]


def test_an_expired_page_gives_way_to_a_new_one(
    order: Order, account: Account, stack: Stack
) -> None:
    first = pay_by_card(order)
    address = first.action_url
    assert pay_by_card(order).action_url == address
    with card.stripe_database(stack.state) as database:
        database.execute(
            "UPDATE object SET body = json_set(body, '$.expires_at', 1) WHERE id = ?",
            [first.reference],
        )

    second = pay_by_card(order)

    first.refresh_from_db()
    assert (first.state, second.state) == (State.CANCELLED, State.REQUIRES_ACTION)
    assert second.action_url != address
    assert "expired" in card.enter_card(address).text


def test_a_payment_that_stripe_never_took_fails_with_its_reason(order: Order) -> None:
    payment = order.payments.get()
    long_ago = payment.created_at - timedelta(hours=2)
    Payment.objects.filter(pk=payment.pk).update(created_at=long_ago)

    payment = advance(payment.pk)

    assert payment.state == State.FAILED
    assert "30 minutes" in payment.failure


def test_a_foreign_payment_is_not_believed(order: Order, variant: Variant) -> None:
    other = captured(placed({variant: 1}, payment_method="card"))
    payment = order.payments.get()
    payment.reference = other.reference

    with pytest.raises(GatewayRefused):
        StripeGateway().look_up(payment)


# --- Replies that are lost -----------------------------------------------------------------------


def test_a_lost_reply_is_had_again_and_makes_one_page(
    order: Order, account: Account, line: Line
) -> None:
    line.losing = 1 + gateway.RETRIES

    payment = advance(order.payments.get().pk)

    assert (payment.state, line.losing) == (State.STARTED, 0)
    assert len(account.sessions(payment.pk)) == 1

    payment = advance(payment.pk)

    (session,) = account.sessions(payment.pk)
    assert (payment.state, payment.reference) == (State.REQUIRES_ACTION, session.id)
    # The control: under another key, the same wishes make another page.
    gateway.client().v1.checkout.sessions.create(
        gateway._session_wishes(payment), {"idempotency_key": str(uuid4())}
    )
    assert len(account.sessions(payment.pk)) == 2


def test_a_breakdown_that_stripe_keeps_under_the_key_gives_way_to_another_payment(
    order: Order, account: Account, line: Line, stack: Stack
) -> None:
    line.losing = 1 + gateway.RETRIES
    first = advance(order.payments.get().pk)
    with card.stripe_database(stack.state) as database:
        database.execute(
            "UPDATE idempotency SET status = 500, body = ? WHERE key = ?",
            ['{"error": {"type": "api_error", "message": "broken"}}', f"{first.pk}:start"],
        )

    second = pay_by_card(order)

    first.refresh_from_db()
    assert (first.state, second.state) == (State.FAILED, State.REQUIRES_ACTION)
    assert len(account.sessions(second.pk)) == 1


def test_a_page_paid_before_its_reply_was_had_again_is_found_paid(
    order: Order, account: Account, line: Line
) -> None:
    line.losing = 1 + gateway.RETRIES
    payment = advance(order.payments.get().pk)
    card.enter_card(str(account.sessions(payment.pk)[0].url))

    assert advance(payment.pk).state == State.CAPTURED


def test_a_lost_capture_is_one_capture(order: Order, account: Account, line: Line) -> None:
    payment = pay_by_card(order)
    card.enter_card(payment.action_url)
    authorised = StripeGateway().look_up(payment)
    payment.reference = authorised.reference
    line.losing = 1 + gateway.RETRIES

    with pytest.raises(GatewayUnreachable):
        StripeGateway().capture(payment)

    assert advance(payment.pk).state == State.CAPTURED
    assert account.charges(payment.pk) == [("captured", TOTAL, 0)]


def test_stripe_away_loses_nothing(order: Order, line: Line) -> None:
    line.close()

    payment = pay_by_card(order)

    assert (payment.state, payment.action_url) == (State.STARTED, "")
    assert "communicating with Stripe" in payment.failure
    assert payment.next_try_at is not None


def test_a_silent_stripe_is_not_waited_for_again_and_again(
    variant: Variant, line: Line, settings: Settings
) -> None:
    settings.STRIPE_TIMEOUTS = (1.0, 0.3)
    line.silent = True
    orders = [placed({variant: 1}, payment_method="card") for _ in range(4)]

    states = [pay_by_card(order).state for order in orders[:3]]

    assert states == [State.STARTED] * 3
    # Two waited, each for two tries; the third asked nobody, and only the probe does from now on.
    assert 2 * (1 + gateway.RETRIES) <= line.taken <= 2 * (1 + gateway.RETRIES) + 1
    line.silent = False
    settings.STRIPE_TIMEOUTS = (5.0, 15.0)
    gateway.client.cache_clear()
    assert wait_until(lambda: pay_by_card(orders[3]).action_url, 60, "Stripe is asked again")


# --- Refunds -------------------------------------------------------------------------------------


def ask_refund(payment: Payment, amount: int, key: UUID | None = None) -> Refund:
    return request_refund(
        payment=payment, amount=amount, reason="Broken", actor=None, key=key or uuid4()
    )


def test_refunds_go_back_in_parts(order: Order, account: Account) -> None:
    payment = captured(order)

    states = [advance_refund(ask_refund(payment, part).pk).state for part in (370, 1000)]

    assert states == [Refund.State.DONE, Refund.State.DONE]
    assert account.refunds(payment.reference) == [100000, 37000]
    assert account.charges(payment.pk) == [("captured", TOTAL, TOTAL)]


def test_a_refund_whose_reply_was_lost_is_made_once(
    order: Order, account: Account, line: Line, stack: Stack
) -> None:
    payment = captured(order)
    refund = ask_refund(payment, 370)
    line.losing = 1 + gateway.RETRIES

    assert advance_refund(refund.pk).state == Refund.State.REQUESTED

    with card.stripe_database(stack.state) as database:  # more than a day passes
        database.execute("DELETE FROM idempotency WHERE key = ?", [f"{refund.pk}:refund"])
    assert advance_refund(refund.pk).state == Refund.State.DONE
    assert account.refunds(payment.reference) == [37000]
    # The control: who does not look first sends it once more.
    gateway._create_refund(Refund.objects.select_related("payment").get(pk=refund.pk))
    assert account.refunds(payment.reference) == [37000, 37000]


def test_a_refund_that_takes_its_time_is_done_when_it_is(order: Order) -> None:
    card.enter_card(pay_by_card(order).action_url, card.REFUNDED_LATER)
    payment = come_back(order)
    assert payment is not None
    refund = ask_refund(payment, 370)

    refund = advance_refund(refund.pk)

    assert refund.state == Refund.State.REQUESTED
    assert refund.reference.startswith("re_")
    assert wait_until(lambda: _done(refund), 20, "the refund is done")


def _done(refund: Refund) -> bool:
    return advance_refund(refund.pk).state == Refund.State.DONE


def test_more_than_was_taken_is_refused_by_stripe_too(order: Order, account: Account) -> None:
    payment = captured(order)
    refund = ask_refund(payment, 370)
    refund.amount = payment.amount + 1

    with pytest.raises(GatewayRefused):
        StripeGateway().refund(refund)

    assert account.refunds(payment.reference) == []


def test_the_completer_finishes_what_a_crash_left(order: Order, account: Account) -> None:
    payment = pay_by_card(order)
    card.enter_card(payment.action_url)
    # The shopper's browser, the webhook and whoever asked died.
    Payment.objects.filter(pk=payment.pk).update(next_try_at=payment.created_at)

    assert complete_open()["payments"] == 1

    payment.refresh_from_db()
    assert payment.state == State.CAPTURED
    assert account.charges(payment.pk) == [("captured", TOTAL, 0)]
