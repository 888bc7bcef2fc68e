"""Both engines serve the same browsers; each test has its control without the setting."""

import pytest
from django.conf import LazySettings
from django.contrib.sessions.backends.base import UpdateError
from pytest_django import DjangoAssertNumQueries

from sessions_ext import directory, keys
from sessions_ext.conf import AUTH_TOKEN
from sessions_ext.fallback import MARK, SYNC, MovingStore
from sessions_ext.former import former
from sessions_ext.misconfiguration import check_settings
from tests.sessions_ext.moving import (
    FORMER,
    engine,
    ours,
    plain,
    request_of_ours,
    theirs,
)

__all__ = ["engine"]  # a fixture


@pytest.fixture
def without(settings: LazySettings) -> None:
    """The control: ours asks nobody else."""
    settings.SESSION_FALLBACK_ENGINE = None


# --- Taking in -----------------------------------------------------------------------------------


def test_a_session_of_the_former_engine_is_taken_in(engine: str) -> None:
    key = theirs(engine, currency="JPY").session_key

    session = ours(key)

    assert plain(session) == {"currency": "JPY"}
    assert session.session_key == key


def test_a_session_that_was_taken_in_is_ours(engine: str, settings: LazySettings) -> None:
    key = theirs(engine, currency="JPY").session_key
    first = ours(key)
    assert plain(first) == {"currency": "JPY"}
    settings.SESSION_FALLBACK_ENGINE = None

    session = ours(key)
    session.known_version = first.known_version  # the version cookie

    assert plain(session) == {"currency": "JPY"}


def test_a_session_of_the_former_engine_is_unknown_without(engine: str, without: None) -> None:
    key = theirs(engine, currency="JPY").session_key

    assert plain(ours(key)) == {}


def test_it_keeps_its_expiry(engine: str) -> None:
    session = theirs(engine)
    session.set_expiry(1000)
    session.create()

    taken_in = ours(session.session_key)
    taken_in.get("anything")

    assert taken_in.expires_at // 1000 == pytest.approx(
        former(engine).read(session.session_key).expires_at // 1000,  # type: ignore[union-attr]  # it was found
        abs=1,
    )


def test_a_made_up_id_finds_nothing(engine: str) -> None:
    assert plain(ours("a" * 32)) == {}
    assert plain(ours("no id at all")) == {}


def test_a_session_that_ended_here_is_not_taken_in_again(engine: str) -> None:
    session = theirs(engine, user="42")
    key = session.session_key
    ours(key).flush()
    session.save(must_create=True)  # a former instance that had it loaded

    assert plain(ours(key)) == {}
    assert former(engine).read(key) is None


# --- A change there, a change here -------------------------------------------------------------


def test_changes_of_both_are_kept(engine: str) -> None:
    key = theirs(engine, currency="TWD", removed=1).session_key
    request_of_ours(key, language="ja")

    other = theirs(engine, key)
    other["currency"] = "JPY"
    del other["removed"]
    other.save()
    request_of_ours(key, cart="c-1")

    expected = {"currency": "JPY", "language": "ja", "cart": "c-1"}
    assert plain(ours(key)) == expected
    assert plain(theirs(engine, key)) == expected


def test_a_change_there_is_not_seen_without(engine: str, without: None) -> None:
    session = ours(currency="TWD")
    theirs(engine, session.session_key)  # there is none

    assert former(engine).read(str(session.session_key)) is None


def test_a_change_and_back_again_there_is_seen_each_time(engine: str) -> None:
    key = theirs(engine, currency="TWD").session_key
    for currency in ("JPY", "TWD", "JPY"):
        other = theirs(engine, key)
        other["currency"] = currency
        other.save()

        request_of_ours(key)

        assert plain(ours(key)) == {"currency": currency}


def test_a_former_instance_that_writes_an_old_copy_back_undoes_nothing(engine: str) -> None:
    session = ours(currency="TWD", language="en")
    slow = theirs(engine, session.session_key)
    assert slow["language"] == "en"
    request_of_ours(session.session_key, language="ja")

    slow["currency"] = "JPY"
    slow.save()

    assert plain(ours(session.session_key)) == {"currency": "JPY", "language": "ja"}
    assert plain(theirs(engine, session.session_key)) != {"currency": "JPY", "language": "ja"}
    request_of_ours(session.session_key)
    assert plain(theirs(engine, session.session_key)) == {"currency": "JPY", "language": "ja"}


def test_a_change_there_during_a_request_here_is_kept(engine: str) -> None:
    key = ours(currency="TWD").session_key
    session = ours(key)
    session["cart"] = "c-1"
    other = theirs(engine, key)
    other["currency"] = "JPY"
    other.save()

    session.save()

    assert plain(ours(key)) == {"currency": "JPY", "cart": "c-1"}
    assert plain(theirs(engine, key)) == {"currency": "JPY", "cart": "c-1"}


def test_concurrent_saves_here_reach_the_former_engine_whole(engine: str) -> None:
    key = ours(first=0, second=0).session_key
    one, two = ours(key), ours(key)
    one["first"], two["second"] = 1, 1

    one.save()
    two.save()

    assert plain(theirs(engine, key)) == {"first": 1, "second": 1}
    assert plain(ours(key)) == {"first": 1, "second": 1}


def test_a_cleared_session_is_cleared_there(engine: str) -> None:
    key = ours(currency="TWD").session_key
    for loads_first in (True, False):
        request_of_ours(key, currency="TWD")
        session = ours(key)
        assert not loads_first or session["currency"] == "TWD"
        session.clear()
        session["language"] = "ja"
        session.save()

        assert plain(theirs(engine, key)) == {"language": "ja"}
        assert plain(ours(key)) == {"language": "ja"}


# --- Ours is told there --------------------------------------------------------------------------


def test_a_session_of_ours_is_known_to_the_former_engine(engine: str) -> None:
    session = ours(currency="TWD")
    assert plain(theirs(engine, session.session_key)) == {"currency": "TWD"}

    session["currency"] = "JPY"
    session.save()

    assert plain(theirs(engine, session.session_key)) == {"currency": "JPY"}


def test_a_session_of_ours_is_unknown_there_without(engine: str, without: None) -> None:
    assert plain(theirs(engine, ours(currency="TWD").session_key)) == {}


def test_the_token_is_not_told(engine: str) -> None:
    session = ours(currency="TWD", **{AUTH_TOKEN: "secret"})

    copy = theirs(engine, session.session_key)

    assert copy.keys() == {"currency", MARK}
    assert ours(session.session_key)[AUTH_TOKEN] == "secret"


def test_a_session_from_before_the_setting_is_told_when_it_is_next_used(
    engine: str, settings: LazySettings
) -> None:
    """A rollback that was not planned."""
    settings.SESSION_FALLBACK_ENGINE = None
    key = ours(currency="TWD").session_key
    settings.SESSION_FALLBACK_ENGINE = engine

    request_of_ours(key)

    assert plain(theirs(engine, key)) == {"currency": "TWD"}


def test_a_log_in_here_is_one_there(engine: str) -> None:
    session = ours(cart="c-1")
    guest = session.session_key
    session["user"] = "42"

    session.cycle_key()

    assert plain(theirs(engine, session.session_key)) == {"cart": "c-1", "user": "42"}
    assert plain(theirs(engine, guest)) == {}


def test_a_log_in_there_is_one_here(engine: str) -> None:
    guest = ours(cart="c-1").session_key
    other = theirs(engine, guest)
    other["user"] = "42"
    other.cycle_key()

    request_of_ours(other.session_key)

    assert plain(ours(other.session_key)) == {"cart": "c-1", "user": "42"}
    assert plain(ours(guest)) == {}


# --- Ending --------------------------------------------------------------------------------------


def test_a_log_out_here_is_one_there(engine: str) -> None:
    session = ours(user="42")
    key = session.session_key

    session.flush()

    assert plain(theirs(engine, key)) == {}


def test_a_log_out_there_is_one_here(engine: str, settings: LazySettings) -> None:
    key = ours(user="42").session_key
    theirs(engine, key).flush()

    settings.SESSION_FALLBACK_ENGINE = None
    assert plain(ours(key)) == {"user": "42"}  # the control
    settings.SESSION_FALLBACK_ENGINE = engine
    assert plain(ours(key)) == {}
    settings.SESSION_FALLBACK_ENGINE = None
    assert plain(ours(key)) == {}


def test_a_log_out_there_of_what_was_taken_in_is_one_here(engine: str) -> None:
    key = theirs(engine, user="42").session_key
    assert plain(ours(key)) == {"user": "42"}

    theirs(engine, key).flush()

    assert plain(ours(key)) == {}


def test_a_log_out_there_during_a_request_here_holds(engine: str) -> None:
    key = ours(user="42").session_key
    session = ours(key)
    session["cart"] = "c-1"
    theirs(engine, key).flush()

    with pytest.raises(UpdateError):
        session.save()

    assert plain(ours(key)) == plain(theirs(engine, key)) == {}


def test_a_log_out_here_during_another_request_here_holds_there(engine: str) -> None:
    key = ours(user="42").session_key
    session = ours(key)
    session["cart"] = "c-1"
    ours(key).flush()

    with pytest.raises(UpdateError):
        session.save()

    assert plain(theirs(engine, key)) == {}


def test_a_log_out_from_afar_holds_there(engine: str) -> None:
    session = ours(_auth_user_id="42")

    directory.sign_out(keys.digest_of(str(session.session_key)))

    assert plain(theirs(engine, session.session_key)) == {}


# --- Cost ----------------------------------------------------------------------------------------


def test_it_costs_nothing_where_it_is_not_set(
    engine: str, without: None, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(0):
        session = ours(currency="TWD")
        session["currency"] = "JPY"
        session.save()
        assert plain(ours(session.session_key)) == {"currency": "JPY"}

    assert not isinstance(session, MovingStore)


@pytest.mark.parametrize("engine", FORMER[:2], indirect=True)
def test_a_load_costs_one_query_while_it_is_set(
    engine: str, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    session = ours(currency="TWD")

    with django_assert_num_queries(1):
        assert plain(ours(session.session_key)) == {"currency": "TWD"}


@pytest.mark.parametrize("former_engine", ["no.such.engine", "sessions_ext.engine"])
def test_an_engine_that_cannot_be_left_is_found_by_check(
    settings: LazySettings, former_engine: str
) -> None:
    assert "sessions_ext.E009" not in {message.id for message in check_settings()}

    settings.SESSION_FALLBACK_ENGINE = former_engine

    assert "sessions_ext.E009" in {message.id for message in check_settings()}


def test_nothing_is_kept_of_the_move_where_it_is_not_set(settings: LazySettings) -> None:
    session = ours(currency="TWD")

    assert SYNC not in ours(session.session_key)
