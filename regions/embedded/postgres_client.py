"""Talking to running PostgreSQL nodes: their roles, who streams, promotion."""

import select

import psycopg

from regions.embedded.plan import Plan
from regions.embedded.ports import LOOPBACK
from regions.embedded.postgres import SUPERUSER, PostgresError
from regions.postgres.connection import BoundedConnection


class AdminConnection(BoundedConnection):
    """A server that was frozen carries out no time-out of its own."""

    answer_limit = 12.0


def connect_admin(
    plan: Plan, region: str, dbname: str = "postgres", *, within: int = 2
) -> AdminConnection:
    """A superuser's connection to the region's node, in autocommit mode.

    Raises psycopg.OperationalError when the node does not answer `within` so many seconds, and
    for a statement that takes longer than 10.
    """
    return AdminConnection.connect(
        host=LOOPBACK,
        port=plan.port("postgres", region),
        user=SUPERUSER,
        password=plan.secrets.superuser,
        dbname=dbname,
        connect_timeout=within,
        # Our own housekeeping must not wait for a standby that is still starting.
        options="-c synchronous_commit=local -c statement_timeout=10000",
        autocommit=True,
    )


def accepts_writes(plan: Plan, region: str) -> bool:
    return _in_recovery(plan, region) is False


def accepts_reads(plan: Plan, region: str) -> bool:
    return _in_recovery(plan, region) is not None


def _in_recovery(plan: Plan, region: str) -> bool | None:
    try:
        with connect_admin(plan, region) as connection:
            row = connection.execute("SELECT pg_is_in_recovery()").fetchone()
    except psycopg.OperationalError:
        return None
    return bool(row and row[0])


def carries_out(plan: Plan, region: str, limit: float = 1.0) -> bool:
    """Whether the node carries out a write, to its acknowledgement, within `limit` seconds.

    A server that was replaced may think that it is the writer, and wait for standbys that do not
    come: nobody is told that such a write was done. The wait is ended by hanging up, for to cancel
    it would acknowledge it.
    """
    try:
        connection = psycopg.connect(
            host=LOOPBACK,
            port=plan.port("postgres", region),
            user="anyport",
            password=plan.secrets.database,
            dbname="anyport",
            connect_timeout=2,
            autocommit=True,
        )
    except psycopg.OperationalError:
        return False
    try:
        server = connection.pgconn
        # A commit with a record in the log and no other effect; nobody listens to it.
        server.send_query(b"SELECT pg_logical_emit_message(true, 'anyport', 'drill')")
        while server.is_busy():
            ready, _, _ = select.select([server.socket], [], [], limit)
            if not ready:
                return False
            server.consume_input()
        result = server.get_result()
        return result is not None and result.status == psycopg.pq.ExecStatus.TUPLES_OK
    except psycopg.OperationalError:
        return False
    finally:
        connection.close()


def streaming(plan: Plan, writer: str) -> set[str]:
    """The regions whose standbys stream from the writer now."""
    try:
        with connect_admin(plan, writer) as connection:
            rows = connection.execute(
                "SELECT application_name FROM pg_stat_replication WHERE state = 'streaming'"
            ).fetchall()
    except psycopg.OperationalError:
        return set()
    # A base backup and whoever archives the log stream, too, under names of their own.
    return {name for (name,) in rows} & {*plan.regions}


def promote(plan: Plan, region: str) -> None:
    """Promote a standby; returns when it accepts writes. Raises PostgresError when it does not."""
    with connect_admin(plan, region) as connection:
        row = connection.execute("SELECT pg_promote(true, 9)").fetchone()
    if row != (True,):
        raise PostgresError(f"{region} was not promoted within 9 seconds")
