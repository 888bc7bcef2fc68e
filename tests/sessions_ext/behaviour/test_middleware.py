"""The middleware around each engine: which cookies a browser gets, and when a session is saved."""

import time
from http.cookies import Morsel
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.sessions.exceptions import SessionInterrupted
from django.db import DataError
from django.http import HttpResponse

from tests.sessions_ext.behaviour.browser import COOKIE, Browser, View
from tests.sessions_ext.behaviour.twin import CACHE, CACHED_DB, OURS, Engine, Session


@pytest.fixture
def browser(engine: Engine) -> Browser:
    return Browser(engine)


@pytest.fixture
def returning(browser: Browser) -> Browser:
    """A browser that has a session with a currency."""
    browser.get(choose_yen)
    assert COOKIE in browser.cookies
    return browser


def choose_yen(session: Session) -> None:
    session.set("currency", "JPY")


def choose_dollars(session: Session) -> None:
    session.set("currency", "TWD")


def look(session: Session) -> None:
    session.get("currency")


def nothing(session: Session) -> None:
    pass


def flush(session: Session) -> None:
    session.flush()


def cookie_of(response: HttpResponse) -> "Morsel[Any]":
    return response.cookies[COOKIE]


# --- Whether a cookie is set -------------------------------------------------------------------

COOKIES = {
    OURS: {COOKIE, "SESSION_VERSION"},
    CACHED_DB: {COOKIE},
    CACHE: {COOKIE},
}


def test_a_visitor_with_something_to_remember_gets_a_cookie(
    engine: Engine, browser: Browser
) -> None:
    response = browser.get(choose_yen)

    assert set(response.cookies) == engine.expected(COOKIES)
    assert response.headers["Vary"] == "Cookie"
    assert engine.content(cookie_of(response).value) == {"currency": "JPY"}


@pytest.mark.parametrize(("view", "vary"), [(nothing, None), (look, "Cookie"), (flush, "Cookie")])
def test_a_visitor_with_nothing_to_remember_gets_none(
    browser: Browser, view: View, vary: str | None
) -> None:
    response = browser.get(view)

    assert not response.cookies
    assert response.headers.get("Vary") == vary


@pytest.mark.parametrize(("view", "vary"), [(nothing, None), (look, "Cookie")])
def test_reading_a_session_sets_no_cookie(returning: Browser, view: View, vary: str | None) -> None:
    response = returning.get(view)

    assert not response.cookies
    assert response.headers.get("Vary") == vary


def test_changing_a_session_sets_its_cookie_again(engine: Engine, returning: Browser) -> None:
    key = returning.cookies[COOKIE]

    response = returning.get(choose_dollars)

    assert cookie_of(response).value == key
    assert response.headers["Vary"] == "Cookie"
    assert engine.content(key) == {"currency": "TWD"}


@pytest.mark.parametrize("view", [nothing, look])
def test_each_request_may_save(returning: Browser, settings: LazySettings, view: View) -> None:
    settings.SESSION_SAVE_EVERY_REQUEST = True

    response = returning.get(view)

    assert cookie_of(response).value == returning.cookies[COOKIE]
    assert response.headers["Vary"] == "Cookie"


def test_an_emptied_session_that_is_not_flushed_stays(engine: Engine, returning: Browser) -> None:
    key = returning.cookies[COOKIE]

    response = returning.get(lambda session: session.pop("currency") and None)

    assert cookie_of(response).value == key
    assert response.headers["Vary"] == "Cookie"
    assert engine.content(key) == {}
    assert engine.open().exists(key)


# --- What the cookie says ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "value", "attribute", "expected"),
    [
        ("SESSION_COOKIE_SECURE", True, "secure", True),
        ("SESSION_COOKIE_SECURE", False, "secure", ""),
        ("SESSION_COOKIE_HTTPONLY", True, "httponly", True),
        ("SESSION_COOKIE_HTTPONLY", False, "httponly", ""),
        ("SESSION_COOKIE_SAMESITE", "Strict", "samesite", "Strict"),
        ("SESSION_COOKIE_SAMESITE", False, "samesite", ""),
        ("SESSION_COOKIE_PATH", "/shop/", "path", "/shop/"),
        ("SESSION_COOKIE_DOMAIN", ".example.com", "domain", ".example.com"),
        ("SESSION_COOKIE_DOMAIN", None, "domain", ""),
    ],
)
def test_settings_decide_about_each_cookie(
    engine: Engine, settings: LazySettings, setting: str, value: Any, attribute: str, expected: Any
) -> None:
    setattr(settings, setting, value)

    response = Browser(engine).get(choose_yen)

    assert {morsel[attribute] for morsel in response.cookies.values()} == {expected}


# Ours lives as long as what is stored: longer by two intervals in which activity is not written.
DEFAULT_AGE = {
    OURS: 24 * 60 * 60 + 600,
    CACHED_DB: 24 * 60 * 60,
    CACHE: 24 * 60 * 60,
}


def test_a_cookie_lives_as_long_as_the_session(engine: Engine, browser: Browser) -> None:
    age, began = engine.expected(DEFAULT_AGE), time.monotonic()

    response = browser.get(choose_yen)

    passed = time.monotonic() - began
    for morsel in response.cookies.values():
        assert age - passed - 1 <= morsel["max-age"] <= age
        assert morsel["expires"].endswith(" GMT")


def test_a_cookie_lives_as_long_as_a_view_says(browser: Browser) -> None:
    def choose_briefly(session: Session) -> None:
        choose_yen(session)
        session.set_expiry(100)

    began = time.monotonic()

    response = browser.get(choose_briefly)

    passed = time.monotonic() - began
    for morsel in response.cookies.values():
        assert 100 - passed - 1 <= morsel["max-age"] <= 100


def test_a_cookie_of_this_window_has_no_age(browser: Browser, settings: LazySettings) -> None:
    settings.SESSION_EXPIRE_AT_BROWSER_CLOSE = True

    response = browser.get(choose_yen)

    for morsel in response.cookies.values():
        assert (morsel["max-age"], morsel["expires"]) == ("", "")


# --- Errors ------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [500, 503])
def test_an_answer_of_5xx_saves_nothing(engine: Engine, returning: Browser, status: int) -> None:
    def choose_and_fail(session: Session) -> int:
        choose_dollars(session)
        return status

    response = returning.get(choose_and_fail)

    assert not response.cookies
    assert engine.content(returning.cookies[COOKIE]) == {"currency": "JPY"}


@pytest.mark.parametrize("status", [302, 404])
def test_other_answers_save(engine: Engine, returning: Browser, status: int) -> None:
    def choose_and_turn_away(session: Session) -> int:
        choose_dollars(session)
        return status

    returning.get(choose_and_turn_away)

    assert engine.content(returning.cookies[COOKIE]) == {"currency": "TWD"}


def test_an_answer_of_5xx_makes_no_session(browser: Browser) -> None:
    def choose_and_fail(session: Session) -> int:
        choose_yen(session)
        return 500

    response = browser.get(choose_and_fail)

    assert not response.cookies


@pytest.mark.parametrize("ends", ["delete", "cycle_key"])
def test_a_session_that_ends_during_the_request_interrupts_it(
    engine: Engine, returning: Browser, ends: str
) -> None:
    key = returning.cookies[COOKIE]

    def choose_while_another_request_ends_it(session: Session) -> None:
        choose_dollars(session)
        getattr(engine.open(key), ends)()

    with pytest.raises(SessionInterrupted):
        returning.get(choose_while_another_request_ends_it)

    assert engine.content(key) == {}
    assert not engine.open().exists(key)


# --- Log-in and log-out ------------------------------------------------------------------------


def test_a_renamed_session_gets_another_cookie(engine: Engine, returning: Browser) -> None:
    former = returning.cookies[COOKIE]

    response = returning.get(lambda session: session.cycle_key())

    assert cookie_of(response).value not in ("", former)
    assert engine.content(returning.cookies[COOKIE]) == {"currency": "JPY"}
    assert not engine.open().exists(former)


# Django's engines rename at once, and the browser never hears of the new name.
AFTER_A_LOG_IN_THAT_FAILED: dict[str, dict[str, Any]] = {
    OURS: {"currency": "JPY"},
    CACHED_DB: {},
    CACHE: {},
}


def test_a_log_in_that_fails_after_renaming(engine: Engine, returning: Browser) -> None:
    def rename_and_fail(session: Session) -> int:
        session.cycle_key()
        return 500

    response = returning.get(rename_and_fail)

    assert not response.cookies
    left = engine.content(returning.cookies[COOKIE])
    assert left == engine.expected(AFTER_A_LOG_IN_THAT_FAILED)


@pytest.mark.parametrize("status", [200, 500])
def test_log_out_holds_whatever_the_answer(engine: Engine, returning: Browser, status: int) -> None:
    key = returning.cookies[COOKIE]

    def log_out(session: Session) -> int:
        session.flush()
        return status

    response = returning.get(log_out)

    assert not engine.open().exists(key)
    assert set(response.cookies) == engine.expected(COOKIES)
    assert response.headers["Vary"] == "Cookie"
    assert returning.cookies == {}


@pytest.mark.parametrize(
    ("domain", "path", "place"),
    [(None, "/", "Path=/"), (".example.com", "/shop/", "Domain=.example.com; Path=/shop/")],
)
def test_a_cookie_is_deleted_where_it_was_set(
    returning: Browser, settings: LazySettings, domain: str | None, path: str, place: str
) -> None:
    settings.SESSION_COOKIE_DOMAIN, settings.SESSION_COOKIE_PATH = domain, path

    response = returning.get(flush)

    for name, morsel in response.cookies.items():
        assert sorted(morsel.OutputString().split("; ")) == sorted(
            [
                f'{name}=""',
                "expires=Thu, 01 Jan 1970 00:00:00 GMT",
                "Max-Age=0",
                "SameSite=Lax",
                *place.split("; "),
            ]
        )


def test_a_session_after_log_out_is_another(engine: Engine, returning: Browser) -> None:
    former = returning.cookies[COOKIE]

    def log_out_and_choose(session: Session) -> None:
        session.flush()
        choose_dollars(session)

    returning.get(log_out_and_choose)

    assert returning.cookies[COOKIE] != former
    assert engine.content(returning.cookies[COOKIE]) == {"currency": "TWD"}
    assert engine.content(former) == {}


# --- Cookies that mean nothing -----------------------------------------------------------------


@pytest.mark.parametrize("value", ["x" * 32, "someunknownkey", "香" * 32, "x" * 10_000])
def test_a_cookie_that_nobody_issued_is_deleted(browser: Browser, value: str) -> None:
    browser.cookies[COOKIE] = value

    response = browser.get(look)

    assert cookie_of(response)["max-age"] == 0
    assert browser.cookies == {}
    assert response.headers["Vary"] == "Cookie"


def test_a_cookie_that_nobody_issued_names_no_session(engine: Engine, browser: Browser) -> None:
    browser.cookies[COOKIE] = "x" * 32

    def look_and_choose(session: Session) -> None:
        look(session)
        choose_yen(session)

    browser.get(look_and_choose)

    assert browser.cookies[COOKIE] != "x" * 32
    assert engine.content(browser.cookies[COOKIE]) == {"currency": "JPY"}
    assert not engine.open().exists("x" * 32)


# PostgreSQL takes no NUL, and Django's engine does not expect that answer.
A_COOKIE_WITH_A_NUL: dict[str, type[Exception] | None] = {
    OURS: None,
    CACHED_DB: DataError,
    CACHE: None,
}


def test_a_cookie_with_a_nul_in_it(engine: Engine, browser: Browser) -> None:
    browser.cookies[COOKIE] = "\0" * 32

    if error := engine.expected(A_COOKIE_WITH_A_NUL):
        with pytest.raises(error):
            browser.get(look)
    else:
        assert cookie_of(browser.get(look))["max-age"] == 0
