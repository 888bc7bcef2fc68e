"""Requests at once that change different attributes of one session: all changes are kept."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Any, Final

import pytest
from django.contrib.sessions.backends.base import UpdateError
from django.db import connections

from sessions_ext import dynamodb_store, keys, redis_store
from sessions_ext.conf import conf
from sessions_ext.engine import SessionStore
from sessions_ext.envelope import STAMP
from sessions_ext.health import redis_gate
from sessions_ext.reconcile import reconcile
from sessions_ext.record import Record, now_ms
from storage.clients import dynamodb
from tests.sessions_ext.behaviour.twin import CACHE, CACHED_DB
from tests.sessions_ext.steps import RedisOutOfReach, stepping
from tests.stack import wait_until

THREADS: Final = 50
ROUNDS: Final = 5
EXPECTED: Final = {f"attribute-{number}": number for number in range(THREADS)} | {"cart": "c-1"}


def stored(**content: object) -> str:
    session = SessionStore()
    session.update(content)
    session.create()
    return str(session.session_key)


def content_of(key: str) -> dict[str, Any]:
    return dict(SessionStore(key).items())


def in_redis(key: str) -> Record | None:
    return redis_store.read(conf.redis(), keys.digest_of(key))


def in_dynamodb(key: str) -> dynamodb_store.Found:
    return dynamodb_store.read(dynamodb(), keys.digest_of(key))


def at_once(write: Callable[[int, threading.Barrier], None]) -> None:
    """Each thread has loaded the session before any of them saves it."""
    barrier = threading.Barrier(THREADS)
    with ThreadPoolExecutor(THREADS) as pool:
        for done in [pool.submit(write, number, barrier) for number in range(THREADS)]:
            done.result(120)


def write_to(engine: str, key: str) -> Callable[[int, threading.Barrier], None]:
    store = import_module(engine).SessionStore

    def write(number: int, barrier: threading.Barrier) -> None:
        session = store(key)
        session[f"attribute-{number}"] = number
        barrier.wait(60)
        try:
            session.save()
        except UpdateError:
            assert engine != "sessions_ext.engine"
        finally:
            if engine == CACHED_DB:
                connections.close_all()

    return write


@pytest.fixture(autouse=True)
def trusted() -> None:
    wait_until(redis_gate.is_open, 30, "Redis is trusted")


# --- 50 at once ----------------------------------------------------------------------------------


def test_fifty_changes_at_once_are_kept_in_both_stores() -> None:
    key = stored(cart="c-1")

    at_once(write_to("sessions_ext.engine", key))

    assert content_of(key) == EXPECTED
    assert in_redis(key) == in_dynamodb(key)


def test_fifty_changes_at_once_are_kept_without_redis(out_of_reach: RedisOutOfReach) -> None:
    key = stored(cart="c-1")
    write = write_to("sessions_ext.engine", key)

    at_once(lambda number, barrier: out_of_reach.run(lambda: write(number, barrier)))

    assert out_of_reach.run(lambda: content_of(key)) == EXPECTED
    reconcile(conf.redis(), dynamodb(), since=now_ms() - 60_000)
    assert content_of(key) == EXPECTED
    assert in_redis(key) == in_dynamodb(key)


def test_fifty_changes_half_of_them_without_redis(out_of_reach: RedisOutOfReach) -> None:
    key = stored(cart="c-1")
    write = write_to("sessions_ext.engine", key)

    at_once(
        lambda number, barrier: out_of_reach.run(
            lambda: write(number, barrier), closed=number % 2 == 0
        )
    )

    reconcile(conf.redis(), dynamodb(), since=now_ms() - 60_000)
    assert content_of(key) == EXPECTED
    one, other = in_redis(key), in_dynamodb(key)
    assert isinstance(one, Record)
    assert isinstance(other, Record)
    assert (one.version, one.fields) == (other.version, other.fields)
    assert len(one.fields) == len(EXPECTED)


@pytest.mark.parametrize("engine", [CACHE, CACHED_DB])
@pytest.mark.django_db(transaction=True)
def test_djangos_engines_lose_some(engine: str, session_table: None) -> None:
    """The control: the test can fail."""
    store = import_module(engine).SessionStore
    for _ in range(ROUNDS):
        session = store()
        session["cart"] = "c-1"
        session.create()
        session.save()

        at_once(write_to(engine, session.session_key))

        if len(dict(store(session.session_key).items())) < len(EXPECTED):
            return
    raise AssertionError("nothing was lost")


# --- What is sent --------------------------------------------------------------------------------


def sent_to_redis(work: Callable[[], None]) -> list[tuple[Any, ...]]:
    """Values of the fields in the one script that a save sends: (name, value), and (name,)."""
    with stepping() as steps:
        work()
    (step,) = [step for step in steps.redis if step.name == "EVALSHA"]
    arguments = step.arguments[5:]  # digest of the script, number of keys, three keys
    count = arguments[8]
    pairs = arguments[9 : 9 + 2 * count]
    forgotten = arguments[9 + 2 * count :]
    return [*zip(pairs[::2], pairs[1::2], strict=True), *((name,) for name in forgotten)]


def test_a_save_sends_the_changed_and_the_removed_attribute_alone() -> None:
    key = stored(**{f"kept-{number}": "x" * 100 for number in range(20)}, changed=1, removed=1)
    session = SessionStore(key)
    assert len(session.keys()) == 22  # whatever was looked at
    session["changed"] = 2
    del session["removed"]

    sent = dict(sent_to_redis(session.save))

    assert sent.keys() == {keys.field_of(key, "changed"), keys.field_of(key, "removed")}
    assert len(sent[keys.field_of(key, "removed")]) == STAMP
    assert len(in_redis(key).fields) == 22  # type: ignore[union-attr]  # it is there
    assert in_redis(key) == in_dynamodb(key)


def test_a_value_that_was_changed_in_place_is_sent() -> None:
    key = stored(lines=[1], other=[1])
    session = SessionStore(key)
    session["lines"].append(2)

    sent = sent_to_redis(session.save)

    assert [name for name, _ in sent] == [keys.field_of(key, "lines")]


def test_a_save_without_a_change_sends_no_attribute() -> None:
    session = SessionStore(stored(cart="c-1"))
    session["cart"] = "c-1"

    assert sent_to_redis(session.save) == []


def test_a_cleared_session_keeps_nothing_of_before() -> None:
    session = SessionStore(stored(cart="c-1", currency="JPY"))
    assert session["cart"] == "c-1"

    session.clear()
    session["language"] = "ja"
    session.save()

    assert content_of(str(session.session_key)) == {"language": "ja"}


# --- One after the other -------------------------------------------------------------------------


def test_a_rename_keeps_what_a_save_before_it_was_merged_with() -> None:
    key = stored(cart="c-1")
    session, other = SessionStore(key), SessionStore(key)
    session["mine"] = 1
    other["theirs"] = 2
    other.save()

    session.save()
    session.cycle_key()

    assert content_of(str(session.session_key)) == {"cart": "c-1", "mine": 1, "theirs": 2}


def test_a_rename_after_a_merge_forgets_what_the_other_removed() -> None:
    key = stored(cart="c-1", removed=1)
    session, other = SessionStore(key), SessionStore(key)
    assert session["removed"] == 1
    del other["removed"]
    other.save()
    session["mine"] = 1

    session.save()
    session.cycle_key()

    assert content_of(str(session.session_key)) == {"cart": "c-1", "mine": 1}


def test_a_save_after_a_merge_does_not_undo_the_others_change() -> None:
    key = stored(currency="TWD")
    session, other = SessionStore(key), SessionStore(key)
    assert session["currency"] == "TWD"
    other["currency"] = "JPY"
    other.save()
    session["mine"] = 1
    session.save()

    session["mine"] = 2
    session.save()

    assert content_of(key) == {"currency": "JPY", "mine": 2}
