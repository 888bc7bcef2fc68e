"""What the new writer is told about itself, and the write that proves that it is one."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from django.conf import settings

from regions.postgres.connection import BoundedConnection

LIMIT: Final = 8
"""Seconds for a statement."""

_ADD = """
INSERT INTO failover_generation (number, promotion, region)
SELECT greatest(%(least)s, coalesce(max(number), 0) + 1), %(promotion)s, %(region)s
FROM failover_generation
ON CONFLICT (promotion) DO NOTHING
"""


@contextmanager
def connected(address: tuple[str, int]) -> Iterator[psycopg.Connection[Any]]:
    """The shop's own connection, to this very server."""
    database: dict[str, Any] = settings.DATABASES["default"]
    with BoundedConnection.connect(
        host=address[0],
        port=address[1],
        dbname=database["NAME"],
        user=database["USER"],
        password=database["PASSWORD"],
        connect_timeout=2,
        application_name="anyport-promotion",
        options=f"-c statement_timeout={LIMIT}s -c lock_timeout={LIMIT}s",
        autocommit=True,
    ) as connection:
        yield connection


def add(address: tuple[str, int], *, promotion: str, region: str, least: int) -> int:
    """The promotion's generation, added unless it is there. Raises psycopg.Error.

    It does not wait for a standby: there may be none yet.
    """
    with connected(address) as connection, connection.transaction():
        connection.execute("SET LOCAL synchronous_commit = local")
        connection.execute(_ADD, {"least": least, "promotion": promotion, "region": region})
        row = connection.execute(
            "SELECT number FROM failover_generation WHERE promotion = %s", [promotion]
        ).fetchone()
        assert row is not None  # noqa: S101 (it is there now)
        return int(row[0])


def verify(address: tuple[str, int], promotion: str) -> None:
    """Commit a row as the shop does: returns when a standby has confirmed it.

    Raises psycopg.Error, also when none does within the time that the shop waits.
    """
    with connected(address) as connection:
        connection.execute(
            "UPDATE failover_generation SET verified_at = clock_timestamp() WHERE promotion = %s",
            [promotion],
        )
