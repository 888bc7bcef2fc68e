"""Sessions in Redis, and what happens when Redis cannot be asked."""

import socket
from collections.abc import Iterator
from contextlib import closing

import pytest
from django.conf import settings
from django.contrib.sessions.backends.cache import SessionStore as DjangoCacheStore
from django.core.cache import caches
from django.test import Client, override_settings
from redis.exceptions import RedisError

from sessions_ext.engine import SessionStore
from settings.env import HostPort
from storage.redis import redis_primary


@pytest.fixture
def redis_gone() -> Iterator[None]:
    """Every client is pointed at a port where nobody listens."""
    with closing(socket.socket()) as reserved:
        reserved.bind(("127.0.0.1", 0))
        nobody = HostPort("127.0.0.1", reserved.getsockname()[1])
        with override_settings(REDIS_SENTINELS=[nobody], REDIS_URL=""):
            _forget_clients()
            yield
    _forget_clients()


def _forget_clients() -> None:
    redis_primary.cache_clear()
    assert caches["default"]  # a thread that never asked has none to forget
    del caches["default"]


def stored_session(**content: str) -> SessionStore:
    session = SessionStore()
    session.update(content)
    session.create()
    return session


def test_a_session_is_read_by_any_process() -> None:
    key = stored_session(currency="JPY").session_key

    assert SessionStore(key)["currency"] == "JPY"


def test_version_counts_saves() -> None:
    session = stored_session(currency="JPY")

    session["currency"] = "SGD"
    session.save()

    assert SessionStore(session.session_key).version == 2


def test_a_lost_session_is_empty_and_gets_another_key() -> None:
    session = SessionStore("neverstoredneverstored")

    assert dict(session.items()) == {}
    assert session.session_key is None


def test_redis_gone_is_an_error_not_an_empty_session(redis_gone: None) -> None:
    with pytest.raises(RedisError):
        SessionStore("a" * 32).load()


def test_djangos_engine_takes_redis_gone_for_an_empty_session(redis_gone: None) -> None:
    """The control: with it a signed-in shopper is shown a stranger's page."""
    assert DjangoCacheStore("a" * 32).load() == {}


def test_a_shopper_with_a_session_is_told_to_come_back(redis_gone: None) -> None:
    client = Client(raise_request_exception=False)
    client.cookies[settings.SESSION_COOKIE_NAME] = "a" * 32

    response = client.get("/cart/")

    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0
    assert settings.SESSION_COOKIE_NAME not in response.cookies  # the session is kept


def test_api_is_told_to_come_back_in_its_own_format(redis_gone: None) -> None:
    client = Client(raise_request_exception=False)
    client.cookies[settings.SESSION_COOKIE_NAME] = "a" * 32

    response = client.get("/api/cart")

    assert response.status_code == 503
    assert response.headers["Content-Type"] == "application/problem+json"
    assert int(response.headers["Retry-After"]) > 0


@pytest.mark.django_db
def test_a_visitor_without_a_session_browses_on(redis_gone: None) -> None:
    response = Client().get("/")

    assert response.status_code == 200
    assert "Set-Cookie" not in response.headers
