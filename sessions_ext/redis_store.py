"""Sessions in Redis: a hash each, changed by Lua scripts, so that no two requests interleave.

Not for Redis Cluster: a session, the tombstones and the index of its user are written in one step.
Every function raises `redis.exceptions.RedisError` when nobody answered.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any, Final, cast

from redis import Redis
from redis.client import Pipeline
from redis.commands.core import Script
from redis.exceptions import NoScriptError, RedisError, ResponseError

from sessions_ext import metrics
from sessions_ext.conf import conf
from sessions_ext.record import Record, now_ms, number

CONFIRM_WITHIN: Final = 400
"""Milliseconds for a replica to confirm. The furthest regions are 100 ms apart."""

_LUA: Final = Path(__file__).parent / "lua"


class Outcome(StrEnum):
    SAVED = "SAVED"
    MERGED = "MERGED"
    """Saved beside another request's changes."""
    TAKEN_OVER = "TAKEN_OVER"
    CHANGED = "CHANGED"
    """Not renamed: another request has written meanwhile."""
    GONE = "GONE"
    """There is a tombstone."""
    MISSING = "MISSING"
    """Not there, and nobody deleted it."""
    BEHIND = "BEHIND"
    """Older than what was read before: Redis lost writes."""
    TAKEN = "TAKEN"
    """Something else has this id."""


def session_key(digest: str) -> str:
    return f"{conf.prefix}:{digest}"


def live_key() -> str:
    """Sorted set: digests of live sessions by the full minute after their expiry."""
    return f"{conf.prefix}s:live"


def gone_key() -> str:
    """Sorted set: tombstones by the time they may be forgotten."""
    return f"{conf.prefix}s:gone"


def user_key(pseudonym: str) -> str:
    """Sorted set: digests of a user's sessions by the full minute after their expiry."""
    return f"{conf.prefix}s:of:{pseudonym}"


def beat_key(process: str) -> str:
    """What tells a process how far a replica lags behind (sessions_ext.health)."""
    return f"{conf.prefix}s:beat:{process}"


def confirmation_key() -> str:
    """Written for nothing but to wait until a replica has it (`is_replicated`)."""
    return f"{conf.prefix}s:confirm"


def counts_key() -> str:
    """Hash: what all processes have counted (sessions_ext.metrics), for the operators' check."""
    return f"{conf.prefix}s:counts"


def is_replicated(client: Redis) -> bool:
    """Whether a replica has all that this primary has acknowledged until now.

    Replication keeps the order, so a write of this connection stands for everybody's before it.
    """
    pipeline = client.pipeline(transaction=False)
    pipeline.set(confirmation_key(), "1", ex=60)
    pipeline.wait(1, CONFIRM_WITHIN)
    _, replicas = pipeline.execute()
    return bool(replicas)


def read(client: Redis, digest: str) -> Record | None:
    """One round trip."""
    try:
        # What `hgetall` sends, without what it adds for redis-py's client-side cache.
        found: dict[bytes, bytes] = client.execute_command("HGETALL", session_key(digest))  # type: ignore[no-untyped-call]  # redis-py's
    except ResponseError as error:
        found = _nothing_of_ours(error, digest)
    return _record(found, digest)


def read_many(client: Redis, digests: Iterable[str]) -> list[Record | None]:
    """One round trip for all of them."""
    digests = list(digests)
    pipeline = client.pipeline(transaction=False)
    for digest in digests:
        pipeline.hgetall(session_key(digest))
    return [
        _record(_nothing_of_ours(found, digest) if isinstance(found, RedisError) else found, digest)
        for digest, found in zip(digests, pipeline.execute(raise_on_error=False), strict=True)
    ]


def _nothing_of_ours(error: RedisError, digest: str) -> dict[bytes, bytes]:
    """Something that is no hash is in a session's place. Raises any other error again."""
    if not str(error).startswith("WRONGTYPE"):
        raise error
    metrics.refused("malformed", digest=digest)
    return {}


def is_gone(client: Redis, digest: str) -> bool:
    return client.zscore(gone_key(), digest) is not None


def save(
    client: Redis,
    digest: str,
    *,
    create: bool,
    loaded: int,
    record: Record,
    changes: Mapping[bytes, bytes],
    forget: Iterable[bytes] = (),
) -> tuple[Outcome, Record]:
    """Write the changes; `record` brings version, expiry and user. One round trip.

    The record returned is what Redis holds now, where that is not `record` with the version given.
    """
    answer = _run(
        client,
        "save",
        digest,
        [
            "create" if create else "update",
            loaded,
            record.version,
            record.expires_at,
            user_key(""),
            record.user,
            record.direct,
            len(changes),
            *chain.from_iterable(changes.items()),
            *forget,
        ],
    )
    return _outcome(answer, digest, record)


def rename(
    client: Redis, digest: str, new: str, *, loaded: int, record: Record, forget_at: int
) -> tuple[Outcome, Record]:
    """Store `record` under the new digest and bury the old one, unless it has changed."""
    answer = _run(
        client,
        "rename",
        digest,
        [
            new,
            loaded,
            record.version,
            record.expires_at,
            forget_at,
            user_key(""),
            record.user,
            record.direct,
            *chain.from_iterable(record.fields.items()),
        ],
        session_key(new),
    )
    return _outcome(answer, digest, record)


def bury(client: Redis, digests: Iterable[str], *, forget_at: int) -> int:
    """Delete sessions and leave their tombstones. One round trip for all of them.

    Returns how many were there.
    """
    pipeline = client.pipeline(transaction=False)
    now = now_ms()
    for digest in digests:
        _run(pipeline, "bury", digest, [forget_at, now, user_key("")])
    return sum(pipeline.execute())


def absorb(client: Redis, digest: str, record: Record) -> tuple[Outcome, Record]:
    """Merge another copy into what Redis holds. MERGED: Redis had something of its own."""
    answer = _run(
        client,
        "absorb",
        digest,
        [
            record.version,
            record.expires_at,
            record.user,
            record.direct,
            user_key(""),
            *chain.from_iterable(record.fields.items()),
        ],
    )
    return _outcome(answer, digest, record)


def reseal(client: Redis, digest: str, former: Record, fields: Mapping[bytes, bytes]) -> None:
    """Replace each field by its new envelope if it still is what `former` holds."""
    pairs = [(name, former.fields[name], sealed) for name, sealed in fields.items()]
    _run(client, "reseal", digest, list(chain.from_iterable(pairs)))


def digests_of(client: Redis, pseudonym: str) -> list[str]:
    """A user's sessions; one may have ended within the last minute."""
    return _texts(client.zrange(user_key(pseudonym), str(now_ms()), "+inf", byscore=True))


def live_digests(client: Redis, *, batch: int = 200) -> Iterator[list[str]]:
    """Every live session, in batches; one that comes or goes meanwhile may be missed.

    One that has ended within the last minute may be there.
    """
    cursor = 0
    while True:
        cursor, found = cast(
            tuple[int, list[tuple[bytes, float]]], client.zscan(live_key(), cursor, count=batch)
        )
        now = now_ms()
        digests = [digest.decode() for digest, expires_at in found if expires_at > now]
        if digests:
            yield digests
        if cursor == 0:
            return


def tombstones(client: Redis, *, batch: int = 200) -> Iterator[list[tuple[str, int]]]:
    """Every tombstone and when it may be forgotten (ms)."""
    cursor = 0
    while True:
        cursor, found = cast(
            tuple[int, list[tuple[bytes, float]]], client.zscan(gone_key(), cursor, count=batch)
        )
        if found:
            yield [(digest.decode(), int(forget_at)) for digest, forget_at in found]
        if cursor == 0:
            return


def tombstones_since(client: Redis, since: int) -> list[tuple[str, int]]:
    """Those of deletions since then (ms), and when they may be forgotten (ms)."""
    found = client.zrange(
        gone_key(), str(since + conf.age * 1000), "+inf", byscore=True, withscores=True
    )
    return [(digest.decode(), int(forget_at)) for digest, forget_at in cast(Any, found)]


def count_live(client: Redis) -> int:
    """With those that have ended within the last minute."""
    return client.zcount(live_key(), now_ms(), "+inf")


def add_counts(client: Redis, counted: Mapping[str, float]) -> None:
    pipeline = client.pipeline(transaction=False)
    for name, amount in counted.items():
        pipeline.hincrby(counts_key(), name, int(amount))
    pipeline.execute()


def read_counts(client: Redis) -> dict[str, int]:
    """Since Redis was last emptied."""
    found = cast(dict[bytes, bytes], client.hgetall(counts_key()))
    return {name.decode(): int(amount) for name, amount in found.items()}


def _live() -> float:
    """For the gauge: not a number while Redis cannot be asked."""
    try:
        return count_live(conf.redis())
    except RedisError:
        return math.nan


metrics.count_live(_live)


def forget_expired(client: Redis) -> None:
    """Sessions expire by themselves; their entries in the sorted sets do not."""
    pipeline = client.pipeline(transaction=False)
    pipeline.zremrangebyscore(live_key(), "-inf", now_ms())
    pipeline.zremrangebyscore(gone_key(), "-inf", now_ms())
    pipeline.execute()


# --- Scripts ---------------------------------------------------------------------------------


@cache
def _script(name: str) -> Script:
    """Read once; whichever client runs it sends a digest, and the text to a server without it."""
    return Script(Redis(), (_LUA / f"{name}.lua").read_text())


def _run(client: Redis, name: str, digest: str, arguments: list[Any], *keys: str) -> Any:
    script = _script(name)
    names, values = (session_key(digest), live_key(), gone_key(), *keys), (digest, *arguments)
    if not isinstance(client, Pipeline):
        try:
            return client.execute_command("EVALSHA", script.sha, len(names), *names, *values)  # type: ignore[no-untyped-call]  # redis-py's
        except NoScriptError:
            pass
    return script(keys=names, args=values, client=client)


def _outcome(answer: list[Any], digest: str, sent: Record) -> tuple[Outcome, Record]:
    outcome = Outcome(answer[0].decode())
    match outcome:
        case Outcome.SAVED:
            return outcome, sent.at(int(answer[1]))
        case Outcome.MERGED | Outcome.CHANGED | Outcome.TAKEN_OVER:
            pairs = iter(answer[1])
            found = _record(dict(zip(pairs, pairs, strict=True)), digest)
            return outcome, found or sent  # nothing is left of what has expired by then
        case _:
            return outcome, sent


def _record(found: dict[bytes, bytes], digest: str) -> Record | None:
    """Takes what it is given apart. None for nothing, and for what is not of our making: the other
    copy then repairs it."""
    if not found:
        return None
    try:
        return Record(
            version=number(found.pop(b"v")),
            expires_at=number(found.pop(b"x")),
            user=found.pop(b"u").decode(),
            direct=number(found.pop(b"d")),
            fields=found,
        )
    except (KeyError, ValueError):
        metrics.refused("malformed", digest=digest)
        return None


def _texts(found: Any) -> list[str]:
    return [item.decode() for item in found]
