"""Operators' check of sessions: both stores hold what is saved, and how they are used."""

from collections.abc import Iterator

from django.conf import settings

from regions.checkup import Answer, Degraded, Probe, probes
from sessions_ext import dynamodb_store, health, keys, redis_store
from sessions_ext.conf import conf
from sessions_ext.engine import SessionStore
from sessions_ext.record import Record


@probes
def sessions() -> Iterator[Probe]:
    conf.dynamodb()  # made here: botocore reads its models for a while
    yield Probe(
        "Sessions",
        settings.ANYPORT_REGION,
        _round_trip,
        impact="One store fewer: sessions go on, without a second copy. With neither, shoppers"
        " who have a session are asked to come back.",
        advice="See Redis primary and DynamoDB; both catch up by themselves (sweep-sessions).",
    )


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
