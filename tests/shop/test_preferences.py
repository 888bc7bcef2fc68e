"""Language and currency: kept in the session, the same in every region, and through a log-in."""

from http import HTTPStatus
from typing import Any

import pytest
from django.test import Client

from sessions_ext.engine import SessionStore
from tests.factories import make_customer
from tests.sessions_ext.outage import dynamodb_gone, forget_clients, redis_gone

pytestmark = pytest.mark.django_db
PASSWORD = "harbour-light"


def language_of(client: Client, path: str = "/cart/", **headers: str) -> str:
    """In which the page comes; an error page, too."""
    return str(client.get(path, headers=headers).headers["Content-Language"])


def choose(client: Client, language: str) -> Any:
    return client.post("/i18n/setlang/", {"language": language, "next": "/cart/"})


def test_a_visitor_who_chose_nothing_gets_neither_session_nor_cookie(client: Client) -> None:
    response = client.get("/cart/", headers={"Accept-Language": "ja"})

    assert response.headers["Content-Language"] == "ja"
    assert "SESSION" not in response.cookies
    assert "django_language" not in response.cookies


def test_the_switch_keeps_the_language_in_session_and_cookie(client: Client) -> None:
    answer = choose(client, "ja")

    assert (answer.status_code, answer.headers["Location"]) == (HTTPStatus.FOUND, "/cart/")
    assert client.session["language"] == "ja"
    assert client.cookies["django_language"].value == "ja"


def test_the_sessions_language_needs_no_cookie(client: Client) -> None:
    choose(client, "ja")
    del client.cookies["django_language"]

    assert language_of(client, **{"Accept-Language": "zh-TW"}) == "ja"


def test_the_sessions_language_outweighs_the_cookie(client: Client) -> None:
    choose(client, "ja")
    client.cookies["django_language"] = "zh-hant"

    assert language_of(client) == "ja"
    assert language_of(client, "/nowhere/") == "ja"


def test_the_language_is_the_same_in_another_region(client: Client, settings: Any) -> None:
    choose(client, "ja")
    del client.cookies["django_language"]
    settings.ANYPORT_REGIONS = settings.ANYPORT_REGIONS | {"singapore": "ap-southeast-1"}
    settings.ANYPORT_REGION = settings.SESSION_REGION = "singapore"

    response = client.get("/cart/")

    assert response.headers["Anyport-Region"] == "singapore"
    assert response.headers["Content-Language"] == "ja"


def test_preferences_follow_a_log_in_and_the_language_a_log_out(client: Client) -> None:
    choose(client, "ja")
    client.post("/currency/", {"currency": "JPY", "next": "/cart/"})
    guests = client.cookies["SESSION"].value
    customer = make_customer()

    client.post("/accounts/login/", {"login": customer.email, "password": PASSWORD})

    assert client.cookies["SESSION"].value != guests
    assert (client.session["language"], client.session["currency"]) == ("ja", "JPY")
    client.post("/accounts/logout/")
    assert language_of(client) == "ja"


@pytest.mark.parametrize("language", ["fr", "tlh", "", "x" * 300])
def test_a_language_that_we_do_not_speak_is_not_kept(client: Client, language: str) -> None:
    choose(client, language)

    assert "SESSION" not in client.cookies
    assert language_of(client) == "en"


def test_a_session_with_a_language_of_another_release_speaks_the_browsers(client: Client) -> None:
    session = client.session
    session["language"] = "fr"
    session.save()

    assert language_of(client, **{"Accept-Language": "ja"}) == "ja"


@pytest.fixture
def signed_in(client: Client) -> Client:
    client.force_login(make_customer())
    choose(client, "ja")
    return client


def test_a_page_that_needs_no_session_outlives_both_stores(signed_in: Client) -> None:
    signed_in.raise_request_exception = False
    try:
        with redis_gone(), dynamodb_gone():
            forget_clients()
            missing = signed_in.get("/nowhere/")
            account = signed_in.get("/account/")
    finally:
        forget_clients()

    assert missing.status_code == HTTPStatus.NOT_FOUND
    assert missing.headers["Content-Language"] == "ja"  # by the cookie
    assert account.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert "SESSION" not in missing.cookies
    assert SessionStore(signed_in.cookies["SESSION"].value)["language"] == "ja"
