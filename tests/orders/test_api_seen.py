"""Orders by the API without totals: what the session was told last is what the shopper has seen."""

from http import HTTPStatus
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from orders import api
from orders.models import Order
from shop.models import Price, Variant
from shop.money import Money
from shop.services.cart import SESSION_SEEN
from tests.factories import make_product
from tests.orders.pages import add
from tests.orders.test_api import WANTED
from tests.shop.test_api import assert_problem, send

pytestmark = pytest.mark.django_db(databases=["default", "replica"])


@pytest.fixture
def variant() -> Variant:
    return make_product(amount=1290, stock=10).variants.get()


@pytest.fixture
def client(variant: Variant) -> Client:
    """Two bags of 1,290 in the cart, as the API said when they were put there."""
    client = Client()
    send(client, "POST", "/api/cart/items", {"sku": variant.sku, "quantity": 2})
    return client


def place(client: Client, key: str = "", **changes: Any) -> Any:
    headers = {"Idempotency-Key": key or str(uuid4())}
    return send(client, "POST", "/api/orders", WANTED | changes, **headers)


def set_price(amount: int) -> None:
    Price.objects.update(amount=amount)


def total(amount: int, currency: str = "TWD") -> dict[str, Any]:
    return {"amount": amount, "currency": currency}


def test_another_price_is_told_before_it_is_charged(client: Client) -> None:
    set_price(1400)
    key = str(uuid4())

    refused, again = place(client, key), place(client, key)
    before = Order.objects.count()
    confirmed = place(client)

    problem = assert_problem(refused, HTTPStatus.CONFLICT, "total-changed")
    assert (problem["cart_total"], problem["total"]) == (total(2800), total(2880))
    assert (again.content, before) == (refused.content, 0)
    assert confirmed.json()["total"] == total(2880)


def test_whose_session_forgets_is_charged_another_price(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control."""
    monkeypatch.setattr(api, "total_seen", lambda request: Money(2800, "TWD"))
    set_price(1400)

    assert place(client).json()["total"] == total(2880)


def test_a_price_that_changed_once_more_is_told_once_more(client: Client) -> None:
    answers = []
    for amount in (1400, 1450):
        set_price(amount)
        answers.append(place(client))

    told = [assert_problem(each, HTTPStatus.CONFLICT, "total-changed") for each in answers]
    assert [each["cart_total"] for each in told] == [total(2800), total(2900)]
    assert place(client).json()["total"] == total(2980)


def test_whoever_looks_at_the_cart_has_seen_it(client: Client) -> None:
    set_price(1400)
    client.get("/api/cart")

    assert place(client).json()["total"] == total(2880)


def test_another_currency_is_told_before_it_is_charged(client: Client) -> None:
    send(client, "PATCH", "/api/session", {"currency": "USD"})

    problem = assert_problem(place(client), HTTPStatus.CONFLICT, "total-changed")

    assert problem["cart_total"]["currency"] == "USD"
    assert place(client).json()["total"]["currency"] == "USD"


def test_who_never_asked_the_api_is_told_before_they_are_charged(variant: Variant) -> None:
    """And what an order was told ends with it."""
    client = Client()
    for amount in (1290, 1400):
        add(client, variant, 2)
        set_price(amount)
        refused = assert_problem(place(client), HTTPStatus.CONFLICT, "total-changed")

        assert refused["cart_total"] == total(2 * amount)
        assert place(client).json()["total"] == total(2 * amount + 80)


def test_who_sends_a_total_is_asked_about_no_other(client: Client) -> None:
    set_price(1400)

    assert place(client, cart_total=total(2800)).status_code == HTTPStatus.CREATED


def test_the_session_is_written_only_when_the_total_changed(client: Client) -> None:
    first = client.get("/api/session").json()["version"]
    client.get("/api/cart")
    same = client.get("/api/session").json()["version"]
    set_price(1400)
    client.get("/api/cart")

    assert same == first
    assert client.get("/api/session").json()["version"] > first
    assert client.session[SESSION_SEEN] == [2800, "TWD"]


def test_a_newcomer_who_looks_at_their_cart_is_given_no_session() -> None:
    newcomer = Client()

    newcomer.get("/api/cart")

    assert dict(newcomer.cookies) == {}
