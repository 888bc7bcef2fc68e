"""Orders over JSON: placed once, read by whoever placed them."""

import hashlib
from http import HTTPStatus
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client

from orders.models import Order
from orders.services.status import change_status
from shop.models import Variant
from tests.factories import make_customer, make_product
from tests.shop.test_api import assert_problem, send

pytestmark = pytest.mark.django_db

UUID_1 = "2fde96e0-e6f5-11f1-8ece-02fc00000001"

WANTED = {
    "email": "mei@example.com",
    "name": "Lin Mei",
    "address": {
        "line1": "12 Harbour Road",
        "city": "Keelung",
        "postcode": "202",
        "country": "TW",
    },
    "payment_method": "invoice",
}


@pytest.fixture
def guest() -> Client:
    """An API client that is no browser."""
    return Client(enforce_csrf_checks=True)


@pytest.fixture
def variant() -> Variant:
    return make_product(name="Rope Bag", stock=5, amount=1290).variants.get()


def fill_cart(client: Client, variant: Variant, quantity: int) -> None:
    response = send(client, "POST", "/api/cart/items", {"sku": variant.sku, "quantity": quantity})
    assert response.status_code == HTTPStatus.OK


def place(client: Client, key: str = "", **changes: Any) -> Any:
    return send(
        client, "POST", "/api/orders", WANTED | changes, **{"Idempotency-Key": key or str(uuid4())}
    )


def money(amount: int) -> dict[str, Any]:
    return {"amount": amount, "currency": "TWD"}


def test_order_takes_stock_and_empties_the_cart(guest: Client, variant: Variant) -> None:
    fill_cart(guest, variant, 2)

    response = place(guest)

    order = Order.objects.get()
    body = response.json()
    assert response.status_code == HTTPStatus.CREATED
    assert response.headers["Location"] == f"/api/orders/{order.number}"
    assert body == {
        "number": order.number,
        "status": "pending",
        "total": money(2660),
        "delivery": money(80),
        "lines": [
            {
                "sku": variant.sku,
                "name": "Rope Bag",
                "options": {"Colour": "Sand"},
                "quantity": 2,
                "price": money(1290),
                "total": money(2580),
            }
        ],
        "placed_at": body["placed_at"],
    }
    variant.stock.refresh_from_db()
    assert variant.stock.available == 3
    assert guest.get("/api/cart").json()["lines"] == []
    assert guest.get("/api/session").json()["cart_units"] == 0


def test_order_is_in_the_currency_and_delivery_asked_for(guest: Client, variant: Variant) -> None:
    fill_cart(guest, variant, 1)
    send(guest, "PATCH", "/api/session", {"currency": "USD"})

    body = place(guest, delivery_method="express", payment_method="cash_on_delivery").json()

    assert body["total"] == {"amount": 1290 + 1100, "currency": "USD"}


def test_order_sent_again_is_answered_byte_for_byte(guest: Client, variant: Variant) -> None:
    fill_cart(guest, variant, 2)
    key = str(uuid4())

    first = place(guest, key)
    change_status(order=Order.objects.get(), to=Order.Status.PAID)
    again = place(guest, key)

    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["Location"] == first.headers["Location"]
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert Order.objects.count() == 1


def test_key_of_another_body_is_refused(guest: Client, variant: Variant) -> None:
    fill_cart(guest, variant, 1)
    key = str(uuid4())
    place(guest, key)

    response = place(guest, key, name="Somebody Else")

    assert_problem(response, HTTPStatus.UNPROCESSABLE_CONTENT, "idempotency-key-reused")
    assert Order.objects.count() == 1


def test_key_of_another_shopper_is_another_key(variant: Variant) -> None:
    key = str(uuid4())
    shoppers = [Client(), Client()]
    for shopper in shoppers:
        fill_cart(shopper, variant, 1)

    numbers = {place(shopper, key).json()["number"] for shopper in shoppers}

    assert len(numbers) == 2


@pytest.mark.parametrize(
    "key", [None, "", "7", "not-a-uuid", UUID_1, "{93c3a413-1ed9-47f3-ae58-7b437c896d5c}"]
)
def test_order_without_a_uuid4_key_is_refused(
    guest: Client, variant: Variant, key: str | None
) -> None:
    fill_cart(guest, variant, 1)
    headers = {} if key is None else {"Idempotency-Key": key}

    response = send(guest, "POST", "/api/orders", WANTED, **headers)

    assert_problem(response, HTTPStatus.BAD_REQUEST, "idempotency-key-required")
    assert Order.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_order_still_running_is_to_be_asked_again(guest: Client, variant: Variant) -> None:
    """The first request's transaction is held open on a connection of its own."""
    fill_cart(guest, variant, 1)
    key = str(uuid4())
    owner = idempotency_owner_of(guest)
    first = connection.copy()
    first.set_autocommit(False)
    with first.cursor() as cursor:
        cursor.execute(
            "INSERT INTO orders_idempotencyrecord (owner, key, fingerprint, created_at, expires_at)"
            " VALUES (%s, %s, '', now(), now())",
            [owner, key],
        )

    running = place(guest, key)
    first.rollback()
    first.close()
    after = place(guest, key)

    assert_problem(running, HTTPStatus.CONFLICT, "still-running")
    assert running.headers["Retry-After"] == "1"
    assert after.status_code == HTTPStatus.CREATED


def idempotency_owner_of(guest: Client) -> str:
    key = guest.cookies["SESSION"].value
    return f"session:{hashlib.sha256(key.encode()).hexdigest()}"


def test_order_of_an_empty_cart_is_refused(guest: Client, variant: Variant) -> None:
    newcomer = place(guest)
    fill_cart(guest, variant, 1)
    place(guest)
    second = place(guest)

    assert_problem(newcomer, HTTPStatus.CONFLICT, "empty-cart")
    assert_problem(second, HTTPStatus.CONFLICT, "empty-cart")


def test_order_of_more_than_there_is_names_what_is_left(guest: Client, variant: Variant) -> None:
    fill_cart(guest, variant, 6)

    refused = place(guest)
    send(guest, "PATCH", f"/api/cart/items/{variant.sku}", {"quantity": 5})
    accepted = place(guest)

    problem = assert_problem(refused, HTTPStatus.CONFLICT, "out-of-stock")
    assert (problem["sku"], problem["available"]) == (variant.sku, 5)
    assert accepted.status_code == HTTPStatus.CREATED


def test_order_of_what_is_not_on_sale_any_more_is_refused(guest: Client, variant: Variant) -> None:
    fill_cart(guest, variant, 1)
    variant.is_active = False
    variant.save()

    problem = assert_problem(place(guest), HTTPStatus.CONFLICT, "not-for-sale")

    assert problem["sku"] == variant.sku


def test_order_validation_points_into_the_address(guest: Client, variant: Variant) -> None:
    fill_cart(guest, variant, 1)
    address = WANTED["address"] | {"country": "XX", "city": "\u0000"}  # type: ignore[operator]  # a dict

    response = place(guest, address=address, email="mei", payment_method="gold")

    problem = assert_problem(response, HTTPStatus.UNPROCESSABLE_CONTENT, "invalid-request")
    assert [error["pointer"] for error in problem["errors"]] == [
        "#/email",
        "#/address/city",
        "#/address/country",
        "#/payment_method",
    ]
    assert problem["errors"][3]["detail"] == "Send one of 'invoice', 'cash_on_delivery' or 'card'."


def test_order_is_read_by_its_session_and_its_customer(variant: Variant) -> None:
    customer = make_customer()
    here, elsewhere, stranger = Client(), Client(), Client()
    here.force_login(customer)
    elsewhere.force_login(customer)
    fill_cart(here, variant, 1)
    placed = place(here).json()
    path = f"/api/orders/{placed['number']}"

    assert here.get(path).json() == placed
    assert elsewhere.get(path).json() == placed
    assert_problem(stranger.get(path), HTTPStatus.NOT_FOUND)
    assert Order.objects.get().customer == customer


def test_order_of_a_guest_is_read_by_others_with_the_email(variant: Variant) -> None:
    guest, stranger = Client(), Client()
    fill_cart(guest, variant, 1)
    placed = place(guest).json()
    path = f"/api/orders/{placed['number']}"

    assert guest.get(path).json() == placed
    assert stranger.get(f"{path}?email=MEI@example.com").json() == placed
    assert_problem(stranger.get(path), HTTPStatus.NOT_FOUND)
    assert_problem(stranger.get(f"{path}?email=eve@example.com"), HTTPStatus.NOT_FOUND)
    assert_problem(stranger.get("/api/orders/AP-0000-0000-0000"), HTTPStatus.NOT_FOUND)


def test_order_email_cannot_be_guessed_by_asking_often(variant: Variant) -> None:
    guest, stranger = Client(), Client()
    fill_cart(guest, variant, 1)
    path = f"/api/orders/{place(guest).json()['number']}"

    for _ in range(10):
        assert_problem(stranger.get(f"{path}?email=a@b.example"), HTTPStatus.NOT_FOUND)
    throttled = stranger.get(f"{path}?email=mei@example.com")

    assert_problem(throttled, HTTPStatus.TOO_MANY_REQUESTS)
    assert throttled.headers["Retry-After"] == "600"
    assert guest.get(f"{path}?email=mei@example.com").status_code == HTTPStatus.OK


def test_browser_of_another_site_cannot_order(guest: Client, variant: Variant) -> None:
    fill_cart(guest, variant, 1)

    response = send(
        guest,
        "POST",
        "/api/orders",
        WANTED,
        **{"Idempotency-Key": str(uuid4()), "Origin": "https://evil.example"},
    )

    assert_problem(response, HTTPStatus.FORBIDDEN, "csrf-failed")
    assert Order.objects.count() == 0


@pytest.mark.parametrize("lines", [1, 3])
def test_order_takes_constant_queries_to_read(
    guest: Client, lines: int, django_assert_num_queries: Any
) -> None:
    for _ in range(lines):
        fill_cart(guest, make_product().variants.get(), 1)
    number = place(guest).json()["number"]

    with django_assert_num_queries(2):
        guest.get(f"/api/orders/{number}")
