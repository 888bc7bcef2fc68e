"""Which keys of the ring are in use, and sealing everything anew under the newest.

The key's id stands in the open header of each value, so nothing is opened to count it. Sealing
anew changes neither content nor versions nor stamps: whoever reads or merges sees no difference.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import batched
from typing import TYPE_CHECKING, Final

from redis import Redis

from sessions_ext import dynamodb_store, metrics, redis_store
from sessions_ext.conf import conf
from sessions_ext.envelope import Refused, is_removal, key_id_of, seal, stamp_of, unseal
from sessions_ext.record import Record

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

type Tell = Callable[[str, int, int | None], None]
"""What is being done, to how many sessions so far, of how many where that is known."""

ATTEMPTS: Final = 5
WORKERS: Final = 8
"""Requests under way at once to DynamoDB, which takes them one session each."""


def silent(what: str, done: int, total: int | None) -> None:
    pass


@dataclass
class Store:
    """What one store holds."""

    sessions: int = 0
    by_key: Counter[str] = field(default_factory=Counter)
    """Sessions with a value under that key; a session may count for several."""
    malformed: int = 0
    """Sessions with a value that is no envelope of ours."""


@dataclass
class Usage:
    redis: Store
    dynamodb: Store | None
    """None where there is none."""

    def sessions_under(self, key_id: str) -> int:
        """At least so many."""
        stores = [self.redis, *([self.dynamodb] if self.dynamodb else [])]
        return max(store.by_key[key_id] for store in stores)

    @property
    def unknown(self) -> list[str]:
        """Keys that seal something and are not in the ring."""
        stores = [self.redis, *([self.dynamodb] if self.dynamodb else [])]
        return sorted({key for store in stores for key in store.by_key} - conf.keys.keys())

    @property
    def older(self) -> list[str]:
        """Keys of the ring but the newest that are in use."""
        return [key for key in list(conf.keys)[1:] if self.sessions_under(key)]

    def advice(self) -> list[str]:
        """What to do next, most urgent first."""
        lines = [
            f"key {key} is not in SESSION_KEYS: {self.sessions_under(key)} sessions cannot be"
            " opened. Put it back, last in the ring, and restart every instance."
            for key in self.unknown
        ]
        lines += [
            f"key {key} must stay: {self.sessions_under(key)} sessions need it. Run `manage.py"
            " sessions rotate-keys`, then check again."
            for key in self.older
        ]
        lines += [
            f"key {key} may be removed: nothing uses it. Make sure that every instance was"
            " restarted since another key became the first."
            for key in list(conf.keys)[1:]
            if key not in self.older
        ]
        if not lines:
            lines.append(f"nothing to do: everything is under the only key, {newest()}.")
        return lines


def newest() -> str:
    return next(iter(conf.keys))


def usage(*, batch: int, tell: Tell = silent) -> Usage:
    """Count. Reads every session of both stores once; raises what the clients raise."""
    client, dynamodb = conf.redis(), conf.dynamodb()
    total = redis_store.count_live(client)
    in_redis, copies = Store(), Store()
    for records in _in_redis(client, batch):
        for _, record in records:
            _count(in_redis, record)
        tell("counting in Redis", in_redis.sessions, total)
    if dynamodb is None:
        return Usage(in_redis, None)
    for page in batched(dynamodb_store.scan(dynamodb), batch, strict=False):
        for _, record in page:
            _count(copies, record)
        tell("counting in DynamoDB", copies.sessions, None)
    return Usage(in_redis, copies)


def _count(store: Store, record: Record) -> None:
    store.sessions += 1
    found = set()
    try:
        for sealed in record.fields.values():
            if not is_removal(sealed):
                found.add(key_id_of(sealed))
    except Refused:
        store.malformed += 1
    store.by_key.update(found)


@dataclass
class Rotated:
    resealed: int = 0
    """Copies of sessions; one in Redis and one in DynamoDB are two."""
    current: int = 0
    """Were under the newest key already."""
    refused: int = 0
    """Hold a value that does not open; it was left as it is."""
    overtaken: int = 0
    """Were saved again and again meanwhile. The next run does them."""


def rotate(*, batch: int, dry_run: bool = False, tell: Tell = silent) -> Rotated:
    """Seal everything under the newest key, Redis first, as copies are made of what it holds.

    May be stopped anywhere and started again. Raises what the clients raise.
    """
    rotated = Rotated()
    client, dynamodb = conf.redis(), conf.dynamodb()
    done, total = 0, redis_store.count_live(client)
    for records in _in_redis(client, batch):
        _reseal_in_redis(client, records, rotated, dry_run=dry_run)
        done += len(records)
        tell("sealing in Redis", done, total)
    if dynamodb is None:
        return rotated
    done = 0
    with ThreadPoolExecutor(WORKERS, "sessions-rotate") as pool:
        for page in batched(dynamodb_store.scan(dynamodb), batch, strict=False):
            _reseal_copies(dynamodb, page, rotated, pool, dry_run=dry_run)
            done += len(page)
            tell("sealing in DynamoDB", done, None)
    return rotated


def _in_redis(client: Redis, batch: int) -> Iterator[list[tuple[str, Record]]]:
    for digests in redis_store.live_digests(client, batch=batch):
        found = zip(digests, redis_store.read_many(client, digests), strict=True)
        yield [(digest, record) for digest, record in found if record is not None]


def _reseal_in_redis(
    client: Redis, records: Iterable[tuple[str, Record]], rotated: Rotated, *, dry_run: bool
) -> None:
    pipeline = client.pipeline(transaction=False)
    for digest, record in records:
        fields = _resealed(digest, record, rotated)
        if not fields:
            continue
        rotated.resealed += 1
        if not dry_run:
            redis_store.reseal(pipeline, digest, record, fields)
    pipeline.execute()


def _reseal_copies(
    client: "DynamoDBClient",
    records: Iterable[tuple[str, Record]],
    rotated: Rotated,
    pool: ThreadPoolExecutor,
    *,
    dry_run: bool,
) -> None:
    todo = [
        (digest, replace(record, fields={**record.fields, **fields}))
        for digest, record in records
        if (fields := _resealed(digest, record, rotated))
    ]
    if dry_run:
        rotated.resealed += len(todo)
        return
    for replaced in pool.map(lambda item: _reseal_copy(client, *item), todo):
        rotated.resealed += replaced
        rotated.overtaken += not replaced


def _reseal_copy(client: "DynamoDBClient", digest: str, record: Record) -> bool:
    """Unless somebody keeps saving it."""
    for _ in range(ATTEMPTS):
        if dynamodb_store.reseal(client, digest, record):
            return True
        there = dynamodb_store.read(client, digest)
        if not isinstance(there, Record):  # deleted
            return True
        fields = _resealed(digest, there, Rotated())
        if not fields:
            return True
        record = replace(there, fields={**there.fields, **fields})
    return False


def _resealed(digest: str, record: Record, rotated: Rotated) -> dict[bytes, bytes]:
    """New envelopes for what is under another key than the newest; counts the rest."""
    target, fields, refused = newest(), {}, False
    for name, sealed in record.fields.items():
        if is_removal(sealed):
            continue
        try:
            if key_id_of(sealed) == target:
                continue
            attribute, value = unseal(sealed, digest=digest, field=name)
        except Refused as refusal:
            metrics.refused(refusal.reason, digest=digest)
            refused = True
            continue
        fields[name] = seal(
            digest=digest, field=name, stamp=stamp_of(sealed), name=attribute, value=value
        )
    rotated.refused += refused
    rotated.current += not (fields or refused)
    return fields
