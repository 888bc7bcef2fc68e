"""Sessions that two requests change, and sessions whose Redis was lost: where engines differ."""

from typing import Any

import pytest
from django.contrib.sessions.backends.base import UpdateError

from storage.redis import redis_primary
from tests.sessions_ext.behaviour.twin import CACHE, CACHED_DB, OURS, Engine

# --- Two requests at once ----------------------------------------------------------------------


def test_saving_does_not_resurrect_what_another_request_deleted(engine: Engine) -> None:
    session = engine.stored(currency="JPY")
    key = session.key
    engine.open(key).delete()
    session.set("currency", "TWD")

    with pytest.raises(UpdateError):
        session.save()

    assert not session.exists(key)
    assert session.load() == {}


def test_saving_does_not_resurrect_what_another_request_renamed(engine: Engine) -> None:
    key = engine.stored(currency="JPY").key
    session = engine.open(key)
    session.set("currency", "TWD")
    engine.open(key).cycle_key()

    with pytest.raises(UpdateError):
        session.save()

    assert engine.content(key) == {}


# Django's engines make it again, under the key that was logged out.
CREATED_AFTER_DELETE: dict[str, type[Exception] | None] = {
    OURS: UpdateError,
    CACHED_DB: None,
    CACHE: None,
}


def test_creating_what_another_request_deleted(engine: Engine) -> None:
    key = engine.stored(currency="JPY").key
    session = engine.open(key)
    session.get("currency")
    engine.open(key).delete()

    if error := engine.expected(CREATED_AFTER_DELETE):
        with pytest.raises(error):
            session.save(must_create=True)
        assert engine.content(key) == {}
    else:
        session.save(must_create=True)
        assert engine.content(key) == {"currency": "JPY"}  # back to life


# Django's engines write what they hold under the new key, without asking for the old one.
RENAMED_AFTER_DELETE: dict[str, type[Exception] | None] = {
    OURS: UpdateError,
    CACHED_DB: None,
    CACHE: None,
}


def test_renaming_what_another_request_deleted(engine: Engine) -> None:
    key = engine.stored(currency="JPY").key
    session = engine.open(key)
    session.get("currency")
    engine.open(key).delete()

    if error := engine.expected(RENAMED_AFTER_DELETE):
        with pytest.raises(error):
            session.cycle_key()
    else:
        session.cycle_key()
        assert engine.content(session.key) == {"currency": "JPY"}  # back to life


# Django's engines save the whole session, so the last save undoes the one before.
BOTH_SAVED: dict[str, dict[str, Any]] = {
    OURS: {"currency": "JPY", "language": "ja"},
    CACHED_DB: {"language": "ja"},
    CACHE: {"language": "ja"},
}


def test_two_requests_that_change_two_attributes(engine: Engine) -> None:
    key = engine.stored().key
    first, second = engine.open(key), engine.open(key)
    first.set("currency", "JPY")
    second.set("language", "ja")

    first.save()
    second.save()

    assert engine.content(key) == engine.expected(BOTH_SAVED)


ONE_REMOVED: dict[str, dict[str, Any]] = {
    OURS: {"language": "ja"},
    CACHED_DB: {"currency": "JPY", "language": "ja"},
    CACHE: {"currency": "JPY", "language": "ja"},
}


def test_a_request_that_removes_and_one_that_adds(engine: Engine) -> None:
    key = engine.stored(currency="JPY").key
    first, second = engine.open(key), engine.open(key)
    first.pop("currency")
    second.set("language", "ja")

    first.save()
    second.save()

    assert engine.content(key) == engine.expected(ONE_REMOVED)


RENAMED_DURING_A_SAVE: dict[str, dict[str, Any]] = {
    OURS: {"currency": "JPY", "language": "ja"},
    CACHED_DB: {"currency": "JPY"},
    CACHE: {"currency": "JPY"},
}


def test_renaming_takes_what_another_request_saved(engine: Engine) -> None:
    key = engine.stored(currency="JPY").key
    session, other = engine.open(key), engine.open(key)
    session.get("currency")
    other.set("language", "ja")
    other.save()

    session.cycle_key()

    assert engine.content(session.key) == engine.expected(RENAMED_DURING_A_SAVE)


def test_renaming_spares_what_another_request_did_not_touch(engine: Engine) -> None:
    key = engine.stored(**{"": "nameless", "currency": "JPY"}).key
    session, other = engine.open(key), engine.open(key)
    session.get("currency")
    other.set("language", "ja")
    other.save()
    other.pop("language")
    other.save()

    session.cycle_key()

    assert engine.content(session.key) == {"": "nameless", "currency": "JPY"}


# --- Redis has lost everything -----------------------------------------------------------------

LEFT_AFTER_FLUSHALL: dict[str, dict[str, Any]] = {
    OURS: {"currency": "JPY"},
    CACHED_DB: {"currency": "JPY"},
    CACHE: {},
}


def test_a_session_that_redis_has_lost(engine: Engine) -> None:
    key = engine.stored(currency="JPY").key
    redis_primary().flushdb()

    assert engine.content(key) == engine.expected(LEFT_AFTER_FLUSHALL)


def test_a_session_that_redis_has_lost_stays_deleted(engine: Engine) -> None:
    session = engine.stored(currency="JPY")
    engine.open(session.key).delete()
    redis_primary().flushdb()
    session.set("currency", "TWD")

    with pytest.raises(UpdateError):
        session.save()

    assert engine.content(session.key) == {}
    assert not session.exists(session.key)


SAVED_AFTER_FLUSHALL: dict[str, type[Exception] | None] = {
    OURS: None,
    CACHED_DB: None,
    CACHE: UpdateError,
}


def test_saving_what_redis_has_lost_meanwhile(engine: Engine) -> None:
    key = engine.stored(currency="JPY", cart=7).key
    session = engine.open(key)
    session.set("currency", "TWD")
    redis_primary().flushdb()

    if error := engine.expected(SAVED_AFTER_FLUSHALL):
        with pytest.raises(error):
            session.save()
    else:
        session.save()
        assert engine.content(key) == {"currency": "TWD", "cart": 7}
