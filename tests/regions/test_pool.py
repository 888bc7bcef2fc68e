"""A pooled connection to a demoted server is not used again."""

from contextlib import suppress
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import connections

from regions.postgres.connection import BoundedConnection, check_writer


def connect(host: str, port: int) -> BoundedConnection:
    database: dict[str, Any] = settings.DATABASES["default"]
    return BoundedConnection.connect(
        host=host,
        port=port,
        user=database["USER"],
        password=database["PASSWORD"],
        dbname="postgres",
        connect_timeout=2,
    )


def test_check_passes_the_writer_and_refuses_standbys() -> None:
    refused = 0
    for host, port in settings.DATABASE_HOSTS:
        with connect(host, port) as connection:
            try:
                check_writer(connection)
            except psycopg.OperationalError:
                refused += 1

    assert refused == len(settings.DATABASE_HOSTS) - 1


def test_check_refuses_a_writer_that_an_operator_has_fenced() -> None:
    """`ALTER SYSTEM SET default_transaction_read_only = on` tells each session the same way."""
    for host, port in settings.DATABASE_HOSTS:
        with connect(host, port) as connection:
            connection.autocommit = True
            connection.execute("SET default_transaction_read_only = on")

            with pytest.raises(psycopg.OperationalError, match="takes no more writes"):
                check_writer(connection)


@pytest.mark.parametrize("autocommit", [True, False])
def test_check_leaves_the_connection_as_it_was(autocommit: bool) -> None:
    for host, port in settings.DATABASE_HOSTS:
        with connect(host, port) as connection:
            connection.autocommit = autocommit
            with suppress(psycopg.OperationalError):
                check_writer(connection)

            assert connection.autocommit is autocommit
            assert connection.info.transaction_status is psycopg.pq.TransactionStatus.IDLE


def test_plain_health_check_passes_a_standby() -> None:
    """The control: what Django would have asked instead does not notice."""
    passed = 0
    for host, port in settings.DATABASE_HOSTS:
        with connect(host, port) as connection:
            connection.execute("")
            passed += 1

    assert passed == len(settings.DATABASE_HOSTS) == 3


@pytest.mark.django_db
def test_pool_of_the_writer_asks_for_the_role() -> None:
    pool = connections["default"].pool  # type: ignore[attr-defined]

    assert pool._check is check_writer
