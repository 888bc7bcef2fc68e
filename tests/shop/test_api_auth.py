"""Getting a token, and losing it with its session."""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

import jwt
import pytest
from django.test import Client

from sessions_ext.conf import AUTH_TOKEN
from shop.models import Customer
from tests.factories import make_customer, make_product
from tests.sessions_ext.outage import forget_clients, redis_gone
from tests.shop.test_api import assert_problem, send
from tests.tokens import bearer, clock_behind, token_for

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


@contextmanager
def no_redis() -> Iterator[None]:
    with redis_gone():
        forget_clients()
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
    assert body.keys() == {"token", "token_type", "expires_in"}
    assert body["token_type"] == "Bearer"
    assert 290 <= body["expires_in"] <= 300
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
    given = token_of(guest).json()
    assert given["token"] == renewed
    assert 290 <= given["expires_in"] <= 300


def test_token_gets_no_other_token() -> None:
    token = token_for(make_customer()).text

    response = Client().generic("POST", PATH, headers=bearer(token))

    assert_problem(response, HTTPStatus.UNAUTHORIZED)


def test_client_that_still_sends_its_ended_token_gets_a_new_one_for_its_cookie(
    guest: Client,
) -> None:
    customer = make_customer()
    token = log_in(guest, customer.email).json()["token"]

    ended = bearer(token_for(customer, ago=400).text)
    response = guest.generic("POST", PATH, headers=ended)

    assert response.json()["token"] == token


def test_another_site_cannot_log_a_browser_in(guest: Client) -> None:
    content = {"email": make_customer().email, "password": PASSWORD}

    response = send(guest, "POST", PATH, content, Origin="https://evil.example")

    assert_problem(response, HTTPStatus.FORBIDDEN, "csrf-failed")
    assert "SESSION" not in response.cookies


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
    as_old = token_for(customer, ago=300).text
    assert_refused(guest.get("/api/session", headers=bearer(as_old)), "token-ended")


@pytest.mark.parametrize("lost", ["deleted", "inactive", "password"])
def test_customer_who_may_no_longer_log_in_is_refused_where_they_matter(lost: str) -> None:
    customer = make_customer()
    token = token_for(customer).text
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
