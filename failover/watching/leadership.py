"""Who of the watchers decides: whoever holds the lease `watch`, renewed at every look."""

from contextlib import suppress
from typing import Final

from storage.leases import (
    Contender,
    Lease,
    LeaseLost,
    LeasesUnreachable,
    LeaseTaken,
    heartbeat,
    release,
)

LEASE: Final = "watch"
DURATION: Final = 4.0
"""Seconds until another decides when the leader is gone."""


class Leadership:
    def __init__(self, owner: str) -> None:
        self._owner = owner
        self._contender = self._new()
        self._lease: Lease | None = None

    def _new(self) -> Contender:
        return Contender(LEASE, owner=self._owner, duration=DURATION)

    def renew(self) -> bool:
        """Whether this one leads now. Raises LeasesUnreachable."""
        try:
            if self._lease:
                heartbeat(self._lease)
            else:
                self._lease = self._contender.step()
        except LeaseTaken:
            return False
        except LeaseLost:
            self._lease, self._contender = None, self._new()
            return False
        return True

    def resign(self) -> None:
        """So that the next one need not wait."""
        if self._lease:
            with suppress(LeasesUnreachable):
                release(self._lease)
            self._lease = None
