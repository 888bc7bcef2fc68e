"""What happens to a stored session: created, saved, renamed, deleted, and never resurrected."""

from collections.abc import Callable

import pytest
from django.contrib.sessions.backends.base import VALID_KEY_CHARS, CreateError

from tests.sessions_ext.behaviour.twin import Engine, Session

# --- Create and save -------------------------------------------------------------------------


def test_save_creates_a_session_under_a_key_of_its_own(engine: Engine) -> None:
    session = engine.open()
    session.set("currency", "JPY")

    session.save()

    assert session.key is not None
    assert len(session.key) == 32
    assert set(session.key) <= set(VALID_KEY_CHARS)
    assert session.exists(session.key)
    assert engine.content(session.key) == {"currency": "JPY"}


def test_saving_keeps_what_the_session_holds(engine: Engine) -> None:
    session = engine.stored(currency="JPY")

    assert session.get("currency") == "JPY"


def test_create_stores_at_once(engine: Engine) -> None:
    session = engine.open()

    session.create()

    assert session.exists(session.key)
    assert session.store.modified
    assert engine.content(session.key) == {}


def test_create_stores_what_was_set_before(engine: Engine) -> None:
    session = engine.open()
    session.set("currency", "JPY")

    session.create()

    assert engine.content(session.key) == {"currency": "JPY"}


def test_create_copies_a_session_that_was_loaded(engine: Engine) -> None:
    key = engine.stored(currency="JPY", language="ja").key
    session = engine.open(key)
    session.get("currency")

    session.create()

    assert session.get("language") == "ja"
    assert engine.content(session.key) == {"currency": "JPY", "language": "ja"}
    assert engine.content(key) == {"currency": "JPY", "language": "ja"}


def test_create_and_then_save(engine: Engine) -> None:
    session = engine.open()
    session.create()
    session.set("currency", "JPY")

    session.save()

    assert engine.content(session.key) == {"currency": "JPY"}


def test_two_sessions_get_two_keys(engine: Engine) -> None:
    first, second = engine.stored(number=1), engine.stored(number=2)

    assert first.key != second.key
    assert engine.content(first.key) == {"number": 1}
    assert engine.content(second.key) == {"number": 2}


def test_must_create_creates(engine: Engine) -> None:
    session = engine.open()
    session.set("currency", "JPY")

    session.save(must_create=True)

    assert engine.content(session.key) == {"currency": "JPY"}


def test_must_create_refuses_a_session_that_exists(engine: Engine) -> None:
    key = engine.stored(currency="JPY").key
    second = engine.open(key)
    second.update({"currency": "TWD"})

    with pytest.raises(CreateError):
        second.save(must_create=True)

    assert engine.content(key) == {"currency": "JPY"}


def test_save_changes_what_is_stored(engine: Engine) -> None:
    key = engine.stored(currency="JPY", language="ja", cart=1).key
    session = engine.open(key)
    session.set("currency", "TWD")
    session.pop("cart")

    session.save()

    assert session.key == key
    assert engine.content(key) == {"currency": "TWD", "language": "ja"}


def test_save_sees_a_change_inside_a_value(engine: Engine) -> None:
    key = engine.stored(seen=[1], other="kept").key
    session = engine.open(key)
    session.get("seen").append(2)

    session.save()

    assert engine.content(key) == {"seen": [1, 2], "other": "kept"}


def test_save_again_after_a_change_inside_a_value(engine: Engine) -> None:
    session = engine.stored(seen=[1])
    session.get("seen").append(2)

    session.save()

    assert engine.content(session.key) == {"seen": [1, 2]}


def test_a_removed_attribute_may_come_back(engine: Engine) -> None:
    session = engine.stored(currency="JPY")
    session.pop("currency")
    session.save()

    session.set("currency", "JPY")
    session.save()

    assert engine.content(session.key) == {"currency": "JPY"}


@pytest.mark.parametrize("loaded", [True, False])
def test_clear_empties_what_is_stored_and_keeps_the_key(engine: Engine, loaded: bool) -> None:
    key = engine.stored(currency="JPY", language="ja").key
    session = engine.open(key)
    if loaded:
        session.get("currency")

    session.store.clear()
    session.save()

    assert session.key == key
    assert session.exists(key)
    assert engine.content(key) == {}


@pytest.mark.parametrize("loaded", [True, False])
def test_clear_and_set_replaces_everything(engine: Engine, loaded: bool) -> None:
    key = engine.stored(currency="JPY", language="ja").key
    session = engine.open(key)
    if loaded:
        session.get("currency")

    session.store.clear()
    session.set("cart", 7)
    session.save()

    assert engine.content(key) == {"cart": 7}


# --- Keys ------------------------------------------------------------------------------------


def never_issued(engine: Engine) -> str:
    return "someunknownkey"


def deleted(engine: Engine) -> str:
    session = engine.stored(currency="JPY")
    session.delete()
    assert session.key
    return session.key


def overlong(engine: Engine) -> str:
    return "abcdefghijklmnopqrstuvwxyz0123456789" * 20


def in_capitals(engine: Engine) -> str:
    key = engine.stored(currency="JPY").key
    assert key
    return key.upper()


UNKNOWN = [never_issued, deleted, overlong, in_capitals]


@pytest.mark.parametrize("unknown", UNKNOWN)
def test_load_of_an_unknown_key_forgets_it_and_creates_nothing(
    engine: Engine, unknown: Callable[[Engine], str]
) -> None:
    key = unknown(engine)
    session = engine.open(key)

    assert session.load() == {}

    assert session.key is None
    assert not session.exists(key)
    assert not session.exists(None)


@pytest.mark.parametrize("unknown", UNKNOWN)
def test_saving_under_an_unknown_key_takes_a_new_one(
    engine: Engine, unknown: Callable[[Engine], str]
) -> None:
    key = unknown(engine)
    session = engine.open(key)
    session.get("currency")
    session.set("currency", "TWD")

    session.save()

    assert session.key is not None
    assert session.key != key
    assert not session.exists(key)
    assert engine.content(session.key) == {"currency": "TWD"}


@pytest.mark.parametrize("key", [None, "", "1234567"])
def test_a_key_too_short_to_be_one_is_none(engine: Engine, key: str | None) -> None:
    assert engine.open(key).key is None

    session = engine.open(key)
    session.save()

    assert session.key not in (None, key)


def test_the_key_is_read_only(engine: Engine) -> None:
    session = engine.stored()

    with pytest.raises(AttributeError):
        session.store.session_key = "1" * 32


def test_a_key_that_exists_is_one_that_was_stored(engine: Engine) -> None:
    key = engine.stored().key
    other = engine.open()

    assert other.exists(key) is True
    assert other.flags == (False, False)


# --- Delete, flush, cycle_key ----------------------------------------------------------------


def test_delete_forgets_the_session(engine: Engine) -> None:
    session = engine.stored(currency="JPY")

    session.delete()

    assert not session.exists(session.key)
    assert engine.content(session.key) == {}


def test_delete_of_another_key_spares_this_one(engine: Engine) -> None:
    session, other = engine.stored(number=1), engine.stored(number=2)

    session.delete(other.key)

    assert engine.content(session.key) == {"number": 1}
    assert not session.exists(other.key)


def test_delete_of_what_is_not_there_is_nothing(engine: Engine) -> None:
    engine.open().delete()
    session = engine.stored()
    session.delete()

    session.delete()
    session.delete("someunknownkey")

    assert not session.exists(session.key)


def test_flush_deletes_and_forgets_the_key(engine: Engine) -> None:
    session = engine.stored(currency="JPY")
    key = session.key
    session.untouch()

    session.flush()

    assert session.key is None
    assert session.flags == (True, True)
    assert session.store.is_empty()
    assert not session.exists(key)


def test_a_flushed_session_starts_anew(engine: Engine) -> None:
    session = engine.stored(currency="JPY")
    key = session.key
    session.flush()
    session.set("language", "ja")

    session.save()

    assert session.key not in (None, key)
    assert engine.content(session.key) == {"language": "ja"}


def test_flush_of_a_session_never_saved(session: Session) -> None:
    session.flush()

    assert session.key is None
    assert session.store.is_empty()


@pytest.mark.parametrize("loaded", [True, False])
def test_cycle_key_renames_the_session(engine: Engine, loaded: bool) -> None:
    session = engine.stored(currency="JPY", cart=[1])
    key = session.key
    if not loaded:
        session = engine.open(key)

    session.cycle_key()

    assert session.key not in (None, key)
    assert session.store.modified
    assert not session.exists(key)
    assert dict(session.items()).items() >= {"currency": "JPY", "cart": [1]}.items()
    assert engine.content(session.key) == {"currency": "JPY", "cart": [1]}


def test_cycle_key_stores_what_was_set_before(engine: Engine) -> None:
    session = engine.stored(currency="JPY")
    session.set("cart", 7)

    session.cycle_key()

    assert engine.content(session.key) == {"currency": "JPY", "cart": 7}


def test_cycle_key_of_a_session_never_saved(engine: Engine) -> None:
    session = engine.open()
    session.set("cart", 7)

    session.cycle_key()

    assert engine.content(session.key) == {"cart": 7}


def test_a_renamed_session_can_be_saved(engine: Engine) -> None:
    session = engine.stored(currency="JPY")
    session.cycle_key()
    session.set("cart", 7)

    session.save()

    assert engine.content(session.key) == {"currency": "JPY", "cart": 7}
