"""The way to the payment page and back, and Stripe's webhooks: no word is taken for a payment."""

import json
import time
from http import HTTPStatus
from typing import Any
from uuid import UUID, uuid4

import pytest
import stripe
from django.conf import settings as live_settings
from django.test import Client
from prometheus_client import REGISTRY
from pytest_django.fixtures import Settings

from orders.gateways import stripe as gateway
from orders.models import GatewayEvent, Order, Payment
from orders.services.cards import come_back, pay_by_card
from orders.services.payments import advance
from shop.models import Variant
from tests import card
from tests.card import Account, Line
from tests.orders.life import placed, steps
from tests.orders.outcomes import Outcomes
from tests.orders.pages import CHECKOUT, TYPED, hidden, text_of
from tests.shopper import forms_of

pytestmark = pytest.mark.django_db(transaction=True)
WEBHOOK = "/webhooks/stripe/"
State = Payment.State


def check_out(shopper: Client, **changes: str) -> Any:
    fields = hidden(shopper.get(CHECKOUT)) | TYPED | {"payment_method": "card"} | changes
    return shopper.post(CHECKOUT, fields)


def press(shopper: Client, url: str, key: str = "") -> Any:
    """The order's button, of a page that was just opened."""
    return shopper.post(f"{url}pay/", {"key": key or str(uuid4())})


def messages_of(response: Any) -> list[str]:
    return [str(message) for message in response.wsgi_request._messages]


# --- To the page and back ------------------------------------------------------------------------


def test_checkout_leads_to_the_payment_page_and_the_page_back_to_a_paid_order(
    shopper: Client, account: Account
) -> None:
    answer = check_out(shopper)

    order = Order.objects.get()
    payment = order.payments.get()
    assert (answer.status_code, answer["Location"]) == (303, payment.action_url)
    assert answer["Location"].startswith(live_settings.STRIPE_CHECKOUT_ORIGIN)
    page = shopper.get(CHECKOUT)
    assert f"form-action 'self' {live_settings.STRIPE_CHECKOUT_ORIGIN};" in (
        page["Content-Security-Policy"] + ";"
    )

    back = card.enter_card(answer["Location"])
    path = back.headers["Location"].removeprefix(live_settings.ANYPORT_URL)
    answer = shopper.get(path)

    assert (answer.status_code, answer["Location"]) == (303, order.get_absolute_url())
    assert "We have your payment" in text_of(shopper.get(answer["Location"]))
    assert steps(order) == [("paid", "")]
    assert [ended for ended, _, _ in account.charges(payment.pk)] == ["captured"]


def test_a_second_press_leads_to_the_same_page(shopper: Client) -> None:
    fields = hidden(shopper.get(CHECKOUT)) | TYPED | {"payment_method": "card"}

    answers = [shopper.post(CHECKOUT, fields)["Location"] for _ in range(2)]

    assert answers == [Payment.objects.get().action_url] * 2


def test_the_order_offers_to_pay_until_it_is_paid(shopper: Client) -> None:
    check_out(shopper)
    order = Order.objects.get()
    url = order.get_absolute_url()
    assert "Pay now" in text_of(shopper.get(url))

    answer = press(shopper, url)

    assert (answer.status_code, answer["Location"]) == (303, order.payments.get().action_url)
    card.enter_card(answer["Location"])
    answer = press(shopper, url)  # from another tab
    assert (answer.status_code, answer["Location"]) == (303, url)
    assert "Pay now" not in text_of(shopper.get(url))
    assert press(shopper, url)["Location"] == url
    assert Payment.objects.get().state == State.CAPTURED


def test_one_button_pressed_twice_is_one_payment_and_a_duplicate(shopper: Client) -> None:
    """An order that was to be paid by bank: the first press opens its payment by card."""
    shopper.post(CHECKOUT, hidden(shopper.get(CHECKOUT)) | TYPED)
    order = Order.objects.get()
    url, key, outcomes = order.get_absolute_url(), str(uuid4()), Outcomes()

    answers = [press(shopper, url, key)["Location"] for _ in range(2)]

    assert answers == [order.payments.get(state=State.REQUIRES_ACTION).action_url] * 2
    assert outcomes.since() == {"done": 1, "replayed_by_redis": 1}
    press(shopper, url)  # the control: a button of its own is no duplicate, though it leads there
    assert outcomes.since() == {"done": 2, "replayed_by_redis": 1}
    assert [each.gateway for each in order.payments.all()] == ["stripe", "invoice"]


def test_a_second_press_begins_no_other_payment_than_the_first(shopper: Client) -> None:
    """The one that it began has ended since."""
    check_out(shopper)
    order = Order.objects.get()
    key = str(uuid4())
    press(shopper, order.get_absolute_url(), key)
    Payment.objects.update(state=State.FAILED, action_url="")

    again = press(shopper, order.get_absolute_url(), key)

    assert (again["Location"], Payment.objects.count()) == (order.get_absolute_url(), 1)
    press(shopper, order.get_absolute_url())  # the control
    assert Payment.objects.count() == 2


@pytest.mark.parametrize("key", ["x", "6ba7b810-9dad-11d1-80b4-00c04fd430c8"])
def test_a_button_without_its_key_begins_nothing(shopper: Client, key: str) -> None:
    shopper.post(CHECKOUT, hidden(shopper.get(CHECKOUT)) | TYPED)
    order = Order.objects.get()

    answer = press(shopper, order.get_absolute_url(), key)

    assert answer["Location"] == order.get_absolute_url()
    assert messages_of(answer) == ["Nothing has begun yet. Please press “Pay now” once more."]
    assert [each.gateway for each in order.payments.all()] == ["invoice"]


def test_the_orders_page_gives_each_button_a_key(shopper: Client) -> None:
    check_out(shopper)
    url = Order.objects.get().get_absolute_url()

    forms = [form for form in forms_of(text_of(shopper.get(url))) if form.action == f"{url}pay/"]

    assert UUID(forms[0].fields["key"]).version == 4


def test_coming_back_without_having_paid_pays_nothing(shopper: Client) -> None:
    check_out(shopper)
    order = Order.objects.get()

    answer = shopper.get(f"{order.get_absolute_url()}paid/")

    assert answer.status_code == 303
    assert messages_of(answer) == [
        "We are checking your payment. This page tells as soon as we know."
    ]
    order.refresh_from_db()
    assert order.status == Order.Status.PENDING


def test_whose_money_comes_by_hand_is_not_kept_waiting(variant: Variant) -> None:
    assert come_back(placed({variant: 1}, payment_method="invoice")) is None


def test_strangers_are_led_to_the_look_up_and_start_nothing(
    client: Client, variant: Variant
) -> None:
    order = placed({variant: 1}, payment_method="card")

    answers = [
        press(client, order.get_absolute_url()),
        client.get(f"{order.get_absolute_url()}paid/"),
    ]

    assert [answer["Location"] for answer in answers] == [order.get_absolute_url()] * 2
    assert order.payments.get().attempt == 0


def test_without_stripe_the_order_is_kept_and_may_be_paid_later(
    shopper: Client, line: Line, settings: Settings
) -> None:
    line.close()

    answer = check_out(shopper)

    order = Order.objects.get()
    assert (answer.status_code, answer["Location"]) == (303, order.get_absolute_url())
    assert messages_of(answer) == [
        "The payment page does not answer. Nothing was charged, and your order is kept."
    ]
    settings.STRIPE_API_BASE = live_settings.STRIPE_CHECKOUT_ORIGIN
    gateway.client.cache_clear()
    answer = press(shopper, order.get_absolute_url())
    assert answer["Location"].startswith(live_settings.STRIPE_CHECKOUT_ORIGIN)


def test_cards_are_offered_only_where_somebody_takes_them(
    shopper: Client, settings: Settings
) -> None:
    assert 'value="card"' in text_of(shopper.get(CHECKOUT))
    settings.PAYMENT_METHODS = {"invoice": "invoice"}

    page = shopper.get(CHECKOUT)

    assert 'value="card"' not in text_of(page)
    assert check_out(shopper).status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert not Order.objects.exists()


# --- Webhooks ------------------------------------------------------------------------------------


def event_of(account: Account, payment: Payment, kind: str) -> bytes:
    """As Stripe sends it."""
    for event in account.v1.events.list({"limit": 100, "type": kind}).data:
        body = event.to_dict()
        if body["data"]["object"]["metadata"].get("payment") == str(payment.pk):
            return json.dumps(body).encode()
    raise AssertionError(f"no {kind} of {payment.pk}")


def send(body: bytes, *, at: float | None = None, secret: str = "", header: str = "") -> Any:
    """A webhook from Stripe, unless something else is given."""
    signature = header or stripe.WebhookSignature.generate_signature_header(
        body.decode(), secret or live_settings.STRIPE_WEBHOOK_SECRET, int(at or time.time())
    )
    return Client(enforce_csrf_checks=True).post(
        WEBHOOK, body, "application/json", headers={"Stripe-Signature": signature}
    )


def calls() -> float:
    """Questions that the shop asked Stripe."""
    return sum(
        sample.value
        for metric in REGISTRY.collect()
        if metric.name == "orders_gateway_calls"
        for sample in metric.samples
        if sample.name.endswith("_total") and sample.labels["gateway"] == "stripe"
    )


def recorded() -> list[tuple[str, str]]:
    return list(GatewayEvent.objects.values_list("gateway", "kind"))


@pytest.fixture
def payment(variant: Variant) -> Payment:
    """The shopper has paid it, and closed the browser."""
    order = placed({variant: 1}, payment_method="card")
    payment = pay_by_card(order)
    card.enter_card(payment.action_url)
    return payment


def test_a_webhook_finishes_the_payment_once(account: Account, payment: Payment) -> None:
    body = event_of(account, payment, "checkout.session.completed")

    answer = send(body)

    assert (answer.status_code, answer.content, list(answer.cookies)) == (200, b"", [])
    payment.refresh_from_db()
    assert payment.state == State.CAPTURED
    assert steps(payment.order) == [("paid", "")]
    assert recorded() == [("stripe", "checkout.session.completed")]

    before = calls()
    assert send(body).status_code == HTTPStatus.OK  # a copy
    assert (calls(), recorded()) == (before, [("stripe", "checkout.session.completed")])
    assert [ended for ended, _, _ in account.charges(payment.pk)] == ["captured"]


def test_a_forged_or_old_webhook_is_refused_unread(account: Account, payment: Payment) -> None:
    body = event_of(account, payment, "checkout.session.completed")
    other = body.replace(b"evt_", b"evt_0")
    signed = stripe.WebhookSignature.generate_signature_header(
        body.decode(), live_settings.STRIPE_WEBHOOK_SECRET
    )

    answers = [
        send(body, secret="whsec_of-somebody-else"),
        send(body, at=time.time() - gateway.TOLERANCE - 10),
        send(other, header=signed),
        send(body, header="t=1,v1="),
        send(body, header="nonsense"),
        send(b"\xff\xfe", header="t=1,v1=00"),
        Client().post(WEBHOOK, body, "application/json"),
    ]

    assert [answer.status_code for answer in answers] == [HTTPStatus.BAD_REQUEST] * 7
    assert send(b"x" * (300 << 10)).status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    assert Client().get(WEBHOOK).status_code == HTTPStatus.METHOD_NOT_ALLOWED
    payment.refresh_from_db()
    assert (payment.state, recorded()) == (State.REQUIRES_ACTION, [])
    assert send(body).status_code == HTTPStatus.OK  # the control: it was good but for that


def test_a_true_webhook_that_lies_changes_nothing(account: Account, variant: Variant) -> None:
    payment = pay_by_card(placed({variant: 1}, payment_method="card"))
    body = json.dumps(
        {
            "id": "evt_1",
            "object": "event",
            "type": "payment_intent.succeeded",
            "data": {
                "object": {
                    "object": "payment_intent",
                    "status": "succeeded",
                    "metadata": {"payment": str(payment.pk)},
                }
            },
        }
    )

    assert send(body.encode()).status_code == HTTPStatus.OK

    payment.refresh_from_db()
    assert payment.state == State.REQUIRES_ACTION


@pytest.mark.parametrize("about", [{}, {"payment": str(uuid4())}, {"payment": "AP-1"}])
def test_a_webhook_about_nothing_of_ours_is_taken_in(about: dict[str, str]) -> None:
    thing = {"object": "payment_intent", "metadata": about}
    event = {"id": "evt_2", "object": "event", "type": "payment_intent.canceled"}

    answer = send(json.dumps(event | {"data": {"object": thing}}).encode())

    assert (answer.status_code, recorded()) == (200, [("stripe", "payment_intent.canceled")])


def test_a_webhook_that_cannot_be_acted_upon_is_asked_for_again(
    account: Account, payment: Payment, line: Line
) -> None:
    body = event_of(account, payment, "checkout.session.completed")
    line.losing = 1 + gateway.RETRIES

    answer = send(body)

    assert (answer.status_code, answer["Retry-After"]) == (503, "10")
    assert recorded() == []

    assert send(body).status_code == HTTPStatus.OK
    payment.refresh_from_db()
    assert payment.state == State.CAPTURED


def test_news_is_not_lost_to_one_who_asked_before_it(account: Account, payment: Payment) -> None:
    """Another caller asked before the shopper paid, and is slow to write down "not yet"."""
    body = event_of(account, payment, "checkout.session.completed")
    mine = Payment.objects.filter(pk=payment.pk)
    mine.update(attempt=payment.attempt + 1, claimed_until="2100-01-01T00:00:00Z")

    answer = send(body)

    assert answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert recorded() == []
    # The control: who only lets it be known that there is news, and does not wait, loses it.
    assert advance(payment.pk).state == State.REQUIRES_ACTION
    mine.update(claimed_until=None)
    assert send(body).status_code == HTTPStatus.OK
    payment.refresh_from_db()
    assert payment.state == State.CAPTURED
