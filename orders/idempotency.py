"""Requests that take effect once, however often they are sent.

    with idempotent(owners=…, key=…, content=…, decline=…) as attempt:
        if not attempt.answer:
            …the effect…
            attempt.answer = Answer(201, body)
    return attempt.answer

The record is inserted in the transaction of the effect itself. Whoever comes second blocks on
the unique index until the first one ends: if it committed, the answer is replayed; if it died,
its row is gone and the second proceeds. No lease, no zombie. "GET; work; SET" in Redis loses
races, and forgets a key on failover while the order stays. Why refusals are remembered too, and
what Redis is for: docs/decisions/0008-idempotency.md.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final
from uuid import UUID

from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.exceptions import SessionInterrupted
from django.db import OperationalError, connection, transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from orders.answers import Answer, recall, remember
from orders.models import IdempotencyRecord
from shop.errors import ShopError
from shop.models import Customer
from shop.outcomes import Ending, counted

KEEP: Final = "24 hours"
SWEEP: Final = 1000
"""Most expired records deleted in one transaction."""
LOCK_NOT_AVAILABLE: Final = "55P03"
SESSION_OWNER: Final = "keys_owner"
"""Session: who its keys belong to. An attribute outlives the new id that a log-in gives."""


class IdempotencyError(Exception):
    """A keyed request that cannot be answered now."""


class KeyReused(IdempotencyError):
    """The key was used for another request (422)."""

    outcome = "reused"


class StillRunning(IdempotencyError):
    """The first request with this key has not ended (409, ask again)."""

    outcome = "running"


class BadKey(IdempotencyError):
    """No UUID v4 (400)."""


@dataclass
class Attempt(Ending):
    """The right to act, or the answer that was given before: act only while there is no answer.

    What is assigned to `answer` commits with the effect, and is written when the block ends.
    """

    answer: Answer | None = None
    _keep: Callable[[Answer], None] | None = None

    def settle(self, answer: Answer) -> None:
        """Assign the answer and write it now, so that after the block only the commit is left.

        For effects whose last step takes what others wait for: they wait no longer than for that.
        """
        self.answer = answer
        if self._keep:
            self._keep(answer)
            self._keep = None

    @property
    def is_replayed(self) -> bool:
        return self.outcome.startswith("replayed")

    @property
    def settled(self) -> Answer:
        if self.answer is None:  # it would be replayed as nothing
            raise RuntimeError("the effect of an idempotency key ended without an answer")
        return self.answer

    def response(self) -> HttpResponse:
        """For HTTP, after the block."""
        response = self.settled.response()
        if self.is_replayed:
            response.headers["Idempotency-Replayed"] = "true"
        return response


def read_key(text: str) -> UUID:
    """Raises BadKey for anything but a UUID v4 as RFC 9562 writes it."""
    try:
        key = UUID(text)
    except ValueError:
        raise BadKey from None
    if key.version != 4 or str(key) != text.lower():
        raise BadKey
    return key


def owners_of(request: HttpRequest) -> tuple[str, ...]:
    """Whose keys these are: the customer's, on all their devices, and this session's.

    A guest who logs in and sends the same again is the same: the name that the session has given
    its guest stays in it, and a key is claimed under both names. It is saved before anything
    else happens; were it saved with the response, a crash would make the retry somebody else's.
    A guest without a session gets one. The session's id itself is never stored.
    Raises SessionInterrupted, SessionsUnavailable.
    """
    session = request.session
    customer = request.user.pk if isinstance(request.user, Customer) else None
    guest = session.get(SESSION_OWNER)  # asking loads the session: a forged id is gone
    if guest is None and customer is None:
        if not session.session_key:
            session.create()
        # Not random: two requests that come first at the same moment name it alike.
        guest = hashlib.sha256(str(session.session_key).encode()).hexdigest()
        session[SESSION_OWNER] = guest
        try:
            session.save()
        except UpdateError:  # a log-in or log-out in another tab: its cookie is on the way
            raise SessionInterrupted("The session ended before the request began.") from None
    names = (customer and f"customer:{customer}", guest and f"session:{guest}")
    return tuple(name for name in names if name)


def fingerprint(content: Mapping[str, Any]) -> str:
    """Digest of what was asked, independent of the order of keys."""
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()


@contextmanager
def idempotent(
    *,
    owners: tuple[str, ...],
    key: UUID,
    content: Mapping[str, Any],
    decline: Callable[[ShopError], Answer] | None = None,
    wait_ms: int = 50,
) -> Iterator[Attempt]:
    """One transaction in which the keyed effect happens at most once, and its answer is kept.

    `owners` scope the key: another shopper's key is another key. `wait_ms` bounds how long a
    duplicate waits for the first to end. A ShopError inside undoes the effect and is answered
    with what `decline` makes of it, now and whenever the key comes again; without `decline` it
    passes through. Any other exception frees the key: the same request may be sent again.
    Raises KeyReused, StillRunning, RuntimeError for a block that left no answer.
    """
    claim = _Claim(owners, key, fingerprint(content), wait_ms)
    attempt = Attempt()
    with counted(attempt, key):
        if claim.recall(attempt):
            yield attempt
            return
        try:
            with claim.transaction(attempt):
                yield attempt
        except ShopError as error:
            if decline is None:
                raise
            # The effect's locks are let go first. A duplicate may step in between: then its
            # answer is the answer, as nobody was told of this one.
            with claim.transaction(attempt):
                if not attempt.answer:
                    attempt.answer, attempt.outcome = decline(error), "declined"
    remember(owners, key, claim.digest, attempt.settled)


@dataclass(frozen=True)
class _Claim:
    owners: tuple[str, ...]
    key: UUID
    digest: str
    wait_ms: int

    def recall(self, attempt: Attempt) -> bool:
        """Whether Redis knew the answer. Raises KeyReused."""
        known = recall(self.owners, self.key)
        if known is None:
            return False
        digest, attempt.answer = known
        self._compare(digest)
        attempt.outcome = "replayed_by_redis"
        return True

    @contextmanager
    def transaction(self, attempt: Attempt) -> Iterator[None]:
        # Durable: inside another transaction, an answer could be told and then rolled back.
        with transaction.atomic(durable=True):
            claimed, attempt.answer = self._take()
            if attempt.answer:
                attempt.outcome = "replayed"
            attempt._keep = partial(self._write, claimed=claimed)
            yield
            if attempt._keep:
                attempt.settle(attempt.settled)

    def _take(self) -> tuple[list[str], Answer | None]:
        """The names under which the key was free, and the answer if it was not under each.

        Always in the order of `owners`, so that two claims cannot wait for each other.
        """
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('lock_timeout', %s, true)", [f"{self.wait_ms}ms"])
            try:
                cursor.execute(INSERT, [self.key, self.digest, KEEP, list(self.owners)])
            except OperationalError as error:
                if getattr(error.__cause__, "sqlstate", None) == LOCK_NOT_AVAILABLE:
                    raise StillRunning from error
                raise
            claimed = [owner for (owner,) in cursor.fetchall()]
            cursor.execute("SET LOCAL lock_timeout TO DEFAULT")
        taken = [owner for owner in self.owners if owner not in claimed]
        return claimed, self._read(taken) if taken else None

    def _read(self, owners: list[str]) -> Answer:
        record = (
            IdempotencyRecord.objects.filter(owner__in=owners, key=self.key)
            .order_by("owner")
            .first()
        )
        if record is None:  # it expired and was deleted just now: another try finds the key free
            raise StillRunning
        self._compare(record.fingerprint)
        return Answer(record.status or 0, bytes(record.body or b""), record.headers or {})

    def _compare(self, digest: str) -> None:
        if digest != self.digest:
            raise KeyReused

    def _write(self, answer: Answer, claimed: list[str]) -> None:
        """Under each name that is new; a replay under an old name becomes known by the others."""
        if claimed:
            IdempotencyRecord.objects.filter(owner__in=claimed, key=self.key).update(
                status=answer.status, body=answer.body, headers=dict(answer.headers)
            )


INSERT: Final = """
INSERT INTO orders_idempotencyrecord (owner, key, fingerprint, created_at, expires_at)
SELECT owner, %s, %s, now(), now() + %s::interval
  FROM unnest(%s::text[]) WITH ORDINALITY AS owners (owner, place) ORDER BY place
    ON CONFLICT (owner, key) DO NOTHING RETURNING owner
"""


def delete_expired_records(*, limit: int = SWEEP * 100) -> int:
    """Delete records past their time, at most `limit`. Returns how many. Their keys are free again.

    In several transactions, so that none is long.
    """
    deleted = 0
    while deleted < limit:
        batch = min(SWEEP, limit - deleted)
        found = _delete_some(batch)
        deleted += found
        if found < batch:
            break
    return deleted


@transaction.atomic
def _delete_some(limit: int) -> int:
    expired = IdempotencyRecord.objects.filter(expires_at__lt=timezone.now())
    rows = expired.select_for_update(skip_locked=True).order_by("expires_at")
    found = list(rows.values_list("pk", flat=True)[:limit])
    IdempotencyRecord.objects.filter(pk__in=found).delete()
    return len(found)
