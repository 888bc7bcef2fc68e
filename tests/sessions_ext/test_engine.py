"""The engine over both stores, and what shoppers are told when neither answers."""

import secrets
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.backends.cache import SessionStore as DjangoCacheStore
from django.test import Client

from sessions_ext import dynamodb_store, keys, redis_store
from sessions_ext.conf import ACTIVITY, conf
from sessions_ext.engine import SessionStore
from sessions_ext.errors import SessionsUnavailable
from tests.sessions_ext.outage import dynamodb_gone, forget_clients, redis_gone


@pytest.fixture
def nobody_answers() -> Iterator[None]:
    with redis_gone(), dynamodb_gone():
        forget_clients()
        yield
    forget_clients()


def stored_session(**content: object) -> SessionStore:
    session = SessionStore()
    session.update(content)
    session.create()
    return session


def again(session: SessionStore) -> SessionStore:
    return SessionStore(session.session_key)


def copies(session: SessionStore) -> tuple[object, object]:
    digest = keys.digest_of(str(session.session_key))
    dynamodb = conf.dynamodb()
    assert dynamodb is not None
    return redis_store.read(conf.redis(), digest), dynamodb_store.read(dynamodb, digest)


def test_a_session_is_read_by_any_process() -> None:
    session = stored_session(currency="JPY")

    assert again(session)["currency"] == "JPY"


def test_both_stores_hold_the_same() -> None:
    session = stored_session(currency="JPY", cart={"lines": [1, 2]})

    in_redis, in_dynamodb = copies(session)

    assert in_redis is not None
    assert in_redis == in_dynamodb


def test_version_grows_with_each_save() -> None:
    session = stored_session(currency="JPY")
    before = session.version

    session["currency"] = "SGD"
    session.save()

    assert again(session).version == session.version > before


def test_a_lost_session_is_empty_and_gets_another_key() -> None:
    session = SessionStore(keys.new_id())

    assert dict(session.items()) == {}
    assert session.session_key is None


def test_a_save_sends_what_changed_and_what_was_removed() -> None:
    session = stored_session(kept=1, changed=1, removed=1)
    other = again(session)
    other["new"] = 2
    other.save()

    session["changed"] = 2
    del session["removed"]
    session.save()

    assert dict(again(session).items()) == {"kept": 1, "changed": 2, "new": 2}
    assert copies(session)[0] == copies(session)[1]


def test_a_deleted_session_cannot_be_saved() -> None:
    session = stored_session(currency="JPY")
    other = again(session)
    other["currency"] = "SGD"
    session.flush()

    with pytest.raises(UpdateError):
        other.save()

    assert dict(again(other).items()) == {}


def test_a_renamed_session_keeps_its_content_and_leaves_nothing_behind() -> None:
    session = stored_session(cart="c-1")
    former = again(session)

    session.cycle_key()

    assert dict(again(session).items()) == {"cart": "c-1"}
    assert dict(former.items()) == {}


def test_a_rename_takes_over_what_another_request_changed_meanwhile() -> None:
    session = stored_session(cart="c-1", currency="TWD", removed=1)
    other = again(session)
    assert session["cart"] == "c-1"
    other["currency"] = "JPY"
    del other["removed"]
    other.save()

    session["cart"] = "c-2"
    session.cycle_key()

    assert dict(again(session).items()) == {"cart": "c-2", "currency": "JPY"}


def test_in_a_request_a_rename_waits_for_the_save() -> None:
    """So an answer of 5xx, with which Django saves nothing, leaves the browser its session."""
    session = stored_session(cart="c-1")
    former = again(session)
    session.deferring = True

    session.cycle_key()

    assert former["cart"] == "c-1"
    session.save()
    assert dict(again(former).items()) == {}
    assert again(session)["cart"] == "c-1"


def test_a_session_cleared_unread_replaces_what_is_stored() -> None:
    session = stored_session(cart="c-1", currency="TWD")
    other = again(session)

    other.clear()
    other["currency"] = "JPY"
    other.save()

    assert dict(again(session).items()) == {"currency": "JPY"}


def test_a_page_that_changes_nothing_is_not_refused_over_its_notes() -> None:
    """The activity could not be noted: another tab logged out while the page was made."""
    session = stored_session(cart="c-1")
    other = again(session)
    other[ACTIVITY] = {"at": 1, "since": 1, "region": "", "agent": ""}
    session.flush()

    other.save()

    assert dict(again(other).items()) == {}


def test_a_session_that_the_second_store_could_not_hold_is_refused() -> None:
    session = stored_session(cart="c-1")

    session["notes"] = [secrets.token_hex(200_000), secrets.token_hex(200_000)]
    with pytest.raises(ValueError, match="at most 350000"):
        session.save()

    assert dict(again(session).items()) == {"cart": "c-1"}


def test_a_text_that_is_changed_and_changed_back_is_stored_each_time() -> None:
    """Texts are told to be unchanged by being the same object."""
    session = again(stored_session(currency="JPY"))
    former = session["currency"]

    for value in ("SGD", former, "SGD"):
        session["currency"] = value
        session.save()
        assert again(session)["currency"] == value
    del session["currency"]
    session.save()
    session["currency"] = former
    session.save()

    assert again(session)["currency"] == "JPY"


# --- Neither store answers --------------------------------------------------------------------


def test_nobody_to_ask_is_an_error_not_an_empty_session(nobody_answers: None) -> None:
    with pytest.raises(SessionsUnavailable):
        SessionStore(keys.new_id()).load()


def test_djangos_engine_takes_redis_gone_for_an_empty_session(nobody_answers: None) -> None:
    """The control: with it a signed-in shopper is shown a stranger's page."""
    assert DjangoCacheStore("a" * 32).load() == {}


def test_a_shopper_with_a_session_is_told_to_come_back(
    nobody_answers: None, caplog: pytest.LogCaptureFixture
) -> None:
    client = Client(raise_request_exception=False)
    client.cookies[settings.SESSION_COOKIE_NAME] = keys.new_id()

    response = client.get("/cart/")

    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0
    assert settings.SESSION_COOKIE_NAME not in response.cookies  # the session is kept
    (line,) = [record for record in caplog.records if record.name == "django.request"]
    assert (line.getMessage(), line.exc_info) == ("Service Unavailable: /cart/", None)


def test_api_is_told_to_come_back_in_its_own_format(nobody_answers: None) -> None:
    client = Client(raise_request_exception=False)
    client.cookies[settings.SESSION_COOKIE_NAME] = keys.new_id()

    response = client.get("/api/cart")

    assert response.status_code == 503
    assert response.headers["Content-Type"] == "application/problem+json"
    assert int(response.headers["Retry-After"]) > 0


@pytest.mark.django_db
def test_a_visitor_without_a_session_browses_on(nobody_answers: None) -> None:
    response = Client().get("/")

    assert response.status_code == 200
    assert "Set-Cookie" not in response.headers
