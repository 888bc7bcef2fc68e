"""Operators' checks of PostgreSQL and of each region's instances."""

import http.client
import json
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import psycopg
from django.conf import settings
from django.db.migrations.loader import MigrationLoader

from regions.checkup import Answer, Degraded, Finding, Probe, State, conclusion, probes

LAG: Final = 10.0
"""Seconds a standby may be behind before it is called degraded."""

_ROLE = """
SELECT pg_is_in_recovery(),
       COALESCE(pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn(), true),
       COALESCE(extract(epoch FROM now() - pg_last_xact_replay_timestamp()), 0)::float,
       EXISTS (SELECT 1 FROM pg_stat_wal_receiver),
       (SELECT count(*) FROM pg_stat_replication)
"""


def stack() -> dict[str, Any]:
    """What `manage.py up` says of the stack it runs; empty elsewhere."""
    try:
        description: dict[str, Any] = json.loads(
            (Path(settings.STATE_DIR) / "stack.json").read_text()
        )
    except (AttributeError, OSError, ValueError):  # production has no STATE_DIR
        return {}
    return description


def place(address: str) -> str:
    """`tokyo 127.0.0.1:7302` where the stack knows whose address it is."""
    for store in stack().get("stores", {}).values():
        if isinstance(store, dict):
            for region, known in store.items():
                if known == address:
                    return f"{region} {address}"
    return address


@probes
def postgres() -> Iterator[Probe]:
    for host, port in settings.DATABASE_HOSTS:
        yield Probe(
            "PostgreSQL",
            place(f"{host}:{port}"),
            partial(_ask_postgres, host, port),
            impact="If it was the writer: pages show, orders wait. A standby: one copy fewer.",
            advice=f"pg_isready -h {host} -p {port}; then read that server's log.",
        )


def _ask_postgres(host: str, port: int) -> Answer:
    database: dict[str, Any] = settings.DATABASES["default"]
    with psycopg.connect(
        host=host,
        port=port,
        dbname=database["NAME"],
        user=database["USER"],
        password=database["PASSWORD"],
        connect_timeout=2,
        application_name="anyport-check",
        autocommit=True,
    ) as connection:
        row = connection.execute(_ROLE).fetchone()
        assert row is not None  # noqa: S101 (a SELECT without FROM has one row)
        in_recovery, caught_up, behind, streaming, standbys = row
        applied = _applied(connection)
    if not in_recovery:
        return Answer(
            f"writer, {standbys} standbys streaming", {"writer": True, "applied": applied}
        )
    lag = 0.0 if caught_up else behind
    if not streaming:
        raise Degraded("standby that receives nothing from a writer")
    if lag > LAG:
        raise Degraded(f"standby, {lag:.0f} s behind")
    return Answer(f"standby, {lag:.1f} s behind", {"writer": False, "lag": lag})


def _applied(connection: psycopg.Connection[Any]) -> set[tuple[str, str]]:
    try:
        return set(connection.execute("SELECT app, name FROM django_migrations").fetchall())
    except psycopg.errors.UndefinedTable:
        return set()


@conclusion
def writer(findings: Sequence[Finding]) -> Iterator[Finding]:
    writers = [finding for finding in findings if finding.data.get("writer")]
    where = ", ".join(finding.where for finding in writers)
    if len(writers) == 1:
        yield Finding("Writer", where, State.OK, "one server takes writes")
        yield _migrations(writers[0])
    elif not writers:
        yield Finding(
            "Writer",
            "no server",
            State.FAILING,
            "no server takes writes",
            "Shoppers browse; carts and orders answer 503 until there is a writer.",
            "Start the former writer, or SELECT pg_promote() on the standby that is least behind.",
        )
    else:
        yield Finding(
            "Writer",
            where,
            State.FAILING,
            f"{len(writers)} servers take writes",
            "Orders may be written to either, and one of them will be discarded.",
            "Stop all but the last one that was promoted, now.",
        )


def _migrations(where: Finding) -> Finding:
    wanted = set(MigrationLoader(None).disk_migrations or {})
    pending = sorted(wanted - where.data["applied"])
    if not pending:
        return Finding("Migrations", where.where, State.OK, f"all {len(wanted)} applied")
    names = ", ".join(".".join(migration) for migration in pending[:3])
    return Finding(
        "Migrations",
        where.where,
        State.FAILING,
        f"{len(pending)} not applied: {names}{', …' if len(pending) > 3 else ''}",
        "Pages that need the new tables or columns fail.",
        "manage.py migrate",
    )


@probes
def instances() -> Iterator[Probe]:
    """Where a stack runs on this machine; elsewhere the orchestrator watches instances."""
    for region, addresses in stack().get("regions", {}).items():
        for name, address in addresses.items():
            yield Probe(
                f"Instance {name}",
                region,
                partial(_ask_ready, address),
                impact="Nothing: the front door asks the other regions.",
                advice=f"Read the log of {name} in {region}.",
            )


def _ask_ready(address: str) -> Answer:
    url = urlsplit(address)
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=1.5)
    try:
        connection.request("GET", "/health/ready")
        response = connection.getresponse()
        if response.status != 200:
            raise Degraded(f"not ready: HTTP {response.status}")
        return Answer(f"ready at {url.netloc}")
    finally:
        connection.close()
