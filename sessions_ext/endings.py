"""How an id ends: the session gets another one, or is deleted for good.

Raises what `sessions_ext.vault` raises.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from redis import Redis
from redis.exceptions import RedisError

from sessions_ext import dynamodb_store, metrics, redis_store
from sessions_ext.conf import conf
from sessions_ext.errors import Gone, SessionsUnavailable
from sessions_ext.health import redis_gate
from sessions_ext.record import Record, next_version, now_ms
from sessions_ext.redis_store import Outcome
from sessions_ext.vault import (
    ATTEMPTS,
    NoCopy,
    ask,
    bury_in_redis,
    copied,
    heal,
    rely_on_redis,
    tell_redis,
)


@dataclass(frozen=True)
class Renaming:
    """From one digest to another. `renamed` makes the new form of the newest there is of it."""

    digest: str
    new: str
    loaded: Record
    renamed: Callable[[Record], Record]
    forget_at: int


def rename(digest: str, new: str, *, loaded: Record, renamed: Callable[[Record], Record]) -> Record:
    """Give the session another id. Returns what is stored. Raises Gone."""
    forget_at = max(now_ms() + conf.age * 1000, loaded.expires_at)
    renaming = Renaming(digest, new, loaded, renamed, forget_at)
    if redis_gate.is_open():
        try:
            latest, record = _rename(conf.redis(), renaming)
        except RedisError as error:
            redis_gate.close(error)
        else:
            metrics.SAVED["redis"].inc()
            # First: the former stays dead, also if the new one is ended now.
            return copied(new, _bury_former(renaming, latest, record))
    try:
        return _rename_copy(renaming)
    except Gone:  # Redis may have renamed it all the same, and its answer was lost
        delete(new, expires_at=forget_at)
        raise


def _rename(client: Redis, renaming: Renaming) -> tuple[Record, Record]:
    """What it was renamed from, and what it is now."""
    latest = renaming.loaded
    for _ in range(ATTEMPTS):
        outcome, found = redis_store.rename(
            client,
            renaming.digest,
            renaming.new,
            loaded=latest.version,
            record=renaming.renamed(latest),
            forget_at=renaming.forget_at,
        )
        match outcome:
            case Outcome.GONE:
                raise Gone
            case Outcome.CHANGED:
                metrics.MERGED.inc()
                latest = found
            case Outcome.MISSING | Outcome.BEHIND:
                latest = heal(client, renaming.digest, latest, outcome)
            case _:
                return latest, found
    raise SessionsUnavailable


def _bury_former(renaming: Renaming, latest: Record, record: Record) -> Record:
    """The former's copy, too. What somebody has written to it past Redis goes into the new one.

    Somebody may also have ended it there, or given it another id. Then that holds: one session
    must not go on under two ids.
    """
    try:
        for _ in range(ATTEMPTS):
            there = ask(
                dynamodb_store.bury_renamed,
                renaming.digest,
                heir=renaming.new,
                known=latest,
                forget_at=renaming.forget_at,
            )
            if there is None:
                return record
            metrics.MERGED.inc()
            latest = latest.merged(there)
            again = renaming.renamed(latest)
            record = again.at(next_version(record.version, again.version - 1))
            tell_redis(renaming.new, record)
    except NoCopy:
        return record
    except Gone:
        delete(renaming.new, expires_at=record.expires_at)
        raise
    raise SessionsUnavailable


def _rename_copy(renaming: Renaming) -> Record:
    latest = renaming.loaded
    with suppress(NoCopy):
        for _ in range(ATTEMPTS):
            record = renaming.renamed(latest)
            record = replace(record, direct=record.version)
            there = ask(
                dynamodb_store.rename,
                renaming.digest,
                renaming.new,
                loaded=latest,
                record=record,
                forget_at=renaming.forget_at,
            )
            if there is None:
                metrics.SAVED["dynamodb"].inc()
                bury_in_redis(renaming.digest, renaming.forget_at)
                tell_redis(renaming.new, record)
                return record
            latest = latest.merged(there)
    metrics.UNAVAILABLE.inc()
    raise SessionsUnavailable


def delete(digest: str, *, expires_at: int = 0, was_alive: bool = False) -> None:
    """Delete the session for good, wherever it is.

    Whoever has seen it alive means its heir, too, if it was given another id past Redis meanwhile.
    """
    forget_at = max(now_ms() + conf.age * 1000, expires_at)
    in_redis = bury_in_redis(digest, forget_at)
    in_copy, heir = True, ""
    try:
        heir = ask(dynamodb_store.bury, digest, forget_at=forget_at)
    except NoCopy:  # Redis' tombstone stands for both until the sweep
        in_copy = False
    if in_redis is None:  # it may have come to be trusted before this was noted in the journal
        in_redis = bury_in_redis(digest, forget_at)
    if not in_copy:
        if in_redis is None:
            metrics.UNAVAILABLE.inc()
            raise SessionsUnavailable
        rely_on_redis()
    if heir and (was_alive or in_redis):
        delete(heir, expires_at=expires_at, was_alive=True)
