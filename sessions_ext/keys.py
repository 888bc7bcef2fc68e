"""Names: session ids, and what stands for them in the stores.

An id is a password, so no store holds one. A session is stored under a digest of its id, an
attribute under a digest of id and name, a user under a pseudonym. An id carries a proof that this
installation issued it, so that a made-up cookie costs neither store a question.
"""

import hashlib
import hmac
import string
from functools import cache
from typing import Final

from django.utils.crypto import get_random_string

from sessions_ext.conf import conf

ALPHABET: Final = string.digits + string.ascii_lowercase
RANDOM: Final = 24  # characters of the id, 124 bits
PROOF: Final = 8  # hexadecimal digits after it
FIELD: Final = 12  # bytes


def new_id() -> str:
    """32 characters of [a-z0-9]. Nobody need be asked whether it is free: 124 bits are random."""
    drawn = get_random_string(RANDOM, ALPHABET)
    return drawn + _proof(conf.secrets[0], drawn)


def is_issued(session_id: str) -> bool:
    """Whether the id carries our proof, also one of a `SECRET_KEY` that is being retired."""
    if len(session_id) != RANDOM + PROOF or not session_id.isascii():
        return False
    drawn, proof = session_id[:RANDOM], session_id[RANDOM:]
    return True in [hmac.compare_digest(_proof(each, drawn), proof) for each in conf.secrets]


def digest_of(session_id: str) -> str:
    """What a session is called in the stores."""
    return hashlib.sha256(session_id.encode()).hexdigest()


def field_of(session_id: str, attribute: str) -> bytes:
    """What an attribute is called there: without the id nobody can tell which one it is."""
    return hashlib.sha256(f"{session_id}\0{attribute}".encode()).digest()[:FIELD]


def pseudonym_of(user_id: str) -> str:
    """What a user is called there."""
    return _pseudonym(conf.secrets[0], user_id)


def pseudonyms_of(user_id: str) -> list[str]:
    """The same under each `SECRET_KEY` in use, for finding what was written under an older one."""
    return [_pseudonym(secret, user_id) for secret in conf.secrets]


def sign_version(session_id: str, version: int) -> str:
    """The version cookie's value: only the browser that holds the id can show it."""
    return f"{version:x}.{_signature(conf.secrets[0], session_id, version)}"


def read_version(session_id: str, cookie: str) -> int | None:
    """The version that a cookie vouches for; None when it is not ours or another session's."""
    text, _, signature = cookie.partition(".")
    if not cookie.isascii() or len(text) > 13:
        return None
    try:
        version = int(text, 16)
    except ValueError:
        return None
    for secret in conf.secrets:
        if hmac.compare_digest(_signature(secret, session_id, version), signature):
            return version
    return None


@cache
def _key(secret: str, purpose: str) -> bytes:
    return hashlib.sha256(f"sessions_ext.{purpose}\0{secret}".encode()).digest()


def _mac(secret: str, purpose: str, text: str) -> bytes:
    return hmac.digest(_key(secret, purpose), text.encode(), "sha256")


def _proof(secret: str, drawn: str) -> str:
    return hmac.digest(_key(secret, "id"), drawn.encode(), "sha256").hex()[:PROOF]


def _pseudonym(secret: str, user_id: str) -> str:
    return _mac(secret, "user", user_id).hex()[:32]


def _signature(secret: str, session_id: str, version: int) -> str:
    return _mac(secret, "version", f"{session_id}\0{version}").hex()[:24]
