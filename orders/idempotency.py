"""Requests that take effect once, however often they are sent.

The record is inserted in the transaction of the effect itself. Whoever comes second blocks on
the unique index until the first one ends: if it committed, the answer is replayed; if it died,
its row is gone and the second proceeds. No lease, no zombie. "GET; work; SET" in Redis loses
races, and forgets a key on failover while the order stays.
"""

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.db import OperationalError, connection, transaction
from django.http import HttpRequest
from django.utils import timezone

from orders.models import IdempotencyRecord
from shop.models import Customer

logger = logging.getLogger(__name__)

KEEP: Final = "24 hours"
SWEEP: Final = 1000
"""Most expired records deleted at once."""
LOCK_NOT_AVAILABLE: Final = "55P03"


class IdempotencyError(Exception):
    """A keyed request that cannot be answered now."""


class KeyReused(IdempotencyError):
    """The key was used for another request (422)."""


class StillRunning(IdempotencyError):
    """The first request with this key has not ended (409, ask again)."""


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes


class Attempt:
    """The right to act, or the answer that was given before: look at `replay` first."""

    def __init__(self, replay: Answer | None) -> None:
        self.replay = replay
        self.given: Answer | None = None

    def answer(self, status: int, body: bytes) -> Answer:
        """Record the answer; it commits with the effect."""
        self.given = Answer(status, body)
        return self.given


def idempotency_owner(request: HttpRequest) -> str:
    """Whose keys these are: the customer's, or the guest's who holds this session.

    A guest without a session gets one. The session key itself is never stored.
    """
    if isinstance(request.user, Customer):  # asking it loads the session: a forged key is gone
        return f"customer:{request.user.pk}"
    if not request.session.session_key:
        request.session.create()
    digest = hashlib.sha256(str(request.session.session_key).encode()).hexdigest()
    return f"session:{digest}"


def fingerprint(content: Mapping[str, Any]) -> str:
    """Digest of what was asked, independent of the order of keys."""
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()


@contextmanager
def idempotent(
    *, owner: str, key: UUID, content: Mapping[str, Any], wait_ms: int = 50
) -> Iterator[Attempt]:
    """One transaction in which the keyed effect happens at most once.

    `owner` scopes the key: another shopper's key is another key. `wait_ms` bounds how long a
    duplicate waits for the first to end. Raises KeyReused, StillRunning. An exception inside
    rolls the effect and the key back together, so the request can be corrected and sent again.
    """
    digest = fingerprint(content)
    with transaction.atomic():
        attempt = Attempt(_claim(owner, key, digest, wait_ms))
        if attempt.replay:
            logger.info("idempotency: replayed key %s of %s", key, owner)
        yield attempt
        if attempt.given:
            with connection.cursor() as cursor:
                cursor.execute(
                    "UPDATE orders_idempotencyrecord SET status = %s, body = %s"
                    " WHERE owner = %s AND key = %s",
                    [attempt.given.status, attempt.given.body, owner, key],
                )


def _claim(owner: str, key: UUID, digest: str, wait_ms: int) -> Answer | None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", [f"{wait_ms}ms"])
        try:
            # A savepoint keeps the transaction usable after a lock time-out.
            with transaction.atomic():
                cursor.execute(
                    "INSERT INTO orders_idempotencyrecord"
                    " (owner, key, fingerprint, created_at, expires_at)"
                    " VALUES (%s, %s, %s, now(), now() + %s::interval)"
                    " ON CONFLICT (owner, key) DO NOTHING RETURNING id",
                    [owner, key, digest, KEEP],
                )
                claimed = cursor.fetchone() is not None
        except OperationalError as error:
            if getattr(error.__cause__, "sqlstate", None) == LOCK_NOT_AVAILABLE:
                raise StillRunning from error
            raise
        cursor.execute("SELECT set_config('lock_timeout', '4s', true)")
        if claimed:
            return None
        cursor.execute(
            "SELECT fingerprint, status, body FROM orders_idempotencyrecord"
            " WHERE owner = %s AND key = %s",
            [owner, key],
        )
        row = cursor.fetchone()
    if row is None:  # it expired and was deleted just now: another try finds the key free
        raise StillRunning
    stored, status, body = row
    if stored != digest:
        raise KeyReused
    return Answer(status, bytes(body))


@transaction.atomic
def delete_expired_records(*, limit: int = SWEEP) -> int:
    """Delete records past their time. Returns how many. Their keys are free again."""
    expired = IdempotencyRecord.objects.filter(expires_at__lt=timezone.now())
    rows = expired.select_for_update(skip_locked=True).order_by("expires_at")
    found = list(rows.values_list("pk", flat=True)[:limit])
    IdempotencyRecord.objects.filter(pk__in=found).delete()
    return len(found)
