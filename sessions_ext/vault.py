"""Both stores as one: what the engine asks, whichever of them can answer.

Redis is asked first and written first. DynamoDB gets a copy of every save before it is
acknowledged, and serves alone while Redis cannot be asked. Functions raise SessionsUnavailable
when nobody who knows answered.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Concatenate, Final

from redis import Redis
from redis.exceptions import RedisError

from sessions_ext import dynamodb_store, metrics, redis_store
from sessions_ext.conf import conf
from sessions_ext.dynamodb_store import Tombstone
from sessions_ext.errors import Gone, SessionsUnavailable, Taken
from sessions_ext.health import DYNAMODB_AWAY, dynamodb_gate, redis_gate
from sessions_ext.reconcile import complete
from sessions_ext.record import Record, next_version, now_ms
from sessions_ext.redis_store import Outcome

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ATTEMPTS: Final = 8
"""Of a save that finds Redis without the session, or of a rename that others overtake."""


class _NoCopy(Exception):
    """DynamoDB cannot be asked, or is not used here."""


def _ask[**P, T](
    function: "Callable[Concatenate[DynamoDBClient, P], T]", *args: P.args, **kwargs: P.kwargs
) -> T:
    """Raises _NoCopy."""
    client = conf.dynamodb()
    if client is None or not dynamodb_gate.is_open():
        raise _NoCopy
    try:
        return function(client, *args, **kwargs)
    except DYNAMODB_AWAY as error:
        dynamodb_gate.close(error)
        raise _NoCopy from error


# --- Load --------------------------------------------------------------------------------------


def load(digest: str, known: int | None) -> Record | None:
    """The session, or None when there is none (any more).

    `known` is the version that the browser is known to have seen. With it the region's replica is
    asked first, and believed if it is not behind; without it nobody but the primary is.
    """
    if redis_gate.is_open():
        try:
            return redis_gate.confirmed(_load(digest, known))
        except RedisError as error:
            redis_gate.close(error)
    return _load_copy(digest, known or 0)


def _load(digest: str, known: int | None) -> Record | None:
    if known is not None and (found := _load_nearby(digest, known)):
        return found
    client = conf.redis()
    record = redis_store.read(client, digest)
    if record is None or record.version < (known or 0):
        return _consult_copy(client, digest, record)
    metrics.LOADS.labels("primary").inc()
    return record


def _load_nearby(digest: str, known: int) -> Record | None:
    replica = redis_gate.replica()
    if replica is None:
        return None
    try:
        record = redis_store.read(replica, digest)
    except RedisError:
        return None
    if record is None or record.version < known:
        return None
    metrics.LOADS.labels("replica").inc()
    return record


def _consult_copy(client: Redis, digest: str, record: Record | None) -> Record | None:
    """Redis answers, but without the session or with an older version than the browser has seen."""
    try:
        there = _ask(dynamodb_store.read, digest)
        if isinstance(there, Record):
            metrics.LOADS.labels("dynamodb").inc()
            return _ask(_complete, client, digest, there)
    except _NoCopy:
        if record is None:
            _confirm_absence(client, digest)
        there = None
    if isinstance(there, Tombstone):
        redis_store.bury(client, [digest], forget_at=there.forget_at)
        record = None
    if record is not None:
        metrics.STALE.inc()
    metrics.LOADS.labels("nobody" if record is None else "primary").inc()
    return record


def _complete(
    dynamodb: "DynamoDBClient", redis: Redis, digest: str, there: Record
) -> Record | None:
    return complete(redis, dynamodb, digest, there)


def _confirm_absence(client: Redis, digest: str) -> None:
    """Redis has no such session and its copy cannot be asked: is it known to be deleted?"""
    if conf.dynamodb() is not None and not redis_store.is_gone(client, digest):
        metrics.UNAVAILABLE.inc()
        raise SessionsUnavailable


def _load_copy(digest: str, known: int) -> Record | None:
    try:
        there = _ask(dynamodb_store.read, digest)
    except _NoCopy:
        return _load_anyway(digest)
    if isinstance(there, Tombstone):
        metrics.LOADS.labels("nobody").inc()
        return None
    if there is None:  # Redis may have it: DynamoDB was away when it was made
        return _load_anyway(digest)
    metrics.LOADS.labels("dynamodb").inc()
    if there.version < known:
        metrics.STALE.inc()
    return there


def _load_anyway(digest: str) -> Record:
    """The gate may have closed for a moment's failure only; there is nobody else to ask."""
    try:
        record = redis_store.read(conf.redis(), digest)
    except RedisError:
        record = None
    if record is None:
        metrics.UNAVAILABLE.inc()
        raise SessionsUnavailable
    metrics.LOADS.labels("primary").inc()
    return record


# --- Save --------------------------------------------------------------------------------------


def save(
    digest: str,
    *,
    loaded: Record | None,
    record: Record,
    changes: Mapping[bytes, bytes],
    forget: Iterable[bytes] = (),
) -> Record:
    """Write the changes; `record` is what the session will be if nobody else writes.

    Without `loaded` the session is made. Returns what is stored. Raises Gone, Taken.
    """
    if redis_gate.is_open():
        try:
            saved = _save(conf.redis(), digest, loaded, record, changes, forget)
        except RedisError as error:
            redis_gate.close(error)
        else:
            metrics.SAVES.labels("redis").inc()
            return _copied(digest, saved, base=loaded.version if loaded else 0)
    return _save_copy(digest, loaded, record, changes, forget)


def _save(
    client: Redis,
    digest: str,
    loaded: Record | None,
    record: Record,
    changes: Mapping[bytes, bytes],
    forget: Iterable[bytes],
) -> Record:
    for _ in range(ATTEMPTS):
        outcome, saved = redis_store.save(
            client,
            digest,
            create=loaded is None,
            loaded=loaded.version if loaded else 0,
            record=record,
            changes=changes,
            forget=forget,
        )
        match outcome:
            case Outcome.GONE:
                raise Gone
            case Outcome.TAKEN:
                raise Taken
            case Outcome.MISSING | Outcome.BEHIND:
                assert loaded is not None, "only an update finds something missing"  # noqa: S101
                _heal(client, digest, loaded, outcome)
            case _:
                if outcome is Outcome.MERGED:
                    metrics.MERGED.inc()
                return saved
    raise SessionsUnavailable


def _heal(client: Redis, digest: str, loaded: Record, outcome: Outcome) -> Record:
    """Redis lost what was read from it a moment ago. Puts it back. Raises Gone."""
    try:
        there = _ask(dynamodb_store.read, digest)
    except _NoCopy:
        if outcome is Outcome.MISSING and conf.dynamodb() is not None:
            raise SessionsUnavailable from None
        there = None
    if isinstance(there, Tombstone):
        redis_store.bury(client, [digest], forget_at=there.forget_at)
        raise Gone
    if there is None and outcome is Outcome.MISSING:
        raise Gone  # it has expired
    outcome, healed = redis_store.absorb(client, digest, loaded.merged(there) if there else loaded)
    if outcome is Outcome.GONE:
        raise Gone
    metrics.REPAIRED.labels("redis").inc()
    return healed


def _copied(digest: str, saved: Record, *, base: int = 0) -> Record:
    """Bring the copy up to it. A copy that cannot be made now is caught up on later."""
    try:
        final = _ask(dynamodb_store.copy, digest, saved, base=base)
    except _NoCopy:
        if conf.dynamodb() is not None:
            metrics.UNCOPIED.inc()
        return saved
    except Gone:  # deleted past Redis
        _bury_in_redis(digest, now_ms() + conf.age * 1000)
        raise
    if final is not saved:  # it holds what somebody wrote past Redis
        metrics.MERGED.inc()
        _tell_redis(digest, final)
    return final


def _save_copy(
    digest: str,
    loaded: Record | None,
    record: Record,
    changes: Mapping[bytes, bytes],
    forget: Iterable[bytes],
) -> Record:
    def change(base: Record) -> Record:
        fields = {name: value for name, value in base.fields.items() if name not in set(forget)}
        return Record(
            version=next_version(base.version, record.version - 1),
            expires_at=record.expires_at,
            user=record.user,
            fields=fields | dict(changes),
        )

    try:
        if loaded is None:
            saved = replace(record, direct=record.version)
            _ask(dynamodb_store.create, digest, saved)
        else:
            saved = _ask(dynamodb_store.write, digest, loaded, change)
    except _NoCopy as error:
        metrics.UNAVAILABLE.inc()
        raise SessionsUnavailable from error
    metrics.SAVES.labels("dynamodb").inc()
    _tell_redis(digest, saved)
    return saved


def _tell_redis(digest: str, saved: Record) -> None:
    """Redis may have come to be trusted before a write past it was noted in the journal."""
    if redis_gate.is_open():
        try:
            redis_store.absorb(conf.redis(), digest, saved)
        except RedisError as error:
            redis_gate.close(error)


# --- Rename and delete ---------------------------------------------------------------------------


def rename(digest: str, new: str, *, loaded: Record, renamed: Callable[[Record], Record]) -> Record:
    """Give the session another id. `renamed` makes its new form of the newest there is of it.

    Returns what is stored. Raises Gone.
    """
    forget_at = max(now_ms() + conf.age * 1000, loaded.expires_at)
    if redis_gate.is_open():
        try:
            record = _rename(conf.redis(), digest, new, loaded, renamed, forget_at)
        except RedisError as error:
            redis_gate.close(error)
        else:
            metrics.SAVES.labels("redis").inc()
            _bury_copy(digest, forget_at)  # first: it stays dead, also if the new one is ended now
            return _copied(new, record)
    return _rename_copy(digest, new, loaded, renamed, forget_at)


def _rename(
    client: Redis,
    digest: str,
    new: str,
    latest: Record,
    renamed: Callable[[Record], Record],
    forget_at: int,
) -> Record:
    for _ in range(ATTEMPTS):
        outcome, found = redis_store.rename(
            client,
            digest,
            new,
            loaded=latest.version,
            record=renamed(latest),
            forget_at=forget_at,
        )
        match outcome:
            case Outcome.GONE:
                raise Gone
            case Outcome.CHANGED:
                metrics.MERGED.inc()
                latest = found
            case Outcome.MISSING | Outcome.BEHIND:
                latest = _heal(client, digest, latest, outcome)
            case _:
                return found
    raise SessionsUnavailable


def _rename_copy(
    digest: str,
    new: str,
    latest: Record,
    renamed: Callable[[Record], Record],
    forget_at: int,
) -> Record:
    with suppress(_NoCopy):
        for _ in range(ATTEMPTS):
            record = renamed(latest)
            record = replace(record, direct=record.version)
            if _ask(
                dynamodb_store.rename,
                digest,
                new,
                loaded=latest,
                record=record,
                forget_at=forget_at,
            ):
                metrics.SAVES.labels("dynamodb").inc()
                _bury_in_redis(digest, forget_at)
                _tell_redis(new, record)
                return record
            there = _ask(dynamodb_store.read, digest)
            if isinstance(there, Record):
                latest = latest.merged(there)
    metrics.UNAVAILABLE.inc()
    raise SessionsUnavailable


def delete(digest: str, *, expires_at: int = 0) -> None:
    """Delete the session for good, wherever it is."""
    forget_at = max(now_ms() + conf.age * 1000, expires_at)
    in_redis = _bury_in_redis(digest, forget_at)
    in_copy = _bury_copy(digest, forget_at)
    # Redis may have come to be trusted before this was noted in the journal.
    in_redis = in_redis or _bury_in_redis(digest, forget_at)
    if not (in_redis or in_copy):
        metrics.UNAVAILABLE.inc()
        raise SessionsUnavailable


def _bury_in_redis(digest: str, forget_at: int) -> bool:
    if not redis_gate.is_open():
        return False
    try:
        redis_store.bury(conf.redis(), [digest], forget_at=forget_at)
    except RedisError as error:
        redis_gate.close(error)
        return False
    return True


def _bury_copy(digest: str, forget_at: int) -> bool:
    """Where DynamoDB is away, Redis' tombstone stands for both until the sweep."""
    try:
        _ask(dynamodb_store.bury, digest, forget_at=forget_at)
    except _NoCopy:
        return False
    return True
