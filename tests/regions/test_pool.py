"""A pooled connection to a demoted server is not used again, and a silent host is asked last."""

import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import connections
from psycopg_pool import ConnectionPool, PoolTimeout

from regions.postgres import connection as connection_module
from regions.postgres.connection import (
    BoundedConnection,
    NoAnswer,
    WriterConnection,
    check_alive,
    check_writer,
)


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
            check_alive(connection)

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
    pool = connections["default"].pool  # type: ignore[attr-defined]  # PostgreSQL's wrapper has it

    assert pool._check is check_writer


def open_pool[C: BoundedConnection](
    kind: type[C], size: int, check: Callable[[BoundedConnection], None], where: dict[str, Any]
) -> ConnectionPool[C]:
    """As the shop's, of so many connections, which are made."""
    database: dict[str, Any] = settings.DATABASES["default"]
    who = {"user": database["USER"], "password": database["PASSWORD"], "dbname": "postgres"}
    pool = ConnectionPool(
        connection_class=kind,
        kwargs=where | who | {"autocommit": True},
        min_size=size,
        max_size=size,
        check=check,
        open=True,
    )
    pool.wait(60)
    return pool


def hold_fenced(check: Callable[[BoundedConnection], None]) -> ConnectionPool[WriterConnection]:
    """A pool of one, whose server stopped taking writes while the connection lay in it."""
    hosts = {name: settings.DATABASES["default"][name.upper()] for name in ("host", "port")}
    to_writer = hosts | {"target_session_attrs": "read-write"}
    pool = open_pool(WriterConnection, 1, check, to_writer)
    with pool.connection(timeout=60) as connection:
        connection.execute("SET default_transaction_read_only = on")
    return pool


def test_pool_replaces_a_connection_to_a_server_that_was_fenced() -> None:
    with (
        hold_fenced(check_writer) as pool,
        pool.connection(timeout=60) as connection,
    ):
        assert connection.execute("SHOW transaction_read_only").fetchone() == ("off",)


def test_pool_keeps_what_is_refused_and_left_open() -> None:
    """The control."""

    def refuse(connection: BoundedConnection) -> None:
        if connection.execute("SHOW transaction_read_only").fetchone() != ("off",):
            raise psycopg.OperationalError("the server takes no more writes")

    with (
        hold_fenced(refuse) as pool,
        pytest.raises(PoolTimeout),
        pool.connection(timeout=1),
    ):
        pass


def hold_dead(check: Callable[[BoundedConnection], None]) -> ConnectionPool[BoundedConnection]:
    """A pool whose four connections were ended by the server while they lay in it."""
    host, port = settings.DATABASE_HOSTS[0]
    pool = open_pool(BoundedConnection, 4, check, {"host": host, "port": port})
    held = [pool.getconn(timeout=60) for _ in range(4)]
    pids = [each.info.backend_pid for each in held]
    for each in held:
        pool.putconn(each)
    with connect(host, port) as other:
        other.execute("SELECT pg_terminate_backend(pid) FROM unnest(%s) AS pid", [pids])
    return pool


def test_pool_whose_server_went_gives_what_it_connects_anew() -> None:
    with (
        hold_dead(check_alive) as pool,
        pool.connection(timeout=20) as connection,
    ):
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_pool_asks_one_dead_connection_after_another() -> None:
    """The control: three are enough to use up whatever time is given."""

    def refuse(connection: BoundedConnection) -> None:
        connection.execute("SELECT 1")

    with (
        hold_dead(refuse) as pool,
        pytest.raises(PoolTimeout),
        pool.connection(timeout=5),
    ):
        pass


@pytest.fixture
def silent() -> Iterator[int]:
    """A port whose server lets everybody in and says nothing."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield int(server.getsockname()[1])


def reach(*ports: int) -> tuple[int, list[int]]:
    """The port that was reached, and which ones were asked."""
    database: dict[str, Any] = settings.DATABASES["replica"]
    asked = []

    class Noted(BoundedConnection):
        @classmethod
        def _connect_gen(cls, conninfo: str = "", **kwargs: Any) -> Any:
            asked.append(int(psycopg.conninfo.conninfo_to_dict(conninfo)["port"] or 0))
            return super()._connect_gen(conninfo, **kwargs)

    with Noted.connect(
        host=",".join("127.0.0.1" for _ in ports),
        port=",".join(map(str, ports)),
        user=database["USER"],
        password=database["PASSWORD"],
        dbname="postgres",
        connect_timeout=2,
    ) as connection:
        return connection.info.port, asked


def test_host_that_did_not_answer_is_asked_last_for_a_while(
    silent: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    alive = settings.DATABASE_HOSTS[0][1]
    monkeypatch.setattr(connection_module, "PASSED_OVER", 600.0)  # it is over when we say so

    assert reach(silent, alive) == (alive, [silent, alive])
    assert reach(silent, alive) == (alive, [alive])
    connection_module._silent_until.clear()  # what two seconds do
    assert reach(silent, alive) == (alive, [silent, alive])
    connection_module._silent_until.clear()


def test_connection_that_answers_nothing_is_not_waited_for(silent: int) -> None:
    """Frozen between two uses: the check gives up long before the statement's own limit."""
    with closing(connect(*settings.DATABASE_HOSTS[0])) as own:
        pid = own.info.backend_pid
        os.kill(pid, signal.SIGSTOP)
        try:
            with pytest.raises(NoAnswer, match="within 1 s"):
                check_alive(own)
        finally:
            os.kill(pid, signal.SIGCONT)
            connection_module._silent_until.clear()  # others go on to ask it first
        assert own.closed
