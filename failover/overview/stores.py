"""What each region's PostgreSQL and Redis say of themselves."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import psycopg
from django.conf import settings
from psycopg.abc import PQGen
from redis import Redis as Client
from redis.backoff import NoBackoff
from redis.retry import Retry

from failover.overview.model import Database, Redis
from regions.regions import this_region
from sessions_ext.redis_store import count_live
from storage.redis import redis_primary

ANSWER: Final = 1.5  # seconds

# A standby's checkpoint may be of the history before a promotion; what it has begun to apply since
# is in the other function. Of both, and all below, everybody may ask.
_STATE: Final = """
SELECT NOT pg_is_in_recovery(),
       greatest((SELECT timeline_id FROM pg_control_checkpoint()),
                (SELECT min_recovery_end_timeline FROM pg_control_recovery())),
       (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
             ELSE pg_current_wal_lsn() END - '0/0')::bigint,
       EXISTS (SELECT FROM pg_stat_wal_receiver),
       CASE WHEN EXISTS (SELECT FROM pg_stat_wal_receiver)
             AND pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0
            ELSE extract(epoch FROM now() - pg_last_xact_replay_timestamp()) END::float
"""


class _Brief(psycopg.Connection[Any]):
    """Stops waiting for a server that was frozen after it had let us in."""

    def wait[T](self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        return super().wait(gen, interval, ANSWER)


def redis_urls() -> dict[str, str]:
    """By region; without REDIS_REGION_URLS this region's own node only."""
    known: dict[str, str] = settings.REDIS_REGION_URLS
    if known or not settings.REDIS_LOCAL_URL:
        return known
    return {this_region().name: settings.REDIS_LOCAL_URL}


def ask_database(host: str, port: int) -> Database:
    """Raises psycopg.Error."""
    database: dict[str, Any] = settings.DATABASES["default"]
    with _Brief.connect(
        host=host,
        port=port,
        dbname=database["NAME"],
        user=database["USER"],
        password=database["PASSWORD"],
        connect_timeout=2,  # libpq takes nothing below
        application_name="anyport-status",
        autocommit=True,
    ) as connection:
        row = connection.execute(_STATE).fetchone()
    if row is None:  # a SELECT without FROM has a row
        raise psycopg.OperationalError("answered nothing")
    writer, timeline, position, receives, behind = row
    if writer:
        return Database(writer=True, timeline=timeline, position=position)
    return Database(
        timeline=timeline, position=position or 0, receives=receives, lag_seconds=behind
    )


def ask_redis(url: str) -> Redis:
    """Raises RedisError or OSError."""
    with Client.from_url(
        url,
        socket_connect_timeout=0.5,
        socket_timeout=ANSWER - 0.5,
        retry=Retry(NoBackoff(), 0),
    ) as node:
        info: dict[str, Any] = node.info("replication")
    if info["role"] == "master":
        return Redis(primary=True, position=info["master_repl_offset"])
    return Redis(
        position=info["slave_repl_offset"],
        receives=info["master_link_status"] == "up",
        heard=max(0, info["master_last_io_seconds_ago"]),
    )


def ask_sessions() -> int:
    """Live sessions of all regions. Raises RedisError."""
    return count_live(redis_primary())


def databases_behind(found: Mapping[str, Database]) -> dict[str, Database]:
    """How far each standby is behind the writer, in bytes, if there is one writer."""
    writers = [each for each in found.values() if each.writer]
    if len(writers) != 1:
        return dict(found)
    return {
        region: each
        if each.writer or each.problem
        else replace(each, lag_bytes=max(0, writers[0].position - each.position))
        for region, each in found.items()
    }


def redis_behind(found: Mapping[str, Redis]) -> dict[str, Redis]:
    """The same for the replicas of one primary."""
    primaries = [each for each in found.values() if each.primary]
    if len(primaries) != 1:
        return dict(found)
    return {
        region: each
        if each.primary or each.problem
        else replace(each, lag_bytes=max(0, primaries[0].position - each.position))
        for region, each in found.items()
    }
