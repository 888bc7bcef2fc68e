"""Attempts are limited while Redis is gone, and log-in works. The rest of the cache fails."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.cache import cache
from django.test import Client, RequestFactory
from redis.exceptions import ConnectionError

from shop.throttle import Limit, give_back, spend_try
from storage import backend
from storage.backend import _own
from tests.factories import make_customer
from tests.valkey import Valkey, as_primary, regain, running

LIMIT = Limit("test", 3, 600)
PASSWORD = "correct horse battery"


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Valkey]:
    with running(tmp_path) as server, as_primary(server):
        _own.clear()
        yield server
        _own.clear()


def tries(times: int) -> list[bool]:
    request = RequestFactory().get("/", HTTP_X_FORWARDED_FOR="192.0.2.1")
    return [spend_try(request, LIMIT) for _ in range(times)]


def test_tries_are_limited_without_redis(valkey: Valkey) -> None:
    valkey.stop()

    assert tries(5) == [True, True, True, False, False]
    give_back(RequestFactory().get("/", HTTP_X_FORWARDED_FOR="192.0.2.1"), LIMIT)


def test_redis_that_is_back_counts_for_all(valkey: Valkey) -> None:
    valkey.stop()
    assert tries(3) == [True] * 3  # counted by this process alone

    valkey.start()
    regain()

    assert tries(5) == [True, True, True, False, False]


def test_anything_else_in_the_cache_fails(valkey: Valkey) -> None:
    valkey.stop()

    with pytest.raises(ConnectionError):
        cache.set("product:page:1", "x")
    with pytest.raises(ConnectionError):
        cache.get("product:page:1")


def log_in(email: str, password: str) -> int:
    client = Client(HTTP_X_FORWARDED_FOR="192.0.2.1")
    return client.post("/accounts/login/", {"login": email, "password": password}).status_code


@pytest.mark.django_db(transaction=True)
def test_log_in_works_without_redis_and_guessing_is_limited(valkey: Valkey) -> None:
    email = make_customer(password=PASSWORD).email
    valkey.stop()

    assert log_in(email, PASSWORD) == 302
    assert [log_in(email, "wrong") for _ in range(6)] == [200] * 6
    assert log_in(email, PASSWORD) == 200  # 5 failures in 5 minutes


@pytest.mark.django_db(transaction=True)
def test_log_in_would_fail_if_attempts_were_counted_in_redis_alone(
    valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control."""
    email = make_customer(password=PASSWORD).email
    monkeypatch.setattr(backend, "ATTEMPTS", ())
    valkey.stop()

    with pytest.raises(ConnectionError):
        log_in(email, PASSWORD)
