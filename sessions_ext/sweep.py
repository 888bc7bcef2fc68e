"""Catching up: what one store has and the other missed, without any queue that could be lost.

The next save of a session does the same for that one; the sweep is for those that nobody saves.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from redis import Redis

from sessions_ext import dynamodb_store, metrics, redis_store
from sessions_ext.conf import conf
from sessions_ext.dynamodb_store import Tombstone
from sessions_ext.errors import Gone
from sessions_ext.reconcile import bury_copies, complete, reconcile
from sessions_ext.record import Record, now_ms

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@dataclass
class Swept:
    live: int = 0
    copied: int = 0
    """Sessions whose copy was missing or behind."""
    taken_over: int = 0
    """Sessions that the journal had writes of, or of which the copy knew more."""
    buried: int = 0
    """Deletions that the other store had not heard of."""


def sweep() -> Swept:
    """One pass over all live sessions and tombstones in Redis, and over the journal.

    Costs a read of each session in both stores. Raises what the clients raise; whatever is done by
    then stays done, and the next pass starts anew.
    """
    swept = Swept()
    redis, dynamodb = conf.redis(), conf.dynamodb()
    redis_store.forget_expired(redis)
    if dynamodb is None:
        swept.live = redis_store.count_live(redis)
        return swept
    swept.taken_over = reconcile(redis, dynamodb, since=now_ms() - conf.age * 1000)
    for tombstones in redis_store.tombstones(redis):
        swept.buried += bury_copies(dynamodb, tombstones)
    for digests in redis_store.live_digests(redis):
        _compare(redis, dynamodb, digests, swept)
    return swept


def _compare(
    redis: Redis, dynamodb: "DynamoDBClient", digests: Sequence[str], swept: Swept
) -> None:
    """The copies are read first: what is saved in between is newer in Redis, never older."""
    copies = dynamodb_store.read_many(dynamodb, digests)
    for digest, record in zip(digests, redis_store.read_many(redis, digests), strict=True):
        if record is None:
            continue
        swept.live += 1
        there = copies.get(digest)
        match there:
            case Tombstone():
                redis_store.bury(redis, [digest], forget_at=there.forget_at)
                swept.buried += 1
            case Record() if there.version > record.version or there.direct > record.direct:
                complete(redis, dynamodb, digest, there)
                swept.taken_over += 1
            case Record() if there.version == record.version:
                pass
            case _:
                _copy(redis, dynamodb, digest, record)
                swept.copied += 1


def _copy(redis: Redis, dynamodb: "DynamoDBClient", digest: str, record: Record) -> None:
    try:
        final = dynamodb_store.copy(dynamodb, digest, record)
    except Gone:  # deleted since; whoever did it tells Redis
        return
    if final is not record:
        redis_store.absorb(redis, digest, final)
    metrics.REPAIRED.labels("dynamodb").inc()
