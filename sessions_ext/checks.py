"""Operators' checks of sessions: both stores hold what is saved, and every region opens it."""

import hmac
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from django.conf import settings

from regions.checks.instances import VIEW
from regions.checkup import (
    Answer,
    Check,
    Degraded,
    Finding,
    Probe,
    State,
    conclusion,
    fact,
    findings_of,
    probes,
)
from sessions_ext import dynamodb_store, health, keys, redis_store
from sessions_ext.conf import conf
from sessions_ext.engine import SessionStore
from sessions_ext.record import Record

STORES: Final = Check(
    "sessions.stores",
    "a session made here is in Redis and in DynamoDB, and gone from both when it is deleted",
    impact="One store fewer: sessions go on, without a second copy. With neither, shoppers who"
    " have a session are asked to come back.",
    advice="See redis.primary and dynamodb.write; both catch up by themselves (sweep-sessions).",
    rank=2,
    after=("redis.primary", "dynamodb.write"),
)
KEYS: Final = Check(
    "sessions.keys",
    "every region's SESSION_KEYS open what the others seal",
    impact="Shoppers who change regions there are signed out.",
    advice="Put the key named back, last in that region's SESSION_KEYS, and restart its"
    " instances. Nothing was lost.",
    rank=1,
    deep=False,
)


@probes
def sessions() -> Iterator[Probe]:
    conf.dynamodb()  # made here: botocore reads its models for a while
    yield Probe(STORES, "from here", _round_trip, settings.ANYPORT_REGION)


def _round_trip() -> Answer:
    """A session made here is in both stores, and none of them serves it once it is deleted."""
    session = SessionStore()
    session["check"] = True
    session.create()
    digest = keys.digest_of(str(session.session_key))
    try:
        if SessionStore(session.session_key).get("check") is not True:
            raise RuntimeError("a session that was just saved is not found")
        if not health.redis_gate.is_open():
            raise Degraded("DynamoDB serves alone: Redis does not answer or takes no writes")
        client = conf.dynamodb()
        if client is None or not health.dynamodb_gate.is_open():
            raise Degraded("Redis serves alone: DynamoDB does not answer")
        if not isinstance(dynamodb_store.read(client, digest), Record):
            raise RuntimeError("the copy in DynamoDB is missing")
    finally:
        session.delete()
    return _numbers()


def _numbers() -> Answer:
    client = conf.redis()
    counts = redis_store.read_counts(client)
    loads = {
        source: counts.get(f"sessions_loads_total/{source}", 0)
        for source in ("replica", "primary", "dynamodb")
    }
    live = redis_store.count_live(client)
    asked = ", ".join(f"{source} {count}" for source, count in loads.items())
    merged = counts.get("sessions_conflicts_merged_total", 0)
    refused = sum(
        count for name, count in counts.items() if name.startswith("sessions_envelopes_refused")
    )
    detail = f"in both stores; {live} live; loads: {asked}; {merged} merged, {refused} refused"
    return Answer(detail, {"live": live, "counts": counts})


# --- Key rings ---------------------------------------------------------------------------------


@fact("session_keys")
def session_keys() -> list[dict[str, str]]:
    """Id and fingerprint of each key, the one that seals first."""
    return [{"id": name, "fingerprint": _fingerprint(key)} for name, key in conf.keys.items()]


def _fingerprint(key: bytes) -> str:
    """Equal for equal keys, and tells nothing of them: they are 32 random bytes."""
    return hmac.digest(key, b"sessions_ext.checks", "sha256").hex()[:12]


@conclusion(KEYS, needs=[VIEW])
def key_rings(findings: Sequence[Finding]) -> Iterator[Finding]:
    rings: dict[str, dict[str, str]] = {}
    for finding in findings_of(VIEW, findings):
        if told := finding.data.get("facts", {}).get("session_keys"):
            rings[finding.region] = {key["id"]: key["fingerprint"] for key in told}
    for region, ring in rings.items():
        problems = [_lacks(ring, other, seals) for other, seals in rings.items()]
        found = [problem for problem in problems if problem]
        if found:
            yield KEYS.problem(f"{len(ring)} keys", "; ".join(found), region=region)
        elif any(ring.keys() != other.keys() for other in rings.values()):
            yield KEYS.problem(
                f"{len(ring)} keys",
                f"opens everything, but its ring is {', '.join(ring)}, and others have another",
                region=region,
                state=State.DEGRADED,
                impact="None while a rotation is under way.",
                advice="Finish it: manage.py sessions rotate-keys --check says how far it is.",
            )
        else:
            yield KEYS.ok(f"{len(ring)} keys", f"{', '.join(ring)}: as everywhere", region=region)


def _lacks(ring: Mapping[str, str], other: str, theirs: Mapping[str, Any]) -> str:
    """What of another region's sessions this ring does not open; empty if it opens all."""
    sealing = next(iter(theirs))
    if sealing not in ring:
        return f"lacks key {sealing}, with which {other} seals"
    wrong = [name for name in theirs if name in ring and ring[name] != theirs[name]]
    return f"has another key under the name {wrong[0]} than {other}" if wrong else ""
