"""The shopper's browser and Stripe's webhook come back at the same moment: one charge, one step."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http import HTTPStatus
from threading import Barrier, BrokenBarrierError
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest
from django.test import Client

from orders.gateways.base import PaymentAnswer
from orders.gateways.stripe import StripeGateway
from orders.models import Order, Payment
from orders.services import cards, payments
from shop.models import Variant
from tests import card
from tests.card import Account
from tests.factories import make_product
from tests.orders.life import at_once, steps
from tests.orders.pages import CHECKOUT, TYPED, add, hidden
from tests.orders.test_card_pages import event_of, send
from tests.shopper import Shopper, new_email
from tests.stack import Stack, wait_until

EVENT = "checkout.session.completed"


@pytest.fixture
def account(stack: Stack) -> Account:
    return Account(stack.plan.stripe, stack.plan.secrets.stripe_key)


@pytest.fixture
def variant() -> Variant:
    return make_product(stock=10).variants.get()


# --- In one process, with its control ------------------------------------------------------------


@pytest.fixture
def asked(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Counts what Stripe is asked. Who looks up waits until another one does too, if one can."""
    counts: Counter[str] = Counter()
    guarded = request.node.callspec.params["guarded"]
    both = Barrier(2, timeout=1 if guarded else 30)  # guarded, the second one never comes
    captures = Barrier(2, timeout=30)
    look_up, capture = StripeGateway.look_up, StripeGateway.capture

    def wait_and_look_up(gateway: StripeGateway, payment: Payment) -> PaymentAnswer:
        counts["look_up"] += 1
        if counts["look_up"] <= 2:
            with suppress(BrokenBarrierError):
                both.wait()
        return look_up(gateway, payment)

    def count_and_capture(gateway: StripeGateway, payment: Payment) -> PaymentAnswer:
        counts["capture"] += 1
        if not guarded:
            captures.wait()  # or the second one could find it captured
        return capture(gateway, payment)

    monkeypatch.setattr(cards, "PATIENCE", 60.0)
    monkeypatch.setattr(StripeGateway, "look_up", wait_and_look_up)
    monkeypatch.setattr(StripeGateway, "capture", count_and_capture)
    return counts


@pytest.mark.parametrize("guarded", [True, False], ids=["guarded", "control"])
@pytest.mark.django_db(transaction=True)
def test_webhook_and_browser_at_once_capture_once(
    client: Client,
    variant: Variant,
    account: Account,
    asked: Counter[str],
    monkeypatch: pytest.MonkeyPatch,
    *,
    guarded: bool,
) -> None:
    if not guarded:
        monkeypatch.setattr(payments, "take", lambda _row: True)
    add(client, variant)
    fields = hidden(client.get(CHECKOUT)) | TYPED | {"payment_method": "card"}
    card.enter_card(client.post(CHECKOUT, fields)["Location"])
    order = Order.objects.get()
    payment = order.payments.get()
    body = event_of(account, payment, EVENT)

    answers = at_once(
        lambda: send(body).status_code,
        lambda: client.get(f"{order.get_absolute_url()}paid/").status_code,
    )

    assert asked["capture"] == (1 if guarded else 2)
    payment.refresh_from_db()
    assert payment.state == Payment.State.CAPTURED
    assert steps(order) == [("paid", "")]
    assert [ended for ended, _, _ in account.charges(payment.pk)] == ["captured"]
    if guarded:
        assert answers == [HTTPStatus.OK, HTTPStatus.SEE_OTHER]


# --- In the live shop ----------------------------------------------------------------------------


def test_webhook_and_browsers_in_every_region_make_one_charge(
    stack: Stack,
    live: psycopg.Connection,
    account: Account,
    sku_with_stock: Callable[[int], tuple[str, str]],
) -> None:
    """The webhook is Stripe's own: it leaves when the card is accepted."""
    slug, sku = sku_with_stock(1)
    email = new_email()
    with Shopper(stack.front) as shopper:
        shopper.add(slug, sku)
        page = shopper.check_out(email=email, payment_method="card").headers["Location"]
        path = urlsplit(card.enter_card(page).headers["Location"]).path
        cookies = dict(shopper.client.cookies)

        def come_back(region: str) -> int:
            base = stack.regions[region]["web"]
            return httpx.get(f"{base}{path}", cookies=cookies, timeout=30).status_code

        with ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(come_back, [*stack.regions] * 2))

    assert set(answers) == {HTTPStatus.SEE_OTHER}
    wait_until(
        lambda: (
            live.execute("SELECT status FROM orders_order WHERE email = %s", [email]).fetchone()
            == ("paid",)
        ),
        60,
        "whoever had the claim has ended",
    )
    (number, status) = live.execute(
        "SELECT number, status FROM orders_order WHERE email = %s", [email]
    ).fetchone() or ("", "")
    assert (status, path) == ("paid", f"/orders/{number}/paid/")
    history = live.execute(
        "SELECT to_status FROM orders_orderstatuschange change"
        " JOIN orders_order o ON o.id = change.order_id WHERE number = %s ORDER BY change.id",
        [number],
    ).fetchall()
    assert history == [("pending",), ("paid",)]
    rows = live.execute(
        "SELECT payment.id, state FROM orders_payment payment"
        " JOIN orders_order o ON o.id = payment.order_id WHERE number = %s",
        [number],
    ).fetchall()
    ((payment, state),) = rows
    assert state == "captured"
    assert [ended for ended, _, _ in account.charges(payment)] == ["captured"]
