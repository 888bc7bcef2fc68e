"""One browser, served by instances of both engines in turn: a deploy, and its rollback."""

from collections.abc import Iterator

import pytest
from django.conf import LazySettings
from django.test import Client
from django.urls import reverse

from sessions_ext.former import former
from tests.factories import make_customer
from tests.sessions_ext.moving import FORMER

OURS = "sessions_ext.middleware.SessionMiddleware"
DJANGOS = "django.contrib.sessions.middleware.SessionMiddleware"
TOKENS = "sessions_ext.tokens.token_middleware"


pytestmark = pytest.mark.django_db


class Fleet:
    def __init__(self, settings: LazySettings, engine: str) -> None:
        self.settings = settings
        self.engine = engine
        self._ours = settings.SESSION_ENGINE, settings.MIDDLEWARE
        middleware = [DJANGOS if name == OURS else name for name in settings.MIDDLEWARE]
        self._former = engine, [name for name in middleware if name != TOKENS]

    def former(self, browser: Client) -> Client:
        self.settings.SESSION_ENGINE, self.settings.MIDDLEWARE = self._former
        return _same(browser)

    def ours(self, browser: Client, *, fallback: bool = True) -> Client:
        self.settings.SESSION_ENGINE, self.settings.MIDDLEWARE = self._ours
        self.settings.SESSION_FALLBACK_ENGINE = self.engine if fallback else None
        return _same(browser)


def _same(browser: Client) -> Client:
    """Its cookies; the middleware is that of the settings now."""
    same = Client()
    same.cookies = browser.cookies
    return same


@pytest.fixture(params=FORMER, ids=lambda name: name.rpartition(".")[2])
def fleet(
    request: pytest.FixtureRequest, settings: LazySettings, session_table: None
) -> Iterator[Fleet]:
    former.cache_clear()
    yield Fleet(settings, request.param)
    former.cache_clear()


def is_signed_in(browser: Client) -> bool:
    status: int = browser.get(reverse("shop:addresses")).status_code
    assert status in {200, 302}
    return status == 200


def test_a_browser_stays_signed_in_through_a_deploy_and_its_rollback(fleet: Fleet) -> None:
    browser = fleet.former(Client())
    browser.force_login(make_customer())

    assert is_signed_in(fleet.ours(browser))
    assert is_signed_in(fleet.former(browser))
    assert is_signed_in(fleet.ours(browser))
    assert is_signed_in(fleet.ours(browser, fallback=False))  # the deploy is over
    assert is_signed_in(fleet.ours(browser))
    assert is_signed_in(fleet.former(browser))  # and rolled back


def test_a_browser_is_signed_out_by_a_deploy_without(fleet: Fleet) -> None:
    """The control."""
    browser = fleet.former(Client())
    browser.force_login(make_customer())

    assert not is_signed_in(fleet.ours(browser, fallback=False))


def test_a_log_in_at_ours_holds_at_the_former(fleet: Fleet) -> None:
    browser = fleet.ours(Client())
    browser.force_login(make_customer())

    assert is_signed_in(fleet.former(browser))


def test_a_log_in_at_ours_does_not_hold_at_the_former_without(fleet: Fleet) -> None:
    """The control."""
    browser = fleet.ours(Client(), fallback=False)
    browser.force_login(make_customer())

    assert not is_signed_in(fleet.former(browser))


@pytest.mark.parametrize("at_ours", [True, False], ids=["ours", "former"])
def test_a_log_out_holds_at_both_even_with_the_cookie_kept(fleet: Fleet, at_ours: bool) -> None:
    browser = fleet.former(Client())
    browser.force_login(make_customer())
    assert is_signed_in(fleet.ours(browser))
    thief = Client()
    thief.cookies.load({name: morsel.value for name, morsel in browser.cookies.items()})

    signs_out = fleet.ours(browser) if at_ours else fleet.former(browser)
    assert signs_out.post(reverse("account_logout")).status_code == 302

    assert not is_signed_in(fleet.former(thief))
    assert not is_signed_in(fleet.ours(thief))
    assert not is_signed_in(fleet.former(thief))
    assert not is_signed_in(fleet.ours(thief, fallback=False))
