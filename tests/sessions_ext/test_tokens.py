"""Tokens: made, verified by anybody with the keys, refused when anything about them is wrong."""

import base64
import json
from contextlib import suppress
from typing import Any

import jwt
import pytest
from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest, HttpResponse
from django.test import override_settings
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from sessions_ext import tokens
from sessions_ext.bearer import UnkeptSession, bearer_of
from sessions_ext.conf import AUTH_TOKEN, conf
from sessions_ext.errors import SessionsUnavailable
from sessions_ext.tokens import (
    TokenEnded,
    TokenForeign,
    TokenOfNobody,
    TokenRefused,
    check_token_age,
    current_token,
    token_middleware,
    user_of,
    verify,
)
from tests.factories import make_customer
from tests.tokens import FORGERIES, OTHER, claims_of, make_token, signed, token_for

OLD, NEW = b"o" * 32, b"n" * 32


# --- Made and verified ---------------------------------------------------------------------------


def test_token_names_user_and_session_and_neither_id_nor_password() -> None:
    token = make_token()

    assert verify(token.text) == token
    assert claims_of(token) == {
        "iss": conf.prefix,
        "aud": "api",
        "sub": "7",
        "sid": token.session,
        "pwd": token.password,
        "iat": token.ends_at - 300,
        "exp": token.ends_at,
    }
    assert "s" * 32 not in json.dumps(claims_of(token))
    assert "hash" not in json.dumps(claims_of(token))
    assert token.text not in repr(token)


def test_key_is_not_the_one_that_seals_sessions() -> None:
    kid = jwt.get_unverified_header(make_token().text)["kid"]

    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(make_token().text, settings.SESSION_KEYS[kid], ["HS256"], audience="api")


def test_rotated_ring_signs_with_the_new_key_and_verifies_the_old() -> None:
    with override_settings(SESSION_KEYS={"a": OLD}):
        before = make_token()
    with override_settings(SESSION_KEYS={"b": NEW, "a": OLD}):
        during = make_token()
        assert verify(before.text) == before
    with override_settings(SESSION_KEYS={"b": NEW}):
        assert verify(during.text) == during
        with pytest.raises(TokenForeign):
            verify(before.text)

    assert [jwt.get_unverified_header(token.text)["kid"] for token in (before, during)] == [
        "a",
        "b",
    ]


@pytest.mark.parametrize(("ago", "error"), [(299 - 60, None), (301, TokenEnded), (304, TokenEnded)])
def test_token_ends_after_five_minutes_without_grace(
    ago: float, error: type[Exception] | None
) -> None:
    text = make_token(ago=ago).text

    if error is None:
        verify(text)
    else:
        with pytest.raises(error):
            verify(text)


def test_clock_of_another_region_may_be_a_little_ahead() -> None:
    verify(make_token(ago=-3).text)

    with pytest.raises(TokenForeign):
        verify(make_token(ago=-60).text)


# --- Refused -------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
@pytest.mark.parametrize("name", FORGERIES)
def test_forgery_is_foreign(name: str) -> None:
    with pytest.raises(TokenForeign):
        verify(FORGERIES[name]())


def test_what_the_forgeries_are_made_of_is_accepted_unchanged() -> None:
    assert verify(signed()).user_id == "7"


@examples(deadline=None)
@given(st.text() | st.binary().map(lambda raw: raw.decode("latin-1")))
def test_garbage_is_refused_and_never_an_error(text: str) -> None:
    with pytest.raises(TokenRefused):
        verify(text)


@examples(deadline=None)
@given(st.data())
def test_no_character_of_a_token_can_be_changed(data: st.DataObject) -> None:
    text = make_token().text
    place = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.characters(codec="ascii").filter(lambda char: char != text[place]))

    with pytest.raises(TokenRefused):
        verify(text[:place] + other + text[place + 1 :])


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@examples(deadline=None)
@given(st.dictionaries(st.sampled_from(tokens.CLAIMS), _json, min_size=1))
def test_claims_of_the_wrong_kind_are_refused_even_under_our_key(changes: dict[str, Any]) -> None:
    kid, raw = next(iter(conf.keys.items()))
    body = base64.urlsafe_b64encode(json.dumps(claims_of(make_token()) | changes).encode())
    text = jwt.api_jws.encode(
        base64.urlsafe_b64decode(body), tokens._signing_key(raw), "HS256", headers={"kid": kid}
    )

    try:
        token = verify(text)
    except TokenRefused:
        return
    assert isinstance(token.user_id, str)
    assert 0 < token.seconds_left <= 300 + tokens.SKEW


@pytest.mark.parametrize(
    ("header", "token"),
    [
        ("Bearer abc", "abc"),
        ("bearer  abc ", "abc"),
        ("Bearer", ""),
        ("Basic YTpi", None),
        ("", None),
        ("Bearerabc", None),
    ],
)
def test_bearer_is_read_from_the_header(header: str, token: str | None) -> None:
    assert bearer_of(header) == token


# --- Kept in the session -------------------------------------------------------------------------


def signed_in(**changes: Any) -> UnkeptSession:
    session = UnkeptSession("s" * 32)
    session.update({SESSION_KEY: "7", HASH_SESSION_KEY: "hash", **changes})
    session.modified = False
    return session


def test_session_keeps_its_token_without_a_write() -> None:
    session = signed_in()
    first = current_token(session)
    session.modified = False

    again = current_token(session)

    assert again == first
    assert session[AUTH_TOKEN] == first.text
    assert session.modified is False


@pytest.mark.parametrize(
    "kept",
    [
        lambda: make_token(ago=245).text,
        lambda: make_token(ago=400).text,
        lambda: make_token(user_id="8").text,
        lambda: make_token(session_id="t" * 32).text,
        lambda: make_token(password_hash="older").text,
        lambda: signed(OTHER),
        lambda: "garbage",
        lambda: None,
    ],
    ids=["about to end", "ended", "user", "session", "password", "key", "garbage", "none"],
)
def test_session_gets_another_token_when_its_own_will_not_do(kept: Any) -> None:
    session = signed_in(**{AUTH_TOKEN: kept()})

    token = current_token(session)

    assert (token.user_id, token.session) == ("7", make_token().session)
    assert token.seconds_left > 290
    assert session.modified


def test_session_of_nobody_has_no_token() -> None:
    with pytest.raises(KeyError):
        current_token(UnkeptSession("s" * 32))


class Unreachable(UnkeptSession):
    def load(self) -> dict[str, Any]:
        raise SessionsUnavailable


def respond(session: SessionBase, status: int = 200) -> int:
    """The answer of a view that reads the session, and does without it where it cannot."""

    def view(request: HttpRequest) -> HttpResponse:
        with suppress(SessionsUnavailable):
            request.session.get("preference")
        return HttpResponse(status=status)

    request = HttpRequest()
    request.session = session
    return token_middleware(view)(request).status_code


def test_middleware_gives_a_signed_in_session_its_token() -> None:
    session = signed_in()

    respond(session)

    assert verify(session[AUTH_TOKEN]).user_id == "7"


def test_middleware_leaves_guests_and_failed_requests_alone() -> None:
    guest, failed = UnkeptSession("s" * 32), signed_in()

    assert [respond(guest), respond(failed, 503)] == [200, 503]

    assert AUTH_TOKEN not in guest
    assert AUTH_TOKEN not in failed
    assert not (guest.modified or failed.modified)


def test_middleware_does_not_fail_a_page_that_did_without_its_session() -> None:
    assert respond(Unreachable("s" * 32)) == 200


def test_middleware_reads_no_session_that_the_view_did_not() -> None:
    request = HttpRequest()
    request.session = Unreachable("s" * 32)

    token_middleware(lambda request: HttpResponse())(request)

    assert request.session.accessed is False


# --- The user's row ------------------------------------------------------------------------------


@pytest.mark.django_db
def test_user_of_a_token_is_read_from_the_database() -> None:
    customer = make_customer()

    assert user_of(token_for(customer)) == customer


@pytest.mark.django_db
@pytest.mark.parametrize("lost", ["deleted", "inactive", "password"])
def test_user_who_may_no_longer_log_in_is_refused(lost: str) -> None:
    customer = make_customer()
    token = token_for(customer)
    if lost == "deleted":
        customer.delete()
    elif lost == "inactive":
        customer.is_active = False
        customer.save()
    else:
        customer.set_password("lighthouse-keeper")
        customer.save()

    with pytest.raises(TokenOfNobody):
        user_of(token)


@pytest.mark.django_db
def test_token_outlives_a_change_of_the_secret_key() -> None:
    customer = make_customer()
    token = token_for(customer)

    with override_settings(SECRET_KEY="another" * 8, SECRET_KEY_FALLBACKS=[settings.SECRET_KEY]):
        assert user_of(token) == customer
    with override_settings(SECRET_KEY="another" * 8), pytest.raises(TokenOfNobody):
        user_of(token)


# --- The system check ----------------------------------------------------------------------------


@pytest.mark.parametrize("age", [301, 86400, 60, 0, -1, "300", None])
def test_check_refuses_an_age_that_is_too_long_or_no_use(age: object) -> None:
    with override_settings(SESSION_TOKEN_AGE=age):
        assert [message.id for message in check_token_age()] == ["sessions_ext.E020"]


@pytest.mark.parametrize("age", [61, 300])
def test_check_accepts_a_short_age(age: int) -> None:
    with override_settings(SESSION_TOKEN_AGE=age):
        assert check_token_age() == []
