"""What a promotion does to running PostgreSQL nodes: asks, detaches, marks, promotes, attaches.

A detached standby has an empty `primary_conninfo`, set by ALTER SYSTEM, so that it stays detached
when it restarts. Until every node is on the new timeline, standbys are pointed at the new writer
alone: with `target_session_attrs=read-write` one of them could find the old writer again, which
may be cut off and not dead. On the new timeline it is refused there, and the setting is reset.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic, sleep
from typing import Any

import psycopg

from regions.embedded import postgres
from regions.embedded.plan import Plan
from regions.embedded.postgres_client import connect_admin, streaming
from regions.embedded.processes import wait_until
from regions.servers import Overtaken, ProviderError, Server

_MARK = "anyport.promotion"
"""A setting of ours on each server: the highest attempt that touched it."""
_LOCK = 4711_0001  # an advisory lock: one promotion at a time changes a server
_LOOKS = 3  # in a row that must find no receiver: the server reads its settings in its own time
_DETACH_TIMEOUT = 5.0
_CATCH_UP_TIMEOUT = 5.0  # seconds without any progress
_REPLAY_TIMEOUT = 5.0

# The log on a standby's disk is what it received or, after a restart, all that it found there;
# that is known once replay waits for more.
_LOOK = """
SELECT pg_is_in_recovery(),
  pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery()
    THEN greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())
    ELSE pg_current_wal_flush_lsn() END, '0/0')::bigint,
  NOT pg_is_in_recovery() OR pg_last_wal_receive_lsn() IS NOT NULL OR EXISTS (
    SELECT FROM pg_stat_activity WHERE backend_type = 'startup'
    AND wait_event IN ('RecoveryWalStream', 'RecoveryRetrieveRetryInterval')),
  EXISTS (SELECT FROM pg_stat_wal_receiver),
  extract(epoch FROM now() - pg_last_xact_replay_timestamp())::float,
  coalesce((SELECT max(('x' || substr(name, 1, 8))::bit(32)::int) FROM pg_ls_waldir()
    WHERE name ~ '^[0-9A-F]{8}[.]history$'), 1)
"""


def look(plan: Plan, region: str) -> Server:
    """Asked of the server itself, within about 2 seconds, or 7 when it just restarted."""
    try:
        with connect_admin(plan, region) as connection:
            row = wait_until(lambda: _position_is_known(connection), _REPLAY_TIMEOUT)
    except psycopg.Error as error:
        return Server(region, answers=False, problem=str(error).strip().splitlines()[0])
    if row is None:
        return Server(region, answers=False, problem="still replays the log that it has")
    in_recovery, position, _, receives, age, timeline = row
    return Server(region, True, not in_recovery, timeline, position, receives, age)


def _position_is_known(connection: psycopg.Connection[Any]) -> tuple[Any, ...] | None:
    row = connection.execute(_LOOK).fetchone()
    return row if row and row[2] else None


def detach(plan: Plan, region: str, attempt: int) -> None:
    with _changing(plan, region) as connection:
        if not _in_recovery(connection):
            raise ProviderError(f"{region} takes writes: it is no standby")
        _mark(connection, region, attempt)
        _set(connection, "primary_conninfo", "")
        looks = 0

        def nothing_is_received() -> bool:
            nonlocal looks
            row = connection.execute("SELECT count(*) FROM pg_stat_wal_receiver").fetchone()
            looks = looks + 1 if row == (0,) else 0
            return looks >= _LOOKS

        if not wait_until(nothing_is_received, _DETACH_TIMEOUT, interval=0.03):
            raise ProviderError(f"{region} still receives from the old writer")


def promote(plan: Plan, region: str, attempt: int) -> None:
    """Returns when the node accepts writes. Nothing happens to one that does."""
    with _changing(plan, region) as connection:
        _mark(connection, region, attempt)
        if _in_recovery(connection):
            promoted = connection.execute("SELECT pg_promote(true, 8)").fetchone()
            if promoted != (True,):
                raise ProviderError(f"{region} was not promoted within 8 seconds")
        _set(connection, "primary_conninfo", None)


def follow(plan: Plan, region: str, source: str) -> None:
    """Point a running standby at one node, whatever role that has."""
    with _changing(plan, region) as connection:
        _set(connection, "primary_conninfo", postgres.conninfo(plan, region, source))


def catch_up(plan: Plan, region: str, source: str, position: int) -> None:
    """Gives up when nothing more has come for some seconds."""
    follow(plan, region, source)
    reached, since = -1, monotonic()
    while reached < position:
        found = look(plan, region).position or 0
        if found > reached:
            reached, since = found, monotonic()
        elif monotonic() - since > _CATCH_UP_TIMEOUT:
            raise ProviderError(f"{region} cannot get from {source} what it lacks")
        sleep(0.05)


def received_timeline(plan: Plan, region: str) -> int | None:
    """The timeline that a standby receives now; None when it receives nothing, or is away."""
    try:
        with connect_admin(plan, region) as connection:
            row = connection.execute(
                "SELECT received_tli FROM pg_stat_wal_receiver WHERE status = 'streaming'"
            ).fetchone()
    except psycopg.Error:
        return None
    return row[0] if row else None


def followers(plan: Plan, writer: str) -> set[str]:
    """The regions whose standbys stream the writer's own timeline.

    One that is ahead of it streams the end of the old timeline, in vain, again and again.
    """
    timeline = postgres.node(plan, writer).timeline()
    return {
        region for region in streaming(plan, writer) if received_timeline(plan, region) == timeline
    }


def release(plan: Plan, region: str) -> None:
    """Back to the configuration that every node has; does nothing where nothing was set."""
    with _changing(plan, region) as connection:
        if _stored(connection, "primary_conninfo") is not None:
            _set(connection, "primary_conninfo", None)


# --- Single statements -----------------------------------------------------------------------


@contextmanager
def _changing(plan: Plan, region: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection that holds the server's lock until it is closed. Raises ProviderError."""
    try:
        with connect_admin(plan, region) as connection:
            connection.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
            yield connection
    except psycopg.Error as error:
        raise ProviderError(f"{region}: {str(error).strip().splitlines()[0]}") from error


def _in_recovery(connection: psycopg.Connection[Any]) -> bool:
    return connection.execute("SELECT pg_is_in_recovery()").fetchone() == (True,)


def _mark(connection: psycopg.Connection[Any], region: str, attempt: int) -> None:
    """Raises Overtaken when the server has seen a higher attempt."""
    seen = int(_stored(connection, _MARK) or 0)
    if seen > attempt:
        raise Overtaken(
            f"{region} has been changed by attempt {seen}; this is {attempt} (should the leases "
            f"have been lost: ALTER SYSTEM RESET {_MARK} there)"
        )
    if seen < attempt:
        connection.execute(f"ALTER SYSTEM SET {_MARK} = '{attempt}'".encode())


def _stored(connection: psycopg.Connection[Any], name: str) -> str | None:
    """What ALTER SYSTEM wrote, also where it was not read yet."""
    row = connection.execute(
        "SELECT setting FROM pg_file_settings"
        " WHERE name = %s AND sourcefile LIKE '%%postgresql.auto.conf'",
        [name],
    ).fetchone()
    return None if row is None else row[0]


def _set(connection: psycopg.Connection[Any], name: str, value: str | None) -> None:
    how = f"RESET {name}" if value is None else f"SET {name} = '{value}'"
    connection.execute(f"ALTER SYSTEM {how}".encode())
    connection.execute("SELECT pg_reload_conf()")
