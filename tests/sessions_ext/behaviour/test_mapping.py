"""A session as a mapping: what each method answers, and which flags it raises."""

from typing import Any

import pytest
from django.contrib.sessions.backends.base import SessionBase

from tests.sessions_ext.behaviour.twin import Engine, Session

READ, WRITTEN = (True, False), (True, True)


def test_a_new_session_is_untouched_and_empty(session: Session) -> None:
    assert session.flags == (False, False)
    assert session.key is None
    assert session.store.is_empty()
    assert not session.store


def test_a_missing_attribute_is_none_or_the_default(session: Session) -> None:
    assert session.get("currency") is None
    assert session.get("currency", "TWD") == "TWD"
    assert session.flags == READ


def test_brackets_raise_for_a_missing_attribute(session: Session) -> None:
    with pytest.raises(KeyError):
        session.store["currency"]
    with pytest.raises(KeyError):
        del session.store["currency"]


def test_set_changes_the_session(session: Session) -> None:
    session.set("currency", "JPY")

    assert session.flags == WRITTEN
    assert session.get("currency") == "JPY"
    assert session.store["currency"] == "JPY"


def test_del_changes_the_session(session: Session) -> None:
    session.set("currency", "JPY")
    session.untouch()

    del session.store["currency"]

    assert session.flags == WRITTEN
    assert session.get("currency") is None


def test_pop_takes_an_attribute_out(session: Session) -> None:
    session.set("currency", "JPY")
    session.untouch()

    assert session.pop("currency") == "JPY"
    assert session.flags == WRITTEN
    assert session.get("currency") is None


@pytest.mark.parametrize("default", ["TWD", None])
def test_pop_of_a_missing_attribute_changes_nothing(session: Session, default: str | None) -> None:
    assert session.pop("currency", default) == default
    assert session.pop("currency", default=default) == default
    assert session.flags == READ


def test_pop_without_default_raises_for_a_missing_attribute(session: Session) -> None:
    with pytest.raises(KeyError):
        session.pop("currency")
    assert session.flags == READ


def test_setdefault_sets_once(session: Session) -> None:
    assert session.setdefault("currency", "JPY") == "JPY"
    assert session.flags == WRITTEN

    session.untouch()

    assert session.setdefault("currency", "TWD") == "JPY"
    assert session.flags == READ


def test_update_changes_the_session(session: Session) -> None:
    session.update({"currency": "JPY", "language": "ja"})

    assert session.flags == WRITTEN
    assert dict(session.items()) == {"currency": "JPY", "language": "ja"}


def test_has_key_sees_an_attribute_that_is_none(session: Session) -> None:
    session.set("cart", None)
    session.untouch()

    assert session.has_key("cart")
    assert not session.has_key("currency")
    assert "cart" in session.store
    assert "currency" not in session.store
    assert session.flags == READ


def test_keys_values_and_items_only_read(session: Session) -> None:
    assert list(session.values()) == []
    assert session.flags == READ
    session.set("currency", "JPY")

    for method, answer in (
        (session.keys, ["currency"]),
        (session.values, ["JPY"]),
        (session.items, [("currency", "JPY")]),
    ):
        session.untouch()
        assert list(method()) == answer
        assert session.flags == READ


def test_clear_empties_without_loading(session: Session) -> None:
    session.set("currency", "JPY")
    session.untouch()

    session.store.clear()

    assert session.flags == WRITTEN
    assert dict(session.items()) == {}


def test_a_session_with_an_attribute_is_not_empty(session: Session) -> None:
    session.set("currency", "JPY")

    assert not session.store.is_empty()
    assert session.store


def test_a_saved_session_is_not_empty_although_it_holds_nothing(engine: Engine) -> None:
    saved = engine.stored()

    assert not engine.open(saved.key).store.is_empty()


def test_the_test_cookie_works_until_it_is_deleted(session: Session) -> None:
    assert not session.test_cookie_worked()

    session.set_test_cookie()

    assert session.test_cookie_worked()
    assert session.flags == WRITTEN

    session.delete_test_cookie()

    assert not session.test_cookie_worked()


VALUES: list[Any] = [
    None,
    True,
    -7,
    2.5,
    "",
    "香港 ★ \u2028",
    "x" * 20_000,
    [],
    {"nested": [1, {"deep": None}]},
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:20])
def test_a_value_comes_back_as_it_was(engine: Engine, value: Any) -> None:
    saved = engine.stored(value=value)

    assert engine.content(saved.key) == {"value": value}


def test_a_tuple_comes_back_as_a_list(engine: Engine) -> None:
    saved = engine.stored(value=(1, 2))

    assert engine.content(saved.key) == {"value": [1, 2]}


@pytest.mark.parametrize("name", ["", " ", "_auth_user_id", "名前", "a" * 300, "a:b", "v", "x"])
def test_an_attribute_may_have_any_name(engine: Engine, name: str) -> None:
    saved = engine.stored(**{name: 1, "other": 2})

    assert engine.content(saved.key) == {name: 1, "other": 2}


def public_coroutines(store: type) -> set[str]:
    return {name for name in dir(store) if name.startswith("a") and hasattr(store, name[1:])}


def test_every_method_of_django_has_both_forms(engine: Engine) -> None:
    store = type(engine.open().store)

    assert public_coroutines(SessionBase) <= public_coroutines(store)
