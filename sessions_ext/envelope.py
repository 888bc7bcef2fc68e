"""What a stored attribute looks like: sealed, so that a store's dump tells nothing.

    stamp (8) | format (1) | length of the key id (1) | key id | flags (1) | nonce (12) | sealed

`sealed` is AES-256-GCM over the length of the name (2), the name and the serialised value, deflated
where that is smaller. Everything before the nonce, the session's digest and the attribute's field
are authenticated with it, so a value that was moved to another session or attribute, or given
another stamp, does not open. Nonces are random: NIST SP 800-38D bounds that at 2**32 values a key.
A removed attribute leaves its stamp alone, so that merging two copies does not bring it back.
"""

import os
import zlib
from typing import Final

from cryptography.exceptions import InvalidTag

from sessions_ext.conf import conf

FORMAT: Final = 1
DEFLATED: Final = 1  # flag
STAMP: Final = 8  # bytes
NONCE: Final = 12
WORTH_DEFLATING: Final = 512  # bytes; below it the result is hardly smaller, and later
LARGEST: Final = 1 << 20  # bytes of one attribute, when inflated


class Refused(Exception):
    """A value that is not what we wrote there. `reason` is a word for the log and the counter."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def seal(*, digest: str, field: bytes, stamp: int, name: str, value: bytes) -> bytes:
    """Seal an attribute with the first key of the ring. Raises ValueError beyond LARGEST."""
    encoded = name.encode()
    plain = len(encoded).to_bytes(2) + encoded + value
    if len(plain) > LARGEST:
        raise ValueError(f"The session attribute {name!r} is larger than {LARGEST} bytes.")
    flags = 0
    if len(plain) >= WORTH_DEFLATING and len(deflated := zlib.compress(plain, 1)) < len(plain):
        plain, flags = deflated, DEFLATED
    key_id, cipher = next(iter(conf.ciphers.items()))
    header = b"".join(
        (stamp.to_bytes(STAMP), bytes((FORMAT, len(key_id))), key_id, bytes((flags,)))
    )
    nonce = os.urandom(NONCE)
    return header + nonce + cipher.encrypt(nonce, plain, header + digest.encode() + field)


def unseal(sealed: bytes, *, digest: str, field: bytes) -> tuple[str, bytes]:
    """Name and serialised value. Raises Refused."""
    end = _end_of_key_id(sealed)
    cipher = conf.ciphers.get(sealed[STAMP + 2 : end])
    if cipher is None:
        raise Refused("unknown-key")
    nonce, start = end + 1, end + 1 + NONCE
    bound = sealed[:nonce] + digest.encode() + field
    try:
        plain = cipher.decrypt(sealed[nonce:start], sealed[start:], bound)
    except (InvalidTag, ValueError):  # ValueError: shorter than a tag
        raise Refused("tampered") from None
    if sealed[end] & DEFLATED:
        plain = _inflate(plain)
    if len(plain) < 2:
        raise Refused("malformed")
    value = 2 + (plain[0] << 8 | plain[1])
    try:
        return plain[2:value].decode(), plain[value:]
    except UnicodeDecodeError:
        raise Refused("malformed") from None


def removal(stamp: int) -> bytes:
    """What a removed attribute leaves behind."""
    return stamp.to_bytes(STAMP)


def is_removal(sealed: bytes) -> bool:
    return len(sealed) == STAMP


def stamp_of(sealed: bytes) -> int:
    """When the attribute was last written or removed: a version of its session."""
    return int.from_bytes(sealed[:STAMP])


def key_id_of(sealed: bytes) -> str:
    """The key that sealed it. Raises Refused for what is no envelope."""
    return sealed[STAMP + 2 : _end_of_key_id(sealed)].decode(errors="replace")


def _end_of_key_id(sealed: bytes) -> int:
    if len(sealed) < STAMP + 3 or sealed[STAMP] != FORMAT:
        raise Refused("malformed")
    end = STAMP + 2 + sealed[STAMP + 1]
    if len(sealed) <= end + NONCE:
        raise Refused("malformed")
    return end


def _inflate(plain: bytes) -> bytes:
    """At most LARGEST bytes of it: whoever holds a key could still write a bomb."""
    inflater = zlib.decompressobj()
    try:
        inflated = inflater.decompress(plain, LARGEST + 1)
    except zlib.error:
        raise Refused("malformed") from None
    if len(inflated) > LARGEST:
        raise Refused("bomb")
    if not inflater.eof:
        raise Refused("malformed")
    return inflated
