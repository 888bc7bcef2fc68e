"""Who is signed in where: a user's sessions, and ending them without knowing their ids."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from redis.exceptions import RedisError

from sessions_ext import dynamodb_store, endings, fallback, keys, metrics, redis_store
from sessions_ext.conf import ACTIVITY, conf
from sessions_ext.envelope import Refused, is_removal, unseal
from sessions_ext.errors import SessionsUnavailable
from sessions_ext.health import DYNAMODB_AWAY, dynamodb_gate, redis_gate
from sessions_ext.record import Record, now_ms

ROUNDS: Final = 5
"""Looks for sessions to end: one may get another id while its former is being ended."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A signed-in session, as people recognise it. Times are seconds since the epoch, 0 unknown."""

    digest: str
    """What it is called in the stores; not a secret."""
    since: int
    last_seen: int
    region: str
    agent: str
    """The browser's User-Agent."""
    expires_at: int


def sessions_of(user_id: object) -> list[Entry]:
    """The user's live sessions, newest activity first.

    Each store is asked, as either may know one that the other lost; one of them suffices. Raises
    SessionsUnavailable when neither answers.
    """
    found = _find(keys.pseudonyms_of(str(user_id)))
    entries = [_entry(digest, record) for digest, record in found.items()]
    return sorted(entries, key=lambda entry: entry.last_seen, reverse=True)


def sign_out(digest: str) -> None:
    """End a session for good. Raises SessionsUnavailable when that could be noted nowhere."""
    session_id = fallback.id_of(digest) if conf.fallback_engine else None
    endings.delete(digest, was_alive=True)
    if session_id:
        fallback.end_there(session_id)


def sign_out_all(user_id: object, *, keep: str | None = None) -> int:
    """End all sessions of a user but the one to keep. Returns how many.

    Raises SessionsUnavailable; then some may have been ended.
    """
    count = 0
    for _ in range(ROUNDS):
        ended = [entry for entry in sessions_of(user_id) if entry.digest != keep]
        if not ended:
            break
        for entry in ended:
            sign_out(entry.digest)
        count += len(ended)
    return count


def _find(pseudonyms: Iterable[str]) -> dict[str, Record]:
    in_redis = _in_redis(pseudonyms)
    in_copy = _in_copy(pseudonyms, in_redis or {})
    if in_redis is None and in_copy is None:
        metrics.UNAVAILABLE.inc()
        raise SessionsUnavailable
    return (in_copy or {}) | (in_redis or {})


def _in_redis(pseudonyms: Iterable[str]) -> dict[str, Record] | None:
    if not redis_gate.is_open():
        return None
    try:
        client = conf.redis()
        digests = [digest for name in pseudonyms for digest in redis_store.digests_of(client, name)]
        records = redis_store.read_many(client, digests) if digests else []
    except RedisError as error:
        redis_gate.close(error)
        return None
    return {
        digest: record
        for digest, record in zip(digests, records, strict=True)
        if record is not None and record.user in pseudonyms
    }


def _in_copy(pseudonyms: Iterable[str], known: dict[str, Record]) -> dict[str, Record] | None:
    """Those that are not known yet. A tombstone in Redis that the copy has not got yet counts."""
    client = conf.dynamodb()
    if client is None or not dynamodb_gate.is_open():
        return None
    try:
        digests = {
            digest
            for name in pseudonyms
            for digest in dynamodb_store.digests_of(client, name)
            if digest not in known
        }
        found = dynamodb_store.read_many(client, digests)
    except DYNAMODB_AWAY as error:
        dynamodb_gate.close(error)
        return None
    return {
        digest: record
        for digest, record in found.items()
        if isinstance(record, Record) and record.user in pseudonyms and not _is_gone(digest)
    }


def _is_gone(digest: str) -> bool:
    try:
        return redis_gate.is_open() and redis_store.is_gone(conf.redis(), digest)
    except RedisError as error:
        redis_gate.close(error)
        return False


def _entry(digest: str, record: Record) -> Entry:
    activity = _activity(digest, record)
    return Entry(
        digest=digest,
        since=int(activity.get("since", 0)),
        last_seen=int(activity.get("at", 0)),
        region=str(activity.get("region", "")),
        agent=str(activity.get("agent", "")),
        expires_at=max(record.expires_at, now_ms()) // 1000,
    )


def _activity(digest: str, record: Record) -> dict[str, Any]:
    """Without the id the attribute's field is unknown; its name stands in the envelope."""
    for field, sealed in record.fields.items():
        if is_removal(sealed):
            continue
        try:
            name, value = unseal(sealed, digest=digest, field=field)
        except Refused as refusal:
            metrics.refused(refusal.reason, digest=digest)
            continue
        if name == ACTIVITY:
            found = json.loads(value)
            return found if isinstance(found, dict) else {}
    return {}
