"""What happens at the same time as a store comes back, is sent twice, or is not what we wrote."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from django.contrib.sessions.backends.base import UpdateError
from redis.exceptions import ConnectionError

from sessions_ext import directory, dynamodb_store, health, keys, reconcile, redis_store
from sessions_ext.conf import conf
from sessions_ext.health import redis_gate
from sessions_ext.record import Record, now_ms
from sessions_ext.redis_store import Outcome
from sessions_ext.sweep import sweep
from tests.sessions_ext.outage import dynamodb_gone, redis_gone
from tests.sessions_ext.stores import (
    WAIT,
    again,
    assert_both_hold_the_same,
    away,
    change,
    content_of,
    digest_of,
    dynamodb,
    in_dynamodb,
    in_redis,
    redis_loses_what_follows,
    stored,
    trust_redis,
)
from tests.stack import wait_until

# --- A gate that opens -------------------------------------------------------------------------


@contextmanager
def in_between(
    monkeypatch: pytest.MonkeyPatch, module: Any, name: str, then: Callable[[], object]
) -> Iterator[None]:
    """`then` happens once, right after the function has done its work."""
    function, pending = getattr(module, name), [then]

    def wrapped(*args: Any, **options: Any) -> Any:
        answer = function(*args, **options)
        if pending:
            pending.pop()()
        return answer

    with monkeypatch.context() as patch:
        patch.setattr(module, name, wrapped)
        yield


def reopen_redis() -> None:
    redis_gate.close(ConnectionError("for a moment"))
    wait_until(redis_gate.is_open, WAIT, "Redis is trusted")


def test_redis_is_asked_again_after_no_thread_could_be_started(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        redis_gate.close(ConnectionError("for a moment"))
        assert not redis_gate.is_open()

    wait_until(redis_gate.is_open, WAIT, "Redis is trusted")


def test_log_out_while_redis_is_being_reconciled_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    """The journal has been read, and the log-out still sees that Redis must not be asked."""
    session = stored(cart="c-1")
    cookie = again(session)

    with in_between(monkeypatch, health, "reconcile", session.flush):
        reopen_redis()
        wait_until(lambda: in_redis(cookie) is None, WAIT, "Redis is told of the log-out")

    assert dict(again(cookie).items()) == {}


def test_primary_that_the_client_turned_to_is_not_believed_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It finds the one that the Sentinels name by itself, and nobody has seen a failure."""
    session = stored(cart="c-1")
    cookie = again(session)
    assert redis_gate.is_open()
    with redis_loses_what_follows():
        session.flush()
    monkeypatch.setattr(redis_gate, "_address", ("127.0.0.1", 1))

    assert dict(cookie.items()) == {}


def test_write_while_redis_is_being_reconciled_reaches_it(monkeypatch: pytest.MonkeyPatch) -> None:
    session = stored(cart="c-1")

    with in_between(monkeypatch, health, "reconcile", lambda: change(session, currency="JPY")):
        reopen_redis()
        wait_until(lambda: "currency" in content_of(session), WAIT, "Redis is told of the write")

    assert_both_hold_the_same(session)


def test_write_noted_and_not_yet_made_stays_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process reconciles between a writer's note and its write."""
    session = stored(cart="c-1")

    def reconcile_elsewhere() -> None:
        reconcile.reconcile(conf.redis(), dynamodb(), since=now_ms() - 60_000)

    with away(redis_gone):
        pass
    redis_gate._tried = True  # closed, and nobody tries it
    monkeypatch.setattr(redis_gate, "_try_in_background", lambda: None)
    with in_between(monkeypatch, dynamodb_store, "note", reconcile_elsewhere):
        change(session, currency="JPY")
    assert in_redis(session) != in_dynamodb(session)

    reconcile_elsewhere()

    assert_both_hold_the_same(session)


def test_sweep_counts_the_journals_writes_and_not_its_deletions() -> None:
    written, ended = stored(cart="c-1"), stored(cart="c-2")
    ended.delete()
    assert sweep().taken_over == 0

    with away(redis_gone):
        change(written, currency="JPY")

    assert sweep().taken_over == 1


# --- An answer that was lost ---------------------------------------------------------------------


def test_sending_a_new_session_twice_makes_one() -> None:
    """A client sends it again when the connection broke before the answer."""
    digest, record = keys.digest_of(keys.new_id()), Record(version=5, expires_at=now_ms() + 60_000)
    outcomes = [
        redis_store.save(
            conf.redis(),
            digest,
            create=True,
            loaded=0,
            record=record,
            changes={b"f" * 12: b"v" * 9},
        )[0]
        for _ in range(2)
    ]
    dynamodb_store.create(dynamodb(), digest, record)
    dynamodb_store.create(dynamodb(), digest, record)

    assert outcomes == [Outcome.SAVED, Outcome.SAVED]


def test_renaming_twice_in_the_same_way_is_renaming_once() -> None:
    session = stored(cart="c-1")
    new = keys.digest_of(keys.new_id())
    record = Record(version=session.version + 1, expires_at=now_ms() + 60_000)
    outcomes = [
        redis_store.rename(
            conf.redis(),
            digest_of(session),
            new,
            loaded=session.version,
            record=record,
            forget_at=now_ms() + 60_000,
        )[0]
        for _ in range(2)
    ]

    assert outcomes == [Outcome.SAVED, Outcome.SAVED]


# --- What should not be there --------------------------------------------------------------------


def test_session_deleted_while_its_copies_are_compared_is_nobodys(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session = stored(cart="c-1")
    cookie = again(session)
    with away(dynamodb_gone):
        trust_redis()
        change(again(session), language="ja")
    with away(redis_gone):
        change(session, currency="JPY")
    trust_redis()

    def deleted_elsewhere() -> None:
        dynamodb_store.bury(dynamodb(), digest_of(cookie), forget_at=now_ms() + 60_000)

    with in_between(monkeypatch, redis_store, "absorb", deleted_elsewhere):
        seen = dict(again(cookie, known=session.version).items())

    assert seen == {}
    assert in_redis(cookie) is None


@pytest.mark.parametrize(
    "spoil",
    [
        lambda client, key: client.hset(key, "v", "soon"),
        lambda client, key: client.hdel(key, "x", "d"),
        lambda client, key: client.hset(key, b"f" * 12, b"short"),
        lambda client, key: (client.delete(key), client.set(key, "text")),
    ],
)
def test_spoilt_session_in_redis_is_repaired_from_its_copy(
    spoil: Callable[[Any, str], object],
) -> None:
    """And keeps no gate closed: one spoilt session must not cost the others their Redis."""
    session = stored(cart="c-1")
    with away(redis_gone):
        change(session, currency="JPY")
    trust_redis()
    spoil(conf.redis(), redis_store.session_key(digest_of(session)))

    seen = dict(again(session, known=session.version).items())
    change(again(session), language="ja")

    assert seen == {"cart": "c-1", "currency": "JPY"}
    assert content_of(session) == {"cart": "c-1", "currency": "JPY", "language": "ja"}
    wait_until(redis_gate.is_open, WAIT, "Redis is trusted")


def test_spoilt_copy_stops_nobody() -> None:
    session = stored(cart="c-1")
    with away(redis_gone):
        change(session, currency="JPY")
    dynamodb().put_item(
        TableName=conf.table,
        Item={
            "pk": {"S": digest_of(session)},
            "sk": {"S": "session"},
            "x": {"N": str(now_ms() + 60_000)},
            "v": {"S": "soon"},
        },
    )

    health.reset()

    assert content_of(session) == {"cart": "c-1"}
    wait_until(redis_gate.is_open, WAIT, "Redis is trusted")


def test_copy_that_expires_while_it_is_taken_over_is_nobodys() -> None:
    digest = keys.digest_of(keys.new_id())

    redis_store.absorb(conf.redis(), digest, Record(version=5, expires_at=now_ms() - 1))

    assert redis_store.read(conf.redis(), digest) is None


# --- A rename, and somebody who tells DynamoDB of it meanwhile -----------------------------------


@pytest.mark.parametrize("who", ["sweep", "reconciliation"])
def test_a_rename_survives_whoever_tells_dynamodb_of_it_first(
    who: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis' tombstone of the former id is copied before the request gets to it."""
    session = stored(cart="c-1")
    there, digest = in_dynamodb(session), digest_of(session)
    assert isinstance(there, Record)
    before = there

    def tell() -> None:
        if who == "sweep":
            sweep()
        else:
            reconcile.complete(conf.redis(), dynamodb(), digest, before)

    with in_between(monkeypatch, redis_store, "rename", tell):
        session.cycle_key()

    assert content_of(session) == {"cart": "c-1"}


def test_a_log_out_ends_a_rename_whose_answer_was_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    session = stored(cart="c-1", _auth_user_id="lost-answer")
    other = again(session)
    assert other["cart"] == "c-1"
    rename = redis_store.rename

    def answerless(*args: Any, **options: Any) -> Any:
        rename(*args, **options)
        raise ConnectionError("the answer is lost")

    trust_redis()
    with monkeypatch.context() as patch:
        patch.setattr(redis_store, "rename", answerless)
        with in_between(patch, dynamodb_store, "note", other.flush), suppress(UpdateError):
            session.cycle_key()

    assert directory.sessions_of("lost-answer") == []
