"""Tokens: a signed-in session's pass for the API and for sockets, good in every region.

A token is a JWT (RFC 7519) which any instance verifies by itself, so no store is asked. Nobody can
take it back either: it is short-lived, and only its session can have another. Whoever logs out
has a token left for SESSION_TOKEN_AGE seconds at most.
"""

import hashlib
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY, get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.sessions.backends.base import SessionBase
from django.core.checks import CheckMessage, Error
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.utils.crypto import constant_time_compare

from sessions_ext.conf import AUTH_TOKEN, conf
from sessions_ext.errors import SessionsUnavailable
from sessions_ext.keys import digest_of

ALGORITHM: Final = "HS256"
AUDIENCE: Final = "api"
CLAIMS: Final = ("iss", "aud", "sub", "sid", "pwd", "iat", "exp")
LONGEST_LIFE: Final = 300  # seconds
RENEW_AT: Final = 60  # seconds that are left when the session gets another one
SKEW: Final = 5  # seconds that the minting region's clock may be ahead; nothing lives longer by it
LONGEST_TOKEN: Final = 2048  # characters; ours have 400


class TokenRefused(PermissionDenied):
    """A token that admits nobody."""


class TokenForeign(TokenRefused):
    """No token, one that was altered, or one of another key, issuer or audience."""


class TokenEnded(TokenRefused):
    """Ours, but its time is over."""


class TokenOfNobody(TokenRefused):
    """Ours, but the user is deleted or inactive, or has another password now."""


@dataclass(frozen=True)
class Token:
    """A token that is ours and has not ended."""

    text: str = field(repr=False)  # a password, while it lives
    user_id: str
    session: str  # the digest of the session's id
    password: str  # `_trace` of the session's hash of the user's password
    ends_at: int  # seconds since the epoch

    @property
    def seconds_left(self) -> float:
        return self.ends_at - time.time()


def mint(*, user_id: str, session_id: str, password_hash: str) -> Token:
    """A token for this user and session, signed with the newest key."""
    now = int(time.time())
    claims = {
        "iss": conf.prefix,
        "aud": AUDIENCE,
        "sub": user_id,
        "sid": digest_of(session_id),
        "pwd": _trace(password_hash),
        "iat": now,
        "exp": now + conf.token_age,
    }
    key_id, key = next(iter(conf.keys.items()))
    text = jwt.encode(claims, _signing_key(key), ALGORITHM, headers={"kid": key_id})
    return _token(text, claims)


def verify(text: str) -> Token:
    """The token, if it is ours. Asks no store. Raises TokenForeign, TokenEnded."""
    if not text.isascii() or len(text) > LONGEST_TOKEN:
        raise TokenForeign
    try:
        claims = jwt.decode(
            text,
            _key_of(text),
            algorithms=[ALGORITHM],
            issuer=conf.prefix,
            audience=AUDIENCE,
            leeway=SKEW,
            options={"require": list(CLAIMS), "strict_aud": True},
        )
    except jwt.ExpiredSignatureError:
        raise TokenEnded from None
    except jwt.PyJWTError:
        raise TokenForeign from None
    token = _token(text, claims)
    if token.seconds_left <= 0:  # the leeway is for `iat` only
        raise TokenEnded
    return token


def current_token(session: SessionBase) -> Token:
    """The token that a signed-in session keeps. Another one when it is about to end.

    Also when it is not of this session, user and password: each of them can change while the
    session goes on. Raises KeyError for a session of nobody.
    """
    user_id, password_hash = str(session[SESSION_KEY]), str(session.get(HASH_SESSION_KEY, ""))
    if session.session_key is None:  # a log-in has just flushed another user's
        session.create()
    session_id = str(session.session_key)
    try:
        kept = verify(str(session.get(AUTH_TOKEN, "")))
    except TokenRefused:
        kept = None
    bound = (user_id, digest_of(session_id), _trace(password_hash))
    lasts = kept is not None and kept.seconds_left > RENEW_AT
    if kept and lasts and (kept.user_id, kept.session, kept.password) == bound:
        return kept
    token = mint(user_id=user_id, session_id=session_id, password_hash=password_hash)
    session[AUTH_TOKEN] = token.text
    return token


def user_of(token: Token) -> AbstractBaseUser:
    """The row of the token's user, from the database. Raises TokenOfNobody."""
    user: AbstractBaseUser | None = (
        get_user_model()._default_manager.filter(pk=token.user_id).first()
    )
    if user is None or not user.is_active:
        raise TokenOfNobody
    hashes = [user.get_session_auth_hash(), *user.get_session_auth_fallback_hash()]
    if not any(constant_time_compare(_trace(known), token.password) for known in hashes):
        raise TokenOfNobody
    return user


def token_middleware(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Keep a fresh token in each signed-in session that is in use.

    Stands below `AuthenticationMiddleware`. A session that nobody read is not read for this, and
    one whose token lasts is not written.
    """

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        if response.status_code < 500 and hasattr(request, "session"):
            _keep_fresh(request.session)
        return response

    return middleware


def _keep_fresh(session: SessionBase) -> None:
    with suppress(SessionsUnavailable):  # the view did without the session, or has said so
        if session.accessed and SESSION_KEY in session:
            current_token(session)


def check_token_age(**kwargs: Any) -> list[CheckMessage]:
    """System check: what a log-out leaves behind must end soon."""
    age: object = conf.token_age
    if isinstance(age, int) and RENEW_AT < age <= LONGEST_LIFE:
        return []
    return [
        Error(
            f"SESSION_TOKEN_AGE is {age!r}: more than {RENEW_AT} and at most {LONGEST_LIFE}"
            " seconds are possible.",
            hint="A token outlives its session by so long; a fresh one is made"
            f" {RENEW_AT} seconds before it ends.",
            id="sessions_ext.E020",
        )
    ]


def _token(text: str, claims: dict[str, Any]) -> Token:
    """Raises TokenForeign for claims that no instance of ours would make."""
    user_id, session, password = claims["sub"], claims["sid"], claims["pwd"]
    issued, ends = claims["iat"], claims["exp"]
    if not all(isinstance(name, str) for name in (user_id, session, password)):
        raise TokenForeign
    if not (isinstance(issued, int) and isinstance(ends, int) and ends - issued <= LONGEST_LIFE):
        raise TokenForeign
    return Token(text, user_id, session, password, ends)


def _key_of(text: str) -> bytes:
    """The key that the token names. Raises a PyJWTError when it names none of ours."""
    key = conf.keys.get(jwt.get_unverified_header(text).get("kid", ""))
    if key is None:
        raise jwt.InvalidKeyError
    return _signing_key(key)


@cache
def _signing_key(key: bytes) -> bytes:
    """A key of its own for signing, so that no key of the ring does two things."""
    return HKDF(SHA256(), 32, salt=None, info=b"sessions_ext.tokens").derive(key)


def _trace(password_hash: str) -> str:
    """Differs with each password, and tells nothing of it: what it is made of is an HMAC."""
    return hashlib.sha256(password_hash.encode()).hexdigest()[:16]
