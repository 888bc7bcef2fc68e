"""PostgreSQL: who writes, who follows, how far behind, and on how many servers a commit is."""

import re
import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Final

import psycopg
from django.conf import settings
from django.db.migrations.loader import MigrationLoader

from regions.checkup import (
    Answer,
    Check,
    Degraded,
    Finding,
    Probe,
    State,
    conclusion,
    findings_of,
    probes,
)
from regions.whereabouts import region_of_database

LAG: Final = 10.0
"""Seconds a standby may be behind before it is called degraded."""
LAG_BYTES: Final = 64 << 20
WAITING: Final = 1.0
"""Seconds that a commit may wait for a standby."""

WRITER: Final = Check(
    "postgres.writer",
    "exactly one server takes writes",
    impact="Shoppers browse; carts and orders answer 503 until there is a writer.",
    advice="manage.py failover promote REGION (or docs/operations.md, The writer is gone).",
    rank=0,
)
ROLE: Final = Check(
    "postgres.role",
    "each server answers, and is the writer or a standby that receives from it",
    impact="None while another server takes writes: one copy of the data fewer.",
    advice="Read that server's log, and start it again as a standby.",
    worst=State.DEGRADED,
    rank=2,
)
SYNCHRONOUS: Final = Check(
    "postgres.synchronous",
    "a commit is acknowledged when it is in two regions, and none waits for that",
    impact="Carts and orders wait, then answer 503, while no standby confirms commits; browsing"
    " goes on.",
    advice="Bring a standby back (postgres.role). Do not turn synchronous_standby_names off: the"
    " next loss would lose acknowledged orders.",
    rank=1,
)
LAGGING: Final = Check(
    "postgres.lag",
    f"each standby is less than {LAG:.0f} s and {LAG_BYTES >> 20} MB behind the writer",
    impact="Pages of that region's shoppers show old prices and stock; orders are not affected.",
    advice="On the writer: SELECT * FROM pg_stat_replication; is the link or that disk slow?",
    worst=State.DEGRADED,
)
TIMELINE: Final = Check(
    "postgres.timeline",
    "every standby follows the timeline of the writer",
    impact="None yet, but that standby cannot take over: it has another history.",
    advice="Rebuild it from the writer: pg_rewind, or a new base backup.",
    worst=State.DEGRADED,
)
MIGRATIONS: Final = Check(
    "postgres.migrations",
    "every migration of this code is applied",
    impact="Pages that need the new tables or columns fail.",
    advice="manage.py migrate",
    rank=1,
    deep=False,
)

_WRITER: Final = """
SELECT pg_current_wal_lsn() - '0/0'::pg_lsn,
       ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int,
       current_setting('synchronous_standby_names')
"""
_STANDBYS: Final = """
SELECT application_name, COALESCE(state, 'unknown'), COALESCE(sync_state, 'unknown')
FROM pg_stat_replication
WHERE COALESCE(state, 'unknown') IN ('streaming', 'unknown') AND application_name <> 'pg_basebackup'
ORDER BY application_name
"""
"""Their states are unknown to a role that is no member of pg_monitor."""
_WAITING: Final = """
SELECT count(*), COALESCE(extract(epoch FROM max(clock_timestamp() - query_start)), 0)::float
FROM pg_stat_activity WHERE wait_event = 'SyncRep'
"""
_STANDBY: Final = """
SELECT COALESCE(pg_last_wal_replay_lsn(), '0/0') - '0/0'::pg_lsn,
       COALESCE((SELECT received_tli FROM pg_stat_wal_receiver),
                (SELECT timeline_id FROM pg_control_checkpoint())),
       COALESCE(pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn(), true),
       COALESCE(extract(epoch FROM now() - pg_last_xact_replay_timestamp()), 0)::float,
       EXISTS (SELECT FROM pg_stat_wal_receiver)
"""


@probes
def servers() -> Iterator[Probe]:
    for host, port in settings.DATABASE_HOSTS:
        yield Probe(
            ROLE,
            f"{host}:{port}",
            partial(_ask, host, port),
            region_of_database(host, port),
            advice=f"pg_isready -h {host} -p {port}; read that server's log; start it again: it"
            " returns as a standby.",
        )


def _ask(host: str, port: int) -> Answer:
    database: dict[str, Any] = settings.DATABASES["default"]
    with psycopg.connect(
        host=host,
        port=port,
        dbname=database["NAME"],
        user=database["USER"],
        password=database["PASSWORD"],
        connect_timeout=2,
        application_name="anyport-check",
        options="-c statement_timeout=1500",
        autocommit=True,
    ) as connection:
        clock = _clock(connection)
        in_recovery = _row(connection, "SELECT pg_is_in_recovery()")[0]
        told = _ask_standby(connection) if in_recovery else _ask_writer(connection)
    data = told | clock
    if not in_recovery:
        count = len(data["standbys"])
        return Answer(f"writer, {count} standby{'s' * (count != 1)} streaming", data)
    if not data["streaming"]:
        raise Degraded("standby that receives nothing from a writer", data)
    return Answer("standby, receives from the writer", data)


def _row(connection: psycopg.Connection[Any], query: str) -> tuple[Any, ...]:
    row: tuple[Any, ...] | None = connection.execute(query).fetchone()
    assert row is not None  # noqa: S101 (each of these queries gives one)
    return row


def _clock(connection: psycopg.Connection[Any]) -> dict[str, Any]:
    """Its clock against ours, in seconds, give or take half the way there and back."""
    began = time.time()
    (theirs,) = _row(connection, "SELECT extract(epoch FROM clock_timestamp())::float")
    ended = time.time()
    return {"clock": (theirs - (began + ended) / 2, (ended - began) / 2)}


def _ask_writer(connection: psycopg.Connection[Any]) -> dict[str, Any]:
    position, timeline, names = _row(connection, _WRITER)
    waiting, longest = _row(connection, _WAITING)
    return {
        "writer": True,
        "position": int(position),
        "timeline": timeline,
        "synchronous": names,
        "standbys": connection.execute(_STANDBYS).fetchall(),
        "waiting": waiting,
        "longest": longest,
        "applied": _applied(connection),
    }


def _ask_standby(connection: psycopg.Connection[Any]) -> dict[str, Any]:
    position, timeline, caught_up, behind, streaming = _row(connection, _STANDBY)
    return {
        "writer": False,
        "position": int(position),
        "timeline": timeline,
        "behind": 0.0 if caught_up else behind,
        "streaming": streaming,
    }


def _applied(connection: psycopg.Connection[Any]) -> list[tuple[str, str]]:
    try:
        return connection.execute("SELECT app, name FROM django_migrations").fetchall()
    except psycopg.errors.UndefinedTable:
        return []


def _writers(findings: Sequence[Finding]) -> list[Finding]:
    return [finding for finding in findings_of(ROLE, findings) if finding.data.get("writer")]


def _standbys(findings: Sequence[Finding]) -> list[Finding]:
    known = [finding for finding in findings_of(ROLE, findings) if "writer" in finding.data]
    return [finding for finding in known if not finding.data["writer"]]


@conclusion(WRITER, needs=[ROLE])
def writer(findings: Sequence[Finding]) -> Iterator[Finding]:
    found = _writers(findings)
    where = ", ".join(f"{finding.region} {finding.where}".strip() for finding in found)
    if len(found) == 1:
        yield WRITER.ok(where, "one server takes writes")
    elif not found:
        yield WRITER.problem("no server", "no server takes writes", advice=_promote(findings))
    else:
        yield WRITER.problem(
            where,
            f"{len(found)} servers take writes",
            impact="Orders may be written to either, and one of them will be discarded.",
            advice="Stop all but the one with the highest timeline, now: "
            + ", ".join(f"{finding.where} has {finding.data['timeline']}" for finding in found),
        )


def _promote(findings: Sequence[Finding]) -> str:
    """Names the standby that is furthest, of those that answered."""
    standbys = _standbys(findings)
    if not standbys:
        return "No server answers: start the former writer first, then the others."
    furthest = max(standbys, key=lambda finding: finding.data["position"])
    return (
        f"manage.py failover promote {furthest.region or 'REGION'} (the furthest of those that"
        f" answer is {furthest.where}); or start the former writer again if it can be."
    )


@conclusion(SYNCHRONOUS, LAGGING, TIMELINE, MIGRATIONS, needs=[ROLE])
def beside_the_writer(findings: Sequence[Finding]) -> Iterator[Finding]:
    found = _writers(findings)
    if len(found) != 1:
        return  # WRITER says so, and nothing can be compared with it
    yield _synchronous(found[0])
    yield _migrations(found[0])
    for standby in _standbys(findings):
        yield _lag(found[0], standby)
        yield _timeline(found[0], standby)


def _synchronous(found: Finding) -> Finding:
    names, standbys = found.data["synchronous"], found.data["standbys"]
    if not names:
        return _not_synchronous(found)
    if any(sync == "unknown" for _, _, sync in standbys):
        user = settings.DATABASES["default"]["USER"]
        return SYNCHRONOUS.problem(
            found.where,
            f"{names}: the role {user} is not told what standbys confirm",
            region=found.region,
            state=State.DEGRADED,
            impact="None known: nobody can see whether a commit is in two regions.",
            advice=f"On the writer, as a superuser: GRANT pg_monitor TO {user};",
        )
    confirming = [name for name, state, sync in standbys if sync in ("sync", "quorum")]
    wanted = int(match[1]) if (match := re.match(r"(?i)(?:any|first)\s+(\d+)", names)) else 1
    states = ", ".join(f"{name} {sync}" for name, _, sync in standbys) or "no standby"
    waiting, longest = found.data["waiting"], found.data["longest"]
    detail = f"{names}: {states}; {waiting} commits wait"
    detail += f", one for {longest:.1f} s" if waiting else ""
    if len(confirming) < wanted or (waiting and longest > WAITING):
        return SYNCHRONOUS.problem(found.where, detail, region=found.region)
    return SYNCHRONOUS.ok(found.where, detail, region=found.region)


def _not_synchronous(found: Finding) -> Finding:
    """To wait for standbys that are not there would stop every commit."""
    if found.data["standbys"]:
        advice = (
            f"ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 "
            f"({', '.join(settings.ANYPORT_REGIONS)})'; SELECT pg_reload_conf();"
        )
    else:
        advice = "Give it a standby in another region first; only then let commits wait for one."
    return SYNCHRONOUS.problem(
        found.where,
        "synchronous_standby_names is empty: a commit is on one server only",
        region=found.region,
        state=State.DEGRADED,
        impact="None yet; orders acknowledged now are lost if this server is.",
        advice=advice,
    )


def _lag(found: Finding, standby: Finding) -> Finding:
    # The writer may have been asked a moment earlier than the standby.
    missing = max(0, found.data["position"] - standby.data["position"])
    behind = standby.data["behind"]
    detail = f"{missing:,} bytes, {behind:.1f} s behind"
    if behind > LAG or missing > LAG_BYTES:
        return LAGGING.problem(standby.where, detail, region=standby.region)
    return LAGGING.ok(standby.where, detail, region=standby.region)


def _timeline(found: Finding, standby: Finding) -> Finding:
    wanted, there = found.data["timeline"], standby.data["timeline"]
    if there != wanted:
        detail = f"timeline {there}, the writer's is {wanted}"
        return TIMELINE.problem(standby.where, detail, region=standby.region)
    return TIMELINE.ok(standby.where, f"timeline {there}, as the writer", region=standby.region)


def _migrations(where: Finding) -> Finding:
    wanted = set(MigrationLoader(None).disk_migrations or {})
    pending = sorted(wanted - set(where.data["applied"]))
    if not pending:
        return MIGRATIONS.ok(where.where, f"all {len(wanted)} applied")
    names = ", ".join(".".join(migration) for migration in pending[:3])
    return MIGRATIONS.problem(
        where.where, f"{len(pending)} not applied: {names}{', …' if len(pending) > 3 else ''}"
    )
