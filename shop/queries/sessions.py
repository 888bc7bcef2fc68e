"""Where a customer is signed in, for the account page and the admin."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.http import HttpRequest
from django.utils.timesince import timesince

from sessions_ext.conf import conf
from sessions_ext.directory import Entry, sessions_of
from sessions_ext.keys import digest_of
from shop.devices import device_name


@dataclass(frozen=True)
class SignIn:
    """A session in words."""

    digest: str
    device: str
    region: str
    """Name of the region that served it last; empty where that is not known."""
    since: datetime | None
    last_seen: datetime | None
    is_current: bool
    """It is the one that asks."""

    @property
    def ago(self) -> str:
        """Time since its last activity, in the active language. Empty for a few minutes."""
        seen, now = self.last_seen, datetime.now(UTC)
        if self.is_current or seen is None:
            return ""
        if (now - seen).total_seconds() < conf.activity_interval:
            return ""  # no more is known: activity is not written more often
        return timesince(seen, now, depth=1)


def sign_ins(request: HttpRequest, user_id: Any) -> list[SignIn]:
    """The user's live sessions, newest activity first: that is the one that asks, if it is theirs.

    Raises SessionsUnavailable.
    """
    current = current_digest(request)
    found = [_sign_in(entry, current) for entry in sessions_of(user_id)]
    return sorted(found, key=lambda sign_in: not sign_in.is_current)


def find_sign_in(request: HttpRequest, user_id: Any, digest: str) -> SignIn | None:
    """None for a session that has ended, or is somebody else's. Raises SessionsUnavailable."""
    found = (entry for entry in sessions_of(user_id) if entry.digest == digest)
    return next((_sign_in(entry, current_digest(request)) for entry in found), None)


def current_digest(request: HttpRequest) -> str:
    """What the session of this request is called. Empty where there is none."""
    session_id = request.session.session_key
    return digest_of(session_id) if session_id else ""


def _sign_in(entry: Entry, current: str) -> SignIn:
    return SignIn(
        digest=entry.digest,
        device=device_name(entry.agent),
        region=entry.region.title(),
        since=_moment(entry.since),
        last_seen=_moment(entry.last_seen),
        is_current=entry.digest == current,
    )


def _moment(seconds: int) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds else None
