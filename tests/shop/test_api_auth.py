"""Getting a token, and using the API with it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

import httpx
import jwt
import pytest
from django.test import Client
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from orders.models import Order
from sessions_ext.conf import AUTH_TOKEN
from sessions_ext.tokens import mint
from shop.models import Cart, Customer
from storage.clients import dynamodb
from tests.asked import watched
from tests.factories import make_customer, make_product
from tests.sessions_ext.outage import dynamodb_gone, forget_clients, redis_gone
from tests.sessions_ext.test_tokens import FORGERIES, clock_behind
from tests.shop.test_api import BROWSER, assert_problem, send
from tests.stack import Stack

pytestmark = pytest.mark.django_db(databases=["default", "replica"])
PATH = "/api/auth/token"
PASSWORD = "harbour-light"
UNKNOWN = "nobody@example.com"


@pytest.fixture
def guest() -> Client:
    """An API client that is no browser."""
    return Client(enforce_csrf_checks=True)


def log_in(client: Client, email: str, password: str = PASSWORD) -> Any:
    return send(client, "POST", PATH, {"email": email, "password": password})


def token_of(client: Client) -> Any:
    """What the session of the client gets for its cookie."""
    return client.generic("POST", PATH)


def bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


def bare_token(customer: Customer, *, ago: float = 0) -> str:
    """A token of a session that no store knows."""
    with clock_behind(ago):
        return mint(
            user_id=str(customer.pk),
            session_id="s" * 32,
            password_hash=customer.get_session_auth_hash(),
        ).text


@contextmanager
def no_redis() -> Iterator[None]:
    with redis_gone():
        forget_clients()
        yield
    forget_clients()


@contextmanager
def no_store() -> Iterator[None]:
    with dynamodb_gone(), no_redis():
        yield
    forget_clients()


def assert_refused(response: Any, kind: str) -> None:
    problem = assert_problem(response, HTTPStatus.UNAUTHORIZED, kind)
    challenge = response.headers["WWW-Authenticate"]
    assert challenge.startswith('Bearer error="invalid_token", error_description="')
    assert problem["detail"].startswith(challenge.split('"')[3])


# --- Getting one ---------------------------------------------------------------------------------


def test_log_in_gives_a_token_and_signs_the_session_in(guest: Client) -> None:
    customer = make_customer()

    response = log_in(guest, customer.email)

    body = response.json()
    assert body == {"token": body["token"], "token_type": "Bearer", "expires_in": 299}
    assert "no-store" in response.headers["Cache-Control"]
    assert response.cookies["SESSION"]["httponly"] is True
    assert guest.session[AUTH_TOKEN] == body["token"]
    assert guest.get("/api/session").json()["email"] == customer.email
    mobile = Client().get("/api/session", headers=bearer(body["token"]))
    assert mobile.json()["email"] == customer.email


def test_log_in_keeps_the_guests_cart(guest: Client) -> None:
    customer = make_customer()
    sku = make_product().variants.get().sku
    send(guest, "POST", "/api/cart/items", {"sku": sku, "quantity": 2})

    token = log_in(guest, customer.email).json()["token"]

    cart = Client().get("/api/cart", headers=bearer(token)).json()
    assert [line["quantity"] for line in cart["lines"]] == [2]


def test_log_in_over_another_customers_session_gives_a_token_of_the_new_session(
    guest: Client,
) -> None:
    first, second = make_customer(), make_customer()
    log_in(guest, first.email)

    token = log_in(guest, second.email).json()["token"]

    assert Client().get("/api/session", headers=bearer(token)).json()["email"] == second.email
    assert guest.session[AUTH_TOKEN] == token == token_of(guest).json()["token"]


def test_unknown_email_and_wrong_password_look_alike(guest: Client) -> None:
    customer = make_customer()

    wrong = log_in(guest, customer.email, "harbour-dark")
    unknown = log_in(guest, UNKNOWN, "harbour-dark")

    for response in (wrong, unknown):
        assert_problem(response, HTTPStatus.UNAUTHORIZED, "wrong-credentials")
        assert response.headers["WWW-Authenticate"] == "Bearer"
        assert "SESSION" not in response.cookies
    assert wrong.content == unknown.content
    assert wrong.headers == unknown.headers


def test_account_that_is_switched_off_gets_no_token(guest: Client) -> None:
    customer = make_customer(is_active=False)

    assert_problem(log_in(guest, customer.email), HTTPStatus.FORBIDDEN, "account-inactive")
    wrong = log_in(guest, customer.email, "harbour-dark")
    assert_problem(wrong, HTTPStatus.UNAUTHORIZED, "wrong-credentials")
    assert_problem(token_of(guest), HTTPStatus.UNAUTHORIZED)


def test_guessing_passwords_is_limited_for_known_and_unknown_alike(guest: Client) -> None:
    customer = make_customer()

    for address, email in (("192.0.2.1", customer.email), ("192.0.2.2", UNKNOWN)):
        guest.defaults["HTTP_X_FORWARDED_FOR"] = address  # each has ten tries of its own
        codes = [log_in(guest, email, f"guess-{number}").status_code for number in range(5)]
        assert codes == [401] * 5
        limited = log_in(guest, email)
        assert_problem(limited, HTTPStatus.TOO_MANY_REQUESTS)
        assert limited.headers["Retry-After"] == "300"


@pytest.mark.parametrize(
    ("content", "pointer"),
    [
        ({}, "#/email"),
        ({"email": "a@example.com"}, "#/password"),
        ({"email": "a\x00@example.com", "password": "x"}, "#/email"),
        ({"email": "a@example.com", "password": ""}, "#/password"),
        ({"email": "a@example.com", "password": 7}, "#/password"),
        ({"email": "a@example.com", "password": "x" * 4097}, "#/password"),
        ([], "#/email"),
        ("text", "#/email"),
        (7, "#/email"),
    ],
)
def test_body_that_is_no_log_in_is_explained(guest: Client, content: Any, pointer: str) -> None:
    response = send(guest, "POST", PATH, content)

    problem = assert_problem(response, HTTPStatus.UNPROCESSABLE_CONTENT, "invalid-request")
    assert pointer in [error["pointer"] for error in problem["errors"]]


def test_session_gives_the_token_it_keeps_without_a_write(guest: Client) -> None:
    token = log_in(guest, make_customer().email).json()["token"]
    version = guest.get("/api/session").json()["version"]

    response = token_of(guest)

    assert response.json()["token"] == token
    assert "SESSION" not in response.cookies
    assert guest.get("/api/session").json()["version"] == version


def test_session_that_nobody_is_signed_in_to_gives_none(guest: Client) -> None:
    send(guest, "PATCH", "/api/session", {"currency": "JPY"})

    for client in (guest, Client()):
        response = token_of(client)
        assert_problem(response, HTTPStatus.UNAUTHORIZED)
        assert response.headers["WWW-Authenticate"] == "Bearer"


def test_log_in_page_keeps_a_token_too() -> None:
    customer, browser = make_customer(), Client()

    browser.post("/accounts/login/", {"login": customer.email, "password": PASSWORD})

    assert token_of(browser).json()["token"] == browser.session[AUTH_TOKEN]


def test_any_request_of_the_session_renews_a_token_that_is_about_to_end(guest: Client) -> None:
    with clock_behind(245):
        old = log_in(guest, make_customer().email).json()["token"]
        assert guest.session[AUTH_TOKEN] == old

    guest.get("/api/session")

    renewed = guest.session[AUTH_TOKEN]
    assert renewed != old
    assert token_of(guest).json() == {
        "token": renewed,
        "token_type": "Bearer",
        "expires_in": 299,
    }


def test_token_gets_no_other_token() -> None:
    token = bare_token(make_customer())

    response = Client().generic("POST", PATH, headers=bearer(token))

    assert_problem(response, HTTPStatus.UNAUTHORIZED)


def test_client_that_still_sends_its_ended_token_gets_a_new_one_for_its_cookie(
    guest: Client,
) -> None:
    customer = make_customer()
    token = log_in(guest, customer.email).json()["token"]

    ended = bearer(bare_token(customer, ago=400))
    response = guest.generic("POST", PATH, headers=ended)

    assert response.json()["token"] == token


def test_another_site_cannot_log_a_browser_in(guest: Client) -> None:
    content = {"email": make_customer().email, "password": PASSWORD}

    response = send(guest, "POST", PATH, content, Origin="https://evil.example")

    assert_problem(response, HTTPStatus.FORBIDDEN, "csrf-failed")
    assert "SESSION" not in response.cookies


# --- Revoked with the session --------------------------------------------------------------------


def test_after_the_log_out_the_session_gives_none_and_the_last_one_ends_by_itself(
    guest: Client,
) -> None:
    customer, browser = make_customer(), Client()
    token = log_in(guest, customer.email).json()["token"]
    browser.cookies["SESSION"] = guest.cookies["SESSION"].value

    browser.post("/accounts/logout/")

    assert_problem(token_of(guest), HTTPStatus.UNAUTHORIZED)
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == 300
    assert guest.get("/api/session", headers=bearer(token)).json()["authenticated"]
    as_old = bare_token(customer, ago=300)
    assert_refused(guest.get("/api/session", headers=bearer(as_old)), "token-ended")


@pytest.mark.parametrize("lost", ["deleted", "inactive", "password"])
def test_customer_who_may_no_longer_log_in_is_refused_where_they_matter(lost: str) -> None:
    customer = make_customer()
    token = bare_token(customer)
    assert Client().get("/api/session", headers=bearer(token)).json()["authenticated"]
    if lost == "deleted":
        customer.delete()
    elif lost == "inactive":
        Customer.objects.filter(pk=customer.pk).update(is_active=False)
    else:
        customer.set_password("lighthouse-keeper")
        customer.save()

    for path in ("/api/session", "/api/cart"):
        assert_refused(Client().get(path, headers=bearer(token)), "token-revoked")


def test_change_of_password_revokes_the_token_and_gives_the_session_another(
    guest: Client,
) -> None:
    token = log_in(guest, make_customer().email).json()["token"]
    browser = Client()
    browser.cookies = guest.cookies
    change = {"oldpassword": PASSWORD, "password1": "lighthouse-keeper"}

    browser.post("/accounts/password/change/", change | {"password2": "lighthouse-keeper"})

    renewed = token_of(browser).json()["token"]
    assert renewed != token
    assert_refused(Client().get("/api/session", headers=bearer(token)), "token-revoked")
    by_token = Client().get("/api/session", headers=bearer(renewed)).json()
    assert by_token["authenticated"]


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


def test_log_in_and_log_out_without_redis(guest: Client) -> None:
    customer = make_customer()
    browser = Client()

    with no_redis():
        token = log_in(guest, customer.email).json()["token"]
        same = token_of(guest).json()["token"]
        browser.cookies = guest.cookies
        browser.post("/accounts/logout/")
        after = token_of(guest)

    assert token == same
    assert_problem(after, HTTPStatus.UNAUTHORIZED)


def test_token_fills_the_cart_of_its_customer_without_a_session() -> None:
    customer, client = make_customer(), Client()
    sku = make_product().variants.get().sku
    headers = bearer(bare_token(customer))

    with watched() as asked:
        response = send(client, "POST", "/api/cart/items", {"sku": sku, "quantity": 2}, **headers)

    assert response.json()["lines"][0]["quantity"] == 2
    assert Cart.objects.get().customer == customer
    assert "SESSION" not in response.cookies
    assert asked.nothing, asked


def test_token_reads_the_customers_row_only_where_it_matters(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    headers = bearer(bare_token(make_customer()))

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
    headers = bearer(bare_token(one))

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
    headers = bearer(bare_token(make_customer()))

    response = send(Client(), "PATCH", "/api/session", {"currency": "JPY"}, **headers)

    assert_problem(response, HTTPStatus.CONFLICT, "no-session")


def test_order_by_token_is_the_customers() -> None:
    customer, client = make_customer(), Client()
    headers = bearer(bare_token(customer))
    sku = make_product().variants.get().sku
    send(client, "POST", "/api/cart/items", {"sku": sku, "quantity": 1}, **headers)
    content = {
        "email": "mei@example.com",
        "name": "Lin Mei",
        "address": {"line1": "1 Pier", "city": "Keelung", "postcode": "202", "country": "TW"},
        "payment_method": "invoice",
    }
    key = {"Idempotency-Key": "6f1c1a52-8f1e-4d52-9b0e-3a1d1c0f7a11"}

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
    token = bare_token(make_customer(), ago=301)

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
