"""When a session ends: what the engine says, and when it really ends."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.management.commands.clearsessions import Command as ClearSessions
from django.core.management import call_command
from django.utils import timezone

from tests.sessions_ext.behaviour.twin import CACHE, CACHED_DB, OURS, Engine, Session
from tests.stack import wait_until

NOW = datetime(2026, 11, 23, 1, 2, 3, 456789, tzinfo=UTC)
IN_TEN_SECONDS = NOW + timedelta(seconds=10)
COOKIE_AGE = 24 * 60 * 60  # seconds


def test_a_session_ends_when_its_cookie_does(session: Session) -> None:
    assert session.get_expiry_age() == COOKIE_AGE
    assert session.get_expiry_date(modification=NOW) == NOW + timedelta(seconds=COOKIE_AGE)
    assert session.get_expire_at_browser_close() is False


def test_set_expiry_in_seconds_counts_from_the_last_change(session: Session) -> None:
    session.set_expiry(10)

    assert session.store.modified
    assert session.get_expiry_age(modification=NOW) == 10
    assert session.get_expiry_date(modification=NOW) == IN_TEN_SECONDS


def test_set_expiry_at_a_time(session: Session) -> None:
    session.set_expiry(IN_TEN_SECONDS)

    assert session.get_expiry_age(modification=NOW) == 10
    assert session.get_expiry_age(modification=NOW + timedelta(seconds=4)) == 6
    assert session.get_expiry_date(modification=NOW) == IN_TEN_SECONDS


def test_set_expiry_after_a_timedelta(session: Session) -> None:
    before = timezone.now()

    session.set_expiry(timedelta(seconds=10))

    ends = session.get_expiry_date()
    assert before <= ends - timedelta(seconds=10) <= timezone.now()
    assert session.get_expiry_age(modification=ends - timedelta(seconds=10)) == 10


def test_set_expiry_to_none_resets_it(session: Session) -> None:
    session.set_expiry(None)
    session.set_expiry(10)

    session.set_expiry(None)

    assert session.get_expiry_age() == COOKIE_AGE
    assert dict(session.items()) == {}


def test_zero_ends_with_the_browser_and_at_the_usual_age(session: Session) -> None:
    session.set_expiry(0)

    assert session.get_expire_at_browser_close() is True
    assert session.get_expiry_age() == COOKIE_AGE


@pytest.mark.parametrize("default", [True, False])
@pytest.mark.parametrize(("expiry", "closes"), [(10, False), (0, True), (None, None)])
def test_the_setting_decides_where_the_session_does_not(
    session: Session, settings: LazySettings, default: bool, expiry: int | None, closes: bool | None
) -> None:
    settings.SESSION_EXPIRE_AT_BROWSER_CLOSE = default

    session.set_expiry(expiry)

    expected = default if closes is None else closes
    assert session.get_expire_at_browser_close() is expected


@pytest.mark.parametrize(
    ("expiry", "age"),
    [
        (IN_TEN_SECONDS, 10),
        (IN_TEN_SECONDS.isoformat(), 10),
        (10, 10),
        (0, COOKIE_AGE),
        (None, COOKIE_AGE),
        (NOW - timedelta(seconds=10), -10),
    ],
)
def test_an_expiry_that_is_passed_needs_no_session(engine: Engine, expiry: Any, age: int) -> None:
    session = engine.open(engine.stored().key)

    assert session.get_expiry_age(modification=NOW, expiry=expiry) == age
    assert session.get_expiry_date(modification=NOW, expiry=expiry) == NOW + timedelta(seconds=age)
    assert session.flags == (False, False)  # not loaded for it


@pytest.mark.parametrize("expiry", [10, 0, IN_TEN_SECONDS])
def test_expiry_is_stored_with_the_session(engine: Engine, expiry: Any) -> None:
    session = engine.open()
    session.set_expiry(timezone.now() + timedelta(days=1) if expiry == IN_TEN_SECONDS else expiry)
    session.save()

    found = engine.open(session.key)

    assert found.get_expiry_date(modification=NOW) == session.get_expiry_date(modification=NOW)
    assert found.get_expire_at_browser_close() is (expiry == 0)


PAST = [-10, timedelta(seconds=-10), datetime(2001, 1, 1, tzinfo=UTC)]


@pytest.mark.parametrize("expiry", PAST, ids=lambda expiry: type(expiry).__name__)
def test_a_session_that_ends_in_the_past_is_gone_at_once(engine: Engine, expiry: Any) -> None:
    session = engine.open()
    session.set("currency", "JPY")
    session.set_expiry(expiry)

    session.save()

    assert engine.content(session.key) == {}


@pytest.mark.parametrize("expiry", PAST, ids=lambda expiry: type(expiry).__name__)
def test_a_stored_session_can_be_ended(engine: Engine, expiry: Any) -> None:
    session = engine.stored(currency="JPY")
    session.set_expiry(expiry)

    session.save()

    assert engine.content(session.key) == {}


def test_a_session_ends_when_it_said(engine: Engine) -> None:
    session = engine.open()
    session.set("currency", "JPY")
    began = time.monotonic()
    session.set_expiry(2)
    session.save()
    content = engine.content(session.key)
    assert content.get("currency") == "JPY" or time.monotonic() - began > 2

    wait_until(lambda: not engine.content(session.key), 60, "the session has ended")
    assert time.monotonic() - began > 1


# cached_db keeps the row until somebody clears it, and does not look at its date.
EXISTS_AFTER_ITS_END = {OURS: False, CACHED_DB: True, CACHE: False}


def test_an_ended_session_exists(engine: Engine) -> None:
    session = engine.stored(currency="JPY")
    session.set_expiry(-10)
    session.save()

    assert session.exists(session.key) is engine.expected(EXISTS_AFTER_ITS_END)


SAVED_AFTER_ITS_END: dict[str, type[Exception] | None] = {
    OURS: UpdateError,
    CACHED_DB: None,
    CACHE: UpdateError,
}


def test_saving_a_session_after_its_end(engine: Engine) -> None:
    session = engine.stored(currency="JPY")
    session.set_expiry(-10)
    session.save()
    session.set_expiry(None)

    if error := engine.expected(SAVED_AFTER_ITS_END):
        with pytest.raises(error):
            session.save()
    else:
        session.save()
        assert engine.content(session.key) == {"currency": "JPY"}  # back to life


def test_clear_expired_spares_the_living(engine: Engine) -> None:
    living, ended = engine.stored(number=1), engine.stored(number=2)
    ended.set_expiry(-10)
    ended.save()

    living.clear_expired()

    assert engine.content(living.key) == {"number": 1}
    assert not living.exists(ended.key)


def test_the_command_clears_expired(engine: Engine) -> None:
    living, ended = engine.stored(number=1), engine.stored(number=2)
    ended.set_expiry(-10)
    ended.save()

    call_command(ClearSessions())

    assert engine.content(living.key) == {"number": 1}
    assert not living.exists(ended.key)
