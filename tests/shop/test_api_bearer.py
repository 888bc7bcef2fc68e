"""Using the API by a token."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

import httpx
import pytest
from django.test import Client
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from orders.models import Order
from shop.models import Cart
from storage.clients import dynamodb
from tests.asked import watched
from tests.factories import make_customer, make_product
from tests.sessions_ext.outage import dynamodb_gone, forget_clients
from tests.shop.test_api import BROWSER, assert_problem, send
from tests.shop.test_api_auth import PATH, assert_refused, log_in, no_redis
from tests.stack import Stack
from tests.tokens import FORGERIES, bearer, token_for

pytestmark = pytest.mark.django_db(databases=["default", "replica"])


@pytest.fixture
def guest() -> Client:
    """An API client that is no browser."""
    return Client(enforce_csrf_checks=True)


@contextmanager
def no_store() -> Iterator[None]:
    with dynamodb_gone(), no_redis():
        yield
    forget_clients()


# --- Using one -----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/api/session", "/api/cart"])
def test_token_asks_no_store_and_the_cookie_does(guest: Client, path: str) -> None:
    customer = make_customer()
    token = log_in(guest, customer.email).json()["token"]
    Client().get(path, headers=bearer(token))  # whatever is loaded once is loaded

    with watched() as by_token:
        response = Client().get(path, headers=bearer(token))
    with watched() as by_cookie:
        guest.get(path)
    with watched() as control:
        dynamodb().list_tables()

    assert response.status_code == HTTPStatus.OK
    assert by_token.nothing, by_token
    assert by_cookie.redis
    assert control.dynamodb == ["ListTables"]


def test_token_is_enough_while_neither_store_can_be_asked(guest: Client) -> None:
    customer = make_customer()
    token = log_in(guest, customer.email).json()["token"]
    sku = make_product().variants.get().sku
    alone = Client(raise_request_exception=False)
    guest.raise_request_exception = False

    with no_store():
        seen = alone.get("/api/session", headers=bearer(token))
        added = send(alone, "POST", "/api/cart/items", {"sku": sku, "quantity": 1}, **bearer(token))
        by_cookie = guest.get("/api/session")

    assert seen.json()["email"] == customer.email
    assert [line["sku"] for line in added.json()["lines"]] == [sku]
    assert by_cookie.status_code == HTTPStatus.SERVICE_UNAVAILABLE


def test_token_fills_the_cart_of_its_customer_without_a_session() -> None:
    customer, client = make_customer(), Client()
    sku = make_product().variants.get().sku
    headers = bearer(token_for(customer).text)

    with watched() as asked:
        response = send(client, "POST", "/api/cart/items", {"sku": sku, "quantity": 2}, **headers)

    assert response.json()["lines"][0]["quantity"] == 2
    assert Cart.objects.get().customer == customer
    assert "SESSION" not in response.cookies
    assert asked.nothing, asked


def test_token_reads_the_customers_row_only_where_it_matters(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    headers = bearer(token_for(make_customer()).text)

    with django_assert_num_queries(0):
        assert Client().get("/api/openapi.json", headers=headers).status_code == HTTPStatus.OK
    with django_assert_num_queries(2):  # the customer and their cart
        assert Client().get("/api/session", headers=headers).status_code == HTTPStatus.OK


def test_token_needs_no_csrf_and_the_cookie_of_a_browser_does(guest: Client) -> None:
    token = log_in(guest, make_customer().email).json()["token"]
    wish = {"language": "ja"}

    by_cookie = send(guest, "PATCH", "/api/session", wish, **BROWSER)
    by_token = send(guest, "PATCH", "/api/session", wish, **BROWSER, **bearer(token))

    assert_problem(by_cookie, HTTPStatus.FORBIDDEN, "csrf-failed")
    assert by_token.json()["language"] == "ja"


def test_token_wins_over_the_cookie_of_another(guest: Client) -> None:
    one, another = make_customer(), make_customer()
    log_in(guest, another.email)
    before = dict(guest.session.items())
    sku = make_product().variants.get().sku
    headers = bearer(token_for(one).text)

    with watched() as asked:
        added = send(guest, "POST", "/api/cart/items", {"sku": sku, "quantity": 1}, **headers)
        seen = guest.get("/api/session", headers=headers)

    assert seen.json()["email"] == one.email
    assert Cart.objects.get().customer == one
    assert "SESSION" not in added.cookies
    assert "SESSION" not in seen.cookies
    assert asked.nothing, asked
    assert dict(guest.session.items()) == before


def test_broken_token_is_not_made_good_by_the_cookie(guest: Client) -> None:
    log_in(guest, make_customer().email)

    assert_refused(guest.get("/api/session", headers=bearer("garbage")), "token-invalid")


def test_token_beside_its_own_cookie_knows_the_preferences(guest: Client) -> None:
    token = log_in(guest, make_customer().email).json()["token"]
    send(guest, "PATCH", "/api/session", {"currency": "JPY"}, **bearer(token))

    beside = guest.get("/api/session", headers=bearer(token)).json()
    alone = Client().get("/api/session", headers=bearer(token)).json()

    assert (beside["currency"], alone["currency"]) == ("JPY", "TWD")


def test_token_alone_can_keep_no_currency() -> None:
    headers = bearer(token_for(make_customer()).text)

    response = send(Client(), "PATCH", "/api/session", {"currency": "JPY"}, **headers)

    assert_problem(response, HTTPStatus.CONFLICT, "no-session")


def test_order_by_token_is_the_customers() -> None:
    customer, client = make_customer(), Client()
    headers = bearer(token_for(customer).text)
    sku = make_product().variants.get().sku
    send(client, "POST", "/api/cart/items", {"sku": sku, "quantity": 1}, **headers)
    content = {
        "email": "mei@example.com",
        "name": "Lin Mei",
        "address": {"line1": "1 Pier", "city": "Keelung", "postcode": "202", "country": "TW"},
        "payment_method": "invoice",
    }
    key = {"Idempotency-Key": "6f1c1a52-8f1e-4d52-9b0e-3a1d1c0f7a11"}

    unseen = {"Idempotency-Key": "0d6e2a4c-3f1b-4c58-8a77-51c2b9f0e9d4"}
    refused = send(client, "POST", "/api/orders", content, **headers, **unseen)
    told = assert_problem(refused, HTTPStatus.CONFLICT, "total-changed")
    content |= {"expected_total": told["total"]}  # nowhere else would it be remembered
    placed = send(client, "POST", "/api/orders", content, **headers, **key)
    again = send(client, "POST", "/api/orders", content, **headers, **key)

    number = placed.json()["number"]
    assert (placed.status_code, again.json()["number"]) == (HTTPStatus.CREATED, number)
    assert Order.objects.get().customer == customer
    assert client.get(f"/api/orders/{number}", headers=headers).json()["number"] == number
    assert_problem(Client().get(f"/api/orders/{number}"), HTTPStatus.NOT_FOUND)


def test_credentials_of_another_scheme_are_none_of_ours(guest: Client) -> None:
    response = guest.get("/api/session", headers={"Authorization": "Basic YTpi"})

    assert response.json()["authenticated"] is False


# --- Refused -------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
@pytest.mark.parametrize("name", FORGERIES)
def test_forged_token_is_refused(guest: Client, name: str) -> None:
    for path in ("/api/session", "/api/products", "/api/orders/AP-0000-0000-0000"):
        response = guest.get(path, headers=bearer(FORGERIES[name]()))
        assert_refused(response, "token-invalid")


def test_token_that_ended_says_so(guest: Client) -> None:
    token = token_for(make_customer(), ago=301).text

    assert_refused(guest.get("/api/cart", headers=bearer(token)), "token-ended")


@examples(deadline=None)
@given(st.text(st.characters(exclude_characters="\r\n"), max_size=200))
def test_garbage_is_401_and_never_an_error(text: str) -> None:
    response = Client().get("/api/cart", headers=bearer(text))

    assert_refused(response, "token-invalid")


def test_openapi_says_which_endpoints_take_a_token(guest: Client) -> None:
    schema = guest.get("/api/openapi.json").json()

    schemes = schema["components"]["securitySchemes"]
    assert schemes == {
        "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
        "session": {"type": "apiKey", "in": "cookie", "name": "SESSION"},
    }
    takes = {
        path
        for path, methods in schema["paths"].items()
        for operation in methods.values()
        if {"bearer": []} in operation["security"] and "401" in operation["responses"]
    }
    assert takes == schema["paths"].keys() - {PATH}
    assert json.dumps(schema).count("writeOnly") == 1  # the password


# --- Every region --------------------------------------------------------------------------------


def test_token_of_one_region_is_good_in_each(stack: Stack) -> None:
    """Against the running shop: each region's own processes, and no cookie."""
    regions = stack.regions
    credentials = {name: stack.admin[name] for name in ("email", "password")}
    webs = {name: addresses["web"] for name, addresses in regions.items()}

    for minted_in in webs.values():
        token = httpx.post(f"{minted_in}{PATH}", json=credentials, timeout=20).json()["token"]
        for region, web in webs.items():
            answer = httpx.get(f"{web}/api/session", headers=bearer(token), timeout=20)
            assert answer.json()["email"] == stack.admin["email"]
            assert answer.headers["Anyport-Region"] == region
