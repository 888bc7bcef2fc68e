"""Tokens for tests: ours, older ones, and forgeries."""

import base64
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sessions_ext import tokens
from sessions_ext.conf import conf
from sessions_ext.tokens import Token, mint
from shop.models import Customer

OTHER = b"x" * 32


@contextmanager
def clock_behind(seconds: float) -> Iterator[None]:
    """Tokens that are minted inside were minted so many seconds ago."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tokens, "time", SimpleNamespace(time=lambda: time.time() - seconds))
        yield


def make_token(*, ago: float = 0, **changes: str) -> Token:
    names = {"user_id": "7", "session_id": "s" * 32, "password_hash": "hash"}
    with clock_behind(ago):
        return mint(**names | changes)


def token_for(customer: Customer, *, ago: float = 0) -> Token:
    """A token of a session that no store knows."""
    password_hash = customer.get_session_auth_hash()
    return make_token(ago=ago, user_id=str(customer.pk), password_hash=password_hash)


def bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


def claims_of(token: Token) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token.text, options={"verify_signature": False})
    return claims


def signed(key: Any = None, kid: Any = None, alg: str = "HS256", **changes: Any) -> str:
    """A token like ours but for the changes; None takes a claim away. `key` None: our own."""
    claims = claims_of(make_token()) | changes
    newest, raw = next(iter(conf.keys.items()))
    return jwt.encode(
        {name: value for name, value in claims.items() if value is not None},
        tokens._signing_key(raw) if key is None else key,
        alg,
        headers={"kid": newest if kid is None else kid},
    )


def without(claim: str) -> str:
    changes: dict[str, Any] = {claim: None}
    return signed(**changes)


def rsa_public() -> bytes:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def rsa_signed() -> str:
    """Another's RSA key under the id of ours."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return signed(private, alg="RS256")


def unsigned(alg: str) -> str:
    head, body, _ = signed().split(".")
    header = {"alg": alg, "typ": "JWT", "kid": jwt.get_unverified_header(signed())["kid"]}
    head = base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode()
    return f"{head}.{body}."


def with_header(**changes: Any) -> str:
    """Our signature over our claims, under a header of one's own."""
    head, body, signature = signed().split(".")
    header = {"alg": "HS256", "typ": "JWT", **changes}
    head = base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode()
    return f"{head}.{body}.{signature}"


FORGERIES: dict[str, Any] = {
    "alg none": lambda: unsigned("none"),
    "alg None": lambda: unsigned("None"),
    "alg empty": lambda: unsigned(""),
    "no signature": lambda: unsigned("HS256"),
    "HS512 of our key": lambda: signed(alg="HS512"),
    "RS256 of another key": rsa_signed,
    "an RSA key as secret": lambda: signed(base64.b64encode(rsa_public())),
    "another key": lambda: signed(OTHER),
    "the ring's own key": lambda: signed(next(iter(conf.keys.values()))),
    "an empty key": lambda: signed(b"\0" * 32),
    "kid unknown": lambda: signed(kid="nobody"),
    "kid a path": lambda: signed(kid="../../dev/null"),
    "kid missing": lambda: with_header(),
    "kid a list": lambda: with_header(kid=["k"]),
    "kid a number": lambda: with_header(kid=1),
    "b64 false": lambda: with_header(kid="k", b64=False, crit=["b64"]),
    "other audience": lambda: signed(aud="billing"),
    "several audiences": lambda: signed(aud=["api", "billing"]),
    "other issuer": lambda: signed(iss="another:session"),
    "lives too long": lambda: signed(exp=int(time.time()) + 3600),
    "lives for ever": lambda: signed(exp=10**30),
    "exp a text": lambda: signed(exp="soon"),
    "sub a number": lambda: signed(sub=7),
    "sid a number": lambda: signed(sid=7),
    **{f"without {claim}": (lambda claim=claim: without(claim)) for claim in tokens.CLAIMS},
    "nothing": lambda: "",
    "dots": lambda: "..",
    "too long": lambda: "a" * 100_000,
}
