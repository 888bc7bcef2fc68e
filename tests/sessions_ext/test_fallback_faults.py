"""Both engines serve, and something goes wrong: a store is away or empty, or requests collide."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
from django.contrib.sessions.backends.base import UpdateError
from django.core.cache import cache, caches
from django.db import connection

from sessions_ext import keys
from sessions_ext.errors import SessionsUnavailable
from sessions_ext.former import FormerUnavailable, former
from tests.sessions_ext.moving import (
    CACHE,
    FORMER,
    engine,
    ours,
    plain,
    request_of_ours,
    theirs,
)
from tests.sessions_ext.outage import forget_clients, redis_gone
from tests.stack import wait_until

__all__ = ["engine"]  # a fixture

# --- Losses --------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", [CACHE], indirect=True)
def test_a_cache_that_lost_everything_signs_nobody_out(engine: str) -> None:
    key = ours(user="42").session_key
    for name in ("sessions_ext.epoch", f"django.contrib.sessions.cache{key}"):
        cache.delete(name)

    request_of_ours(key)

    assert plain(ours(key)) == {"user": "42"}
    assert plain(theirs(engine, key)) == {"user": "42"}


@pytest.mark.parametrize("engine", [CACHE], indirect=True)
def test_a_cache_that_lost_one_session_signs_out(engine: str) -> None:
    """The control: it cannot be told from a log-out."""
    key = ours(user="42").session_key
    cache.delete(f"django.contrib.sessions.cache{key}")

    assert plain(ours(key)) == {}


@pytest.mark.parametrize("engine", FORMER[:2], indirect=True)
def test_ours_serves_while_the_former_database_is_away(engine: str, transactional_db: None) -> None:
    known, unknown = ours(user="42").session_key, theirs(engine, user="43").session_key
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE django_session RENAME TO elsewhere")
        try:
            assert request_of_ours(known, cart="c-1") == {"user": "42"}
            with pytest.raises(SessionsUnavailable):
                plain(ours(unknown))
            made = ours(user="44").session_key
            ended = ours(user="45")
            ended.flush()
            assert plain(ours(keys.new_id())) == {}  # nobody but ours can have issued it
        finally:
            cursor.execute("ALTER TABLE elsewhere RENAME TO django_session")

    wait_until(lambda: answers(engine), 10, "the former store is asked again")
    assert request_of_ours(known) == {"user": "42", "cart": "c-1"}
    assert request_of_ours(made) == {"user": "44"}
    assert request_of_ours(unknown) == {"user": "43"}
    copies = [plain(theirs(engine, key)) for key in (known, made, unknown)]
    assert copies == [{"user": "42", "cart": "c-1"}, {"user": "44"}, {"user": "43"}]


@pytest.mark.parametrize("engine", [CACHE], indirect=True)
def test_ours_serves_while_redis_is_away_which_the_former_needs(engine: str) -> None:
    known, unknown = ours(user="42").session_key, theirs(engine, user="43").session_key
    with redis_gone():
        forget_clients()
        assert request_of_ours(known, cart="c-1") == {"user": "42"}
        with pytest.raises(SessionsUnavailable):
            plain(ours(unknown))
    forget_clients()

    wait_until(lambda: answers(engine), 10, "the former store is asked again")
    assert request_of_ours(known) == {"user": "42", "cart": "c-1"}
    assert request_of_ours(unknown) == {"user": "43"}
    assert plain(theirs(engine, known)) == {"user": "42", "cart": "c-1"}


def test_a_log_out_that_the_former_store_missed_is_told_when_the_cookie_comes_back(
    engine: str,
) -> None:
    session = ours(user="42")
    key = session.session_key
    former(engine)._away_until = float("inf")
    session.flush()
    former(engine)._away_until = 0
    assert plain(theirs(engine, key)) == {"user": "42"}  # as the docstring says

    assert plain(ours(key)) == {}

    assert plain(theirs(engine, key)) == {}


def answers(engine: str) -> bool:
    try:
        former(engine).read("a" * 32)
    except FormerUnavailable:
        return False
    return True


# --- Log-outs in the middle of a save ------------------------------------------------------------


@pytest.mark.parametrize("step", ["_read", "_write"])
@pytest.mark.parametrize("at_ours", [True, False], ids=["ours", "former"])
def test_a_log_out_at_any_step_of_a_save_holds_on_both_sides(
    engine: str, at_ours: bool, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the former engine is looked at, and before it is told of a save that was made."""
    key = ours(user="42").session_key
    session = ours(key)
    session["cart"] = "c-1"
    taken = getattr(former(engine), step)

    def sign_out_first(*args: Any, **kwargs: Any) -> Any:
        monkeypatch.undo()
        other = ours(key) if at_ours else theirs(engine, key)
        other.flush()
        return taken(*args, **kwargs)

    monkeypatch.setattr(former(engine), step, sign_out_first)
    with suppress(UpdateError):
        session.save()

    assert former(engine).read(str(key)) is None
    assert plain(ours(key)) == {}
    assert plain(theirs(engine, key)) == {}


@pytest.mark.parametrize("engine", [CACHE], indirect=True)
def test_a_log_out_here_that_a_cache_undoes_is_repeated(
    engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between its look whether the session is there and its write, which asks for nothing."""
    key = ours(user="42").session_key
    session = ours(key)
    session["cart"] = "c-1"
    undone = []

    def sign_out_first(*args: Any, **kwargs: Any) -> None:
        monkeypatch.undo()
        ours(key).flush()
        cache.set(*args, **kwargs)
        undone.append(former(engine).read(str(key)))

    monkeypatch.setattr(caches["default"], "set", sign_out_first)
    session.save()

    assert undone != [None]  # the control: it came back to life there
    assert former(engine).read(str(key)) is None
    assert plain(ours(key)) == {}


# --- Many at once --------------------------------------------------------------------------------

MANY = 8


def set_at_once(open_session: Callable[[], Any]) -> None:
    """Each thread has loaded before any saves, and sets an attribute of its own."""
    barrier = threading.Barrier(MANY)

    def request(number: int) -> None:
        try:
            session = open_session()
            session[f"attribute-{number}"] = number
            connection.close()  # the pool is smaller than the crowd
            barrier.wait(30)
            session.save()
        finally:
            connection.close()

    with ThreadPoolExecutor(MANY) as pool:
        list(pool.map(request, range(MANY)))


@pytest.mark.parametrize("engine", FORMER[:2], indirect=True)
def test_many_requests_of_ours_at_once_keep_all_their_changes(
    engine: str, transactional_db: None
) -> None:
    key = ours(first=1).session_key
    expected = {"first": 1} | {f"attribute-{number}": number for number in range(MANY)}

    set_at_once(lambda: ours(key))

    assert request_of_ours(key) == expected
    assert plain(theirs(engine, key)) == expected


@pytest.mark.parametrize("engine", FORMER[:2], indirect=True)
def test_many_requests_of_the_former_engine_at_once_lose_changes(
    engine: str, transactional_db: None
) -> None:
    """The control."""
    key = theirs(engine, first=1).session_key

    set_at_once(lambda: theirs(engine, key))

    assert len(plain(theirs(engine, key))) < MANY + 1
