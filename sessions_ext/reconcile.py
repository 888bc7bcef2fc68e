"""Telling Redis what went past it, before it is trusted again."""

from collections.abc import Sequence
from itertools import batched
from typing import TYPE_CHECKING, Final

from redis import Redis

from sessions_ext import dynamodb_store, metrics, redis_store
from sessions_ext.conf import conf
from sessions_ext.dynamodb_store import Entry, Tombstone
from sessions_ext.errors import Gone
from sessions_ext.record import Record, now_ms
from sessions_ext.redis_store import Outcome

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

SETTLED: Final = 60 * 1000
"""Milliseconds after its note a write is made, or will not be: no request takes longer."""


def reconcile(redis: Redis, dynamodb: "DynamoDBClient", *, since: int) -> int:
    """Apply the journal since then (ms) to Redis: tombstones first. Returns of how many
    sessions that live it had writes.

    Entries of writes are struck, as Redis has them now, unless they are so young that the write
    may be still to come. Those of deletions stay until no cookie of theirs can be alive: a
    fail-over may lose the tombstone again. Raises what the clients raise.
    """
    entries = list(dynamodb_store.journal(dynamodb, since=since))
    batches = batched(sorted(entries, key=_deletions_first), 100, strict=False)
    return sum(_apply(redis, dynamodb, batch) for batch in batches)


def _deletions_first(entry: Entry) -> bool:
    return not entry.gone


def _apply(redis: Redis, dynamodb: "DynamoDBClient", entries: Sequence[Entry]) -> int:
    """A deletion that was noted and then not made leaves a session that lives."""
    found = dynamodb_store.read_many(dynamodb, {entry.digest for entry in entries})
    noted = {entry.digest for entry in entries if entry.gone}
    gone = {digest for digest in noted if not isinstance(found.get(digest), Record)}
    gone |= {digest for digest, there in found.items() if isinstance(there, Tombstone)}
    redis_store.bury(redis, sorted(gone), forget_at=now_ms() + conf.age * 1000)
    alive = {digest: there for digest, there in found.items() if isinstance(there, Record)}
    for digest, there in alive.items():
        complete(redis, dynamodb, digest, there)
    for entry in entries:
        if entry.digest not in gone and entry.at < now_ms() - SETTLED:
            dynamodb_store.strike(dynamodb, entry)
    return len(alive)


def complete(redis: Redis, dynamodb: "DynamoDBClient", digest: str, there: Record) -> Record | None:
    """Bring both copies up to what either knows. None when Redis knows that it was deleted."""
    outcome, merged = redis_store.absorb(redis, digest, there)
    if outcome is Outcome.GONE:
        dynamodb_store.tell(dynamodb, digest, forget_at=now_ms() + conf.age * 1000)
        return None
    metrics.REPAIRED.labels("redis").inc()
    if outcome is Outcome.MERGED:
        try:
            dynamodb_store.copy(dynamodb, digest, merged, base=there.version)
        except Gone:  # since it was read, and past Redis
            redis_store.bury(redis, [digest], forget_at=now_ms() + conf.age * 1000)
            return None
        metrics.REPAIRED.labels("dynamodb").inc()
    return merged


def bury_copies(dynamodb: "DynamoDBClient", tombstones: Sequence[tuple[str, int]]) -> int:
    """Tell DynamoDB of deletions: digests, and when they may be forgotten (ms).

    Returns how many it had not heard of.
    """
    found = dynamodb_store.read_many(dynamodb, (digest for digest, _ in tombstones))
    missed = [each for each in tombstones if isinstance(found.get(each[0]), Record)]
    for digest, forget_at in missed:
        dynamodb_store.tell(dynamodb, digest, forget_at=forget_at)
    return len(missed)
