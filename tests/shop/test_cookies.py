"""The cookies of a session, as browsers get them in production."""

from typing import Any

import pytest
from django.test import Client

from tests.factories import make_customer

pytestmark = pytest.mark.django_db
BOTH = ("SESSION", "SESSION_VERSION")
COMMON = {"path": "/", "samesite": "Lax", "secure": True, "httponly": True}


@pytest.fixture
def browser(settings: Any) -> Client:
    settings.SESSION_COOKIE_SECURE = True
    settings.SESSION_COOKIE_DOMAIN = ".shop.example"
    return Client(SERVER_NAME="tokyo.shop.example")


def flags(response: Any, name: str) -> dict[str, Any]:
    morsel = response.cookies[name]
    return {flag: morsel[flag] for flag in (*COMMON, "domain")}


@pytest.fixture(autouse=True)
def hosts(settings: Any) -> None:
    settings.ALLOWED_HOSTS = [".shop.example"]


def test_a_sessions_cookies_are_strict_and_live_as_long_as_it_does(browser: Client) -> None:
    response = browser.post("/currency/", {"currency": "JPY"})

    for name in BOTH:
        assert flags(response, name) == COMMON | {"domain": ".shop.example"}
        assert 24 * 3600 <= int(response.cookies[name]["max-age"]) <= 25 * 3600


def test_a_log_out_takes_both_cookies_from_every_name(browser: Client) -> None:
    browser.force_login(make_customer())

    response = browser.post("/accounts/logout/")

    for name in BOTH:
        morsel = response.cookies[name]
        assert (morsel.value, morsel["max-age"], morsel["domain"]) == ("", 0, ".shop.example")


def test_a_shop_of_one_name_sends_them_to_no_other(browser: Client, settings: Any) -> None:
    settings.SESSION_COOKIE_DOMAIN = None

    response = browser.post("/currency/", {"currency": "JPY"})

    for name in BOTH:
        assert flags(response, name) == COMMON | {"domain": ""}
