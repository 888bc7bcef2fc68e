"""One stored copy of a session, and what becomes of two that differ.

A version is a hybrid logical clock (Kulkarni et al., 2014): milliseconds since the epoch, but
always above every version that the writer has seen. So what a browser writes after reading is newer
than what it read, whichever store served it and however the instances' clocks differ. Each
attribute carries the version of its last write as its stamp, so two copies that went different ways
while a network was cut are merged attribute by attribute, the later write of each winning.
"""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Self

from sessions_ext.envelope import STAMP, stamp_of

FORGET_REMOVALS: Final = 24 * 60 * 60 * 1000
"""Milliseconds that a removed attribute is remembered: longer than copies stay apart."""


LATEST: Final = 1 << 47
"""Milliseconds since the epoch: the year 6429. What is later was not written by us."""


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def number(text: str | bytes) -> int:
    """A stored version or time. Raises ValueError for what cannot be one."""
    value = int(text)
    if not 0 <= value < LATEST:
        raise ValueError(f"{value} is no time")
    return value


def next_version(*seen: int) -> int:
    """Above everything seen."""
    return max(now_ms(), max(seen, default=0) + 1)


@dataclass(slots=True)
class Record:
    """A session as a store holds it; `fields` are sealed (sessions_ext.envelope).

    Nobody changes one. It is not frozen, as each load would wait twice as long for it to be made.
    """

    version: int
    expires_at: int
    """Milliseconds since the epoch."""
    user: str = ""
    """Pseudonym of the user, empty for a guest."""
    direct: int = 0
    """Version of the last write that went to DynamoDB past Redis and is contained in this copy."""
    fields: Mapping[bytes, bytes] = field(default_factory=dict)

    def at(self, version: int) -> Self:
        return self if version == self.version else replace(self, version=version)

    def merged(self, other: Self) -> Self:
        """Both: of each attribute the later write; a version above both if both had something.

        A value begins with its stamp, so the later is the greater, and two of the same instant
        are told apart the same way everywhere (lua/absorb.lua).
        """
        fields = dict(other.fields)
        for name, mine in self.fields.items():
            theirs = fields.get(name)
            if theirs is None or theirs < mine:
                fields[name] = mine
        newer = self if self.version >= other.version else other
        changed = fields != newer.fields or (
            self.version == other.version and self.fields != other.fields
        )
        version = newer.version + changed
        return replace(
            newer,
            version=version,
            expires_at=max(self.expires_at, other.expires_at),
            direct=max(self.direct, other.direct),
            fields=fields,
        )

    def recalled(self, other: Self, now: int) -> Self:
        """`other` without what was removed here so long ago that even the removal is forgotten."""
        fields = {
            name: sealed
            for name, sealed in other.fields.items()
            if name in self.fields or stamp_of(sealed) >= now - FORGET_REMOVALS
        }
        return replace(other, fields=fields)

    def forgettable(self, now: int) -> Iterable[bytes]:
        """Fields of attributes that were removed long ago."""
        return [
            name
            for name, sealed in self.fields.items()
            if len(sealed) == STAMP and stamp_of(sealed) < now - FORGET_REMOVALS
        ]
