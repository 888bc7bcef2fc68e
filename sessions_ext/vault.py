"""Both stores as one: what the engine asks, whichever of them can answer.

Redis is asked first and written first. DynamoDB gets a copy of every save before it is
acknowledged, and serves alone while Redis cannot be asked. Functions raise SessionsUnavailable
when nobody who knows answered.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Concatenate, Final

from redis import Redis
from redis.exceptions import RedisError

from sessions_ext import dynamodb_store, metrics, redis_store
from sessions_ext.conf import conf
from sessions_ext.dynamodb_store import Tombstone
from sessions_ext.errors import Gone, SessionsUnavailable, Taken
from sessions_ext.health import DYNAMODB_AWAY, Gate, dynamodb_gate, redis_gate
from sessions_ext.reconcile import complete
from sessions_ext.record import Record, next_version, now_ms
from sessions_ext.redis_store import Outcome

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ATTEMPTS: Final = 8
"""Of a save that finds Redis without the session, or of a rename that others overtake."""

HOPE: Final = 30.0
"""Seconds that a store has to be away before an older session than the browser has seen is shown:
it may have the newer one, and mostly answers again at once."""


class NoCopy(Exception):
    """DynamoDB cannot be asked, or is not used here."""


def ask[**P, T](
    function: "Callable[Concatenate[DynamoDBClient, P], T]", *args: P.args, **kwargs: P.kwargs
) -> T:
    """Raises NoCopy."""
    client = conf.dynamodb()
    if client is None or not dynamodb_gate.is_open():
        raise NoCopy
    try:
        return function(client, *args, **kwargs)
    except DYNAMODB_AWAY as error:
        dynamodb_gate.close(error)
        raise NoCopy from error


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
    metrics.LOADED["primary"].inc()
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
    metrics.LOADED["replica"].inc()
    return record


def _consult_copy(client: Redis, digest: str, record: Record | None) -> Record | None:
    """Redis answers, but without the session or with an older version than the browser has seen."""
    try:
        there = ask(dynamodb_store.read, digest)
        if isinstance(there, Record):
            metrics.LOADED["dynamodb"].inc()
            return ask(_complete, client, digest, there)
    except NoCopy:
        if record is None:
            _confirm_absence(client, digest)
        elif conf.dynamodb() is not None:
            _hope_for(dynamodb_gate)
        rely_on_redis()
        there = None
    if isinstance(there, Tombstone):
        redis_store.bury(client, [digest], forget_at=there.forget_at)
        record = None
    if record is not None:
        metrics.STALE.inc()
    metrics.LOADED["nobody" if record is None else "primary"].inc()
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


def _hope_for(other: Gate) -> None:
    """This store has an older session than the browser has seen: the other one has the newer."""
    if other.closed_for < HOPE:
        metrics.UNAVAILABLE.inc()
        raise SessionsUnavailable


def _load_copy(digest: str, known: int) -> Record | None:
    try:
        there = ask(dynamodb_store.read, digest)
    except NoCopy:
        return _load_anyway(digest)
    if isinstance(there, Tombstone):
        metrics.LOADED["nobody"].inc()
        return None
    if there is None:  # Redis may have it: DynamoDB was away when it was made
        return _load_anyway(digest)
    metrics.LOADED["dynamodb"].inc()
    if there.version < known:
        _hope_for(redis_gate)
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
    metrics.LOADED["primary"].inc()
    return record


def rely_on_redis() -> None:
    """The copy cannot be asked. Is that DynamoDB's trouble, or is this region cut off from all?

    A primary that is cut off takes writes for some seconds more, which are lost when it comes back
    and finds another in its place; and the others have newer ones. So a replica must follow it.
    Where there never was a replica, or are no copies, there is nothing to tell it by.
    """
    if conf.dynamodb() is None or not redis_gate.had_replicas:
        return
    try:
        if redis_store.is_replicated(conf.redis()):
            return
    except RedisError as error:
        redis_gate.close(error)
    metrics.UNAVAILABLE.inc()
    raise SessionsUnavailable


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
            metrics.SAVED["redis"].inc()
            return copied(digest, saved, base=loaded.version if loaded else 0)
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
                assert loaded is not None, "only an update finds something missing"  # noqa: S101 (types)
                heal(client, digest, loaded, outcome)
            case _:
                if outcome is Outcome.MERGED:
                    metrics.MERGED.inc()
                return saved
    raise SessionsUnavailable


def heal(client: Redis, digest: str, loaded: Record, outcome: Outcome) -> Record:
    """Redis lost what was read from it a moment ago. Puts it back. Raises Gone."""
    try:
        there = ask(dynamodb_store.read, digest)
    except NoCopy:
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


def copied(digest: str, saved: Record, *, base: int = 0) -> Record:
    """Bring the copy up to it. A copy that cannot be made now is caught up on later."""
    try:
        final = ask(dynamodb_store.copy, digest, saved, base=base)
    except NoCopy:
        if conf.dynamodb() is not None:
            metrics.UNCOPIED.inc()
        rely_on_redis()
        return saved
    except Gone:  # deleted past Redis
        bury_in_redis(digest, now_ms() + conf.age * 1000)
        raise
    if final is not saved:  # it holds what somebody wrote past Redis
        metrics.MERGED.inc()
        tell_redis(digest, final)
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
            ask(dynamodb_store.create, digest, saved)
        else:
            saved = ask(dynamodb_store.write, digest, loaded, change)
    except NoCopy as error:
        metrics.UNAVAILABLE.inc()
        raise SessionsUnavailable from error
    metrics.SAVED["dynamodb"].inc()
    tell_redis(digest, saved)
    return saved


def tell_redis(digest: str, saved: Record) -> None:
    """Redis may have come to be trusted before a write past it was noted in the journal."""
    if redis_gate.is_open():
        try:
            redis_store.absorb(conf.redis(), digest, saved)
        except RedisError as error:
            redis_gate.close(error)


def bury_in_redis(digest: str, forget_at: int) -> bool | None:
    """Whether it was there; None when Redis could not be told."""
    if not redis_gate.is_open():
        return None
    try:
        return redis_store.bury(conf.redis(), [digest], forget_at=forget_at) > 0
    except RedisError as error:
        redis_gate.close(error)
        return None
