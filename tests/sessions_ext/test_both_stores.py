"""What one store knows and the other does not: nothing acknowledged is lost, nothing dead returns.

Here the two stores are made to differ, step by step; tests/faults breaks the servers themselves.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.backends.cache import SessionStore as DjangoCacheStore
from redis.exceptions import ConnectionError

from sessions_ext import dynamodb_store, health, redis_store
from sessions_ext.conf import conf
from sessions_ext.dynamodb_store import Tombstone
from sessions_ext.engine import SessionStore
from sessions_ext.health import dynamodb_gate, redis_gate
from sessions_ext.record import now_ms
from sessions_ext.sweep import sweep
from storage.clients import dynamodb as dynamodb_client
from tests.sessions_ext.outage import dynamodb_gone, forget_clients, redis_gone
from tests.sessions_ext.stores import (
    WAIT,
    again,
    assert_both_hold_the_same,
    away,
    change,
    content_of,
    in_dynamodb,
    in_redis,
    redis_loses_what_follows,
    stored,
    trust_redis,
)
from tests.stack import wait_until

if TYPE_CHECKING:
    pass

# --- Redis lost writes -------------------------------------------------------------------------


def test_lost_writes_are_seen_by_the_browser_that_made_them() -> None:
    session = stored(cart="c-1")
    with redis_loses_what_follows():
        change(session, currency="JPY")

    assert again(session, known=session.version)["currency"] == "JPY"

    assert_both_hold_the_same(session)


def test_lost_writes_survive_a_save_that_does_not_know_of_them() -> None:
    session = stored(cart="c-1")
    with redis_loses_what_follows():
        change(session, currency="JPY", cart="c-2")

    change(again(session), language="ja")

    assert content_of(session) == {"cart": "c-2", "currency": "JPY", "language": "ja"}
    assert_both_hold_the_same(session)


def test_attribute_removed_by_a_lost_write_stays_removed() -> None:
    session = stored(cart="c-1", coupon="SPRING")
    with redis_loses_what_follows():
        del session["coupon"]
        session.save()

    change(again(session), language="ja")

    assert content_of(session) == {"cart": "c-1", "language": "ja"}


def test_lost_log_out_holds_once_redis_is_reconciled() -> None:
    session = stored(cart="c-1")
    cookie = again(session)
    with redis_loses_what_follows():
        session.flush()

    health.reset()

    assert dict(cookie.items()) == {}


def test_lost_log_out_holds_only_for_redis_is_reconciled(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control."""
    session = stored(cart="c-1")
    cookie = again(session)
    with redis_loses_what_follows():
        session.flush()

    monkeypatch.setattr(health, "reconcile", lambda *args, **options: 0)
    health.reset()

    assert dict(cookie.items()) == {"cart": "c-1"}


def test_another_primary_is_told_of_every_deletion(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may have lacked them for long. A probe that is under way does not know of the change."""
    session = stored(cart="c-1")
    cookie = again(session)
    trust_redis()
    redis_gate.watch()
    with redis_loses_what_follows():
        session.flush()
    redis_gate.close(ConnectionError("it goes away"))
    monkeypatch.setattr(redis_gate, "_identity", ("another", "history"))
    monkeypatch.setattr(redis_gate, "_since", now_ms() + 1)  # the deletion is from long before
    wait_until(redis_gate.is_open, WAIT, "Redis is trusted")

    assert dict(cookie.items()) == {}


# --- DynamoDB was away ---------------------------------------------------------------------------


def test_log_out_without_dynamodb_holds_without_redis_afterwards(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Even before the sweep: DynamoDB is told of log-outs before it is asked alone."""
    monkeypatch.setattr(redis_store, "CONFIRM_WITHIN", 10_000)  # of a busy machine's replica
    session = stored(cart="c-1")
    cookie = again(session)
    with away(dynamodb_gone):
        dynamodb_gate.close(ConnectionError("seen to be away"))
        session.flush()
    dynamodb_gate.close(ConnectionError("away until its probe passes"))
    wait_until(dynamodb_gate.is_open, WAIT, "DynamoDB is asked")

    assert isinstance(in_dynamodb(cookie), Tombstone)


def test_what_was_saved_without_dynamodb_is_copied_by_the_next_save() -> None:
    session = stored(cart="c-1")
    with away(dynamodb_gone):
        trust_redis()
        change(session, currency="JPY")
    trust_redis()
    assert in_redis(session) != in_dynamodb(session)

    change(again(session), language="ja")

    assert_both_hold_the_same(session)


def test_what_was_saved_without_dynamodb_is_copied_by_the_sweep() -> None:
    session, made, ended = stored(cart="c-1"), SessionStore(), stored(cart="c-2")
    cookie = again(ended)
    with away(dynamodb_gone):
        trust_redis()
        change(session, currency="JPY")
        made["cart"] = "c-3"
        made.create()
        ended.flush()

    sweep()
    assert_both_hold_the_same(session)
    assert_both_hold_the_same(made)
    conf.redis().flushdb()

    seen = again(session, known=session.version)
    assert dict(seen.items()) == {"cart": "c-1", "currency": "JPY"}
    assert content_of(made) == {"cart": "c-3"}
    assert dict(cookie.items()) == {}


def test_redis_trusted_without_dynamodb_is_told_later() -> None:
    """It came back first, and knows nothing of the log-out until DynamoDB answers again."""
    session = stored(cart="c-1")
    cookie = again(session)
    with away(redis_gone):
        session.flush()
    with dynamodb_gone():
        forget_clients()
        assert redis_gate.is_open()
        assert dict(again(cookie).items()) == {"cart": "c-1"}  # as far as anybody can tell
    dynamodb_client.cache_clear()
    wait_until(dynamodb_gate.is_open, WAIT, "DynamoDB is asked")

    redis_gate.watch()

    assert dict(cookie.items()) == {}


# --- A region cut off from Redis -----------------------------------------------------------------


@pytest.fixture
def cut_off() -> Callable[[], Any]:
    """What happens in this block happens in a region that reaches DynamoDB only."""
    return lambda: away(redis_gone)


def heal() -> None:
    """The region reaches Redis again: its first request makes it whole."""
    health.reset()
    wait_until(redis_gate.is_open, WAIT, "Redis is trusted")


def both_regions_write(cut_off: Callable[[], Any]) -> SessionStore:
    """Other attributes, at the same time; the cut is still there afterwards."""
    session = stored(cart="c-1", coupon="SPRING", language="en")
    here, there = again(session), again(session)
    assert (here["cart"], there["cart"]) == ("c-1", "c-1")
    with cut_off():
        there["currency"] = "JPY"
        del there["coupon"]
        there.save()
    trust_redis()
    change(here, language="ja")
    return session


def test_what_both_sides_of_a_cut_wrote_is_merged(cut_off: Callable[[], Any]) -> None:
    session = both_regions_write(cut_off)

    heal()

    assert content_of(session) == {"cart": "c-1", "currency": "JPY", "language": "ja"}
    assert_both_hold_the_same(session)


def test_unread_journal_leaves_redis_without_the_others_writes(
    cut_off: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: nobody writes after the cut, and nobody reconciles."""
    session = stored(cart="c-1")
    with cut_off():
        change(again(session), currency="JPY")

    monkeypatch.setattr(health, "reconcile", lambda *args, **options: 0)
    heal()

    assert content_of(session) == {"cart": "c-1"}


def test_unconditional_copy_loses_what_the_other_side_wrote(
    cut_off: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control."""

    def put(client: Any, item: dict[str, Any], *ignored: object) -> bool:
        client.put_item(TableName=conf.table, Item=item)
        return True

    with monkeypatch.context() as patch:
        patch.setattr(dynamodb_store, "_put", put)
        session = both_regions_write(cut_off)

    heal()

    assert "currency" not in content_of(session)


def test_delete_where_redis_is_reached_wins(cut_off: Callable[[], Any]) -> None:
    session = stored(cart="c-1")
    cookie, there = again(session), again(session)
    assert there["cart"] == "c-1"
    session.flush()

    with cut_off(), pytest.raises(UpdateError):
        change(there, currency="JPY")
    heal()

    assert isinstance(in_dynamodb(cookie), Tombstone)
    assert dict(cookie.items()) == {}


def test_delete_where_redis_is_not_reached_wins(cut_off: Callable[[], Any]) -> None:
    session = stored(cart="c-1")
    cookie, here = again(session), again(session)
    assert here["cart"] == "c-1"
    with cut_off():
        session.flush()
    trust_redis()
    with pytest.raises(UpdateError):
        change(here, language="ja")
    heal()

    assert in_redis(cookie) is None
    assert dict(cookie.items()) == {}


def test_log_in_where_redis_is_not_reached_ends_the_guests_session(
    cut_off: Callable[[], Any],
) -> None:
    session = stored(cart="c-1")
    guest = again(session)
    with cut_off():
        session["_auth_user_id"] = "1"
        session.cycle_key()
    heal()

    assert dict(guest.items()) == {}
    assert content_of(session) == {"cart": "c-1", "_auth_user_id": "1"}
    assert_both_hold_the_same(session)


# --- All at once ---------------------------------------------------------------------------------


def test_thousand_sessions_survive_an_emptied_redis() -> None:
    sessions = [stored(cart=f"c-{number}") for number in range(1000)]

    conf.redis().flushdb()

    assert [session["cart"] for session in map(again, sessions)] == [
        f"c-{number}" for number in range(1000)
    ]


def test_djangos_sessions_do_not_survive_an_emptied_redis() -> None:
    """The control."""
    sessions = [DjangoCacheStore() for _ in range(10)]
    for session in sessions:
        session["cart"] = "c-1"
        session.save()

    conf.redis().flushdb()

    assert [dict(DjangoCacheStore(each.session_key).items()) for each in sessions] == [{}] * 10
