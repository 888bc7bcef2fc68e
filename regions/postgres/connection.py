"""Connections that are not waited for: neither an answer, nor a host that is gone.

The server's own time-outs end with the statement. A COMMIT that waits for a standby which is gone
is not bounded by them, nor is any answer of a server that was frozen: only the client can stop
waiting.
"""

import time
from typing import Any, Final, LiteralString, Self

import psycopg
from django.conf import settings
from psycopg.abc import PQGen

from regions.postgres import writer

CHECK_LIMIT: Final = 1.0
"""Seconds for a pooled connection to say that it is alive. It takes a thousandth."""
PASSED_OVER: Final = 2.0
"""Seconds in which a host that did not answer is asked after the others."""

_silent_until: Final[dict[tuple[str, str], float]] = {}
"""By host and port, when one that did not answer is asked first again (monotonic clock)."""


class NoAnswer(psycopg.OperationalError):
    """The server, or the way to it, is silent."""


class BoundedConnection(psycopg.Connection[Any]):
    """A connection that gives up on a server which does not answer.

    After `answer_limit` seconds it raises psycopg.OperationalError and is closed, for nobody knows
    what the server will make of what it was sent: a COMMIT may have happened. Whoever repeats the
    request does so with its idempotency key.
    """

    answer_limit: float | None = None
    """Seconds; 0 for no limit, None for `DATABASE_ANSWER_TIMEOUT`."""

    @classmethod
    def connect(cls, conninfo: str = "", **kwargs: Any) -> Self:
        """As psycopg's, and whoever did not answer a moment ago is asked last: each would cost
        every new connection its `connect_timeout` again."""
        hosts = list(zip(*(str(kwargs[name]).split(",") for name in ("host", "port")), strict=True))
        hosts.sort(key=_is_silent)
        problems = []
        for host, port in hosts:
            try:
                return super().connect(conninfo, **kwargs | {"host": host, "port": port})
            except psycopg.OperationalError as error:
                problems.append(str(error).strip())
                if isinstance(error, psycopg.errors.ConnectionTimeout):
                    _fell_silent(host, port)
        raise psycopg.OperationalError("; ".join(problems))

    def wait[T](self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        if timeout is not None:  # the caller's own limit, which it knows how to meet
            return super().wait(gen, interval, timeout)
        limit = self.answer_limit
        if limit is None:
            limit = settings.DATABASE_ANSWER_TIMEOUT
        try:
            return super().wait(gen, interval, limit or None)
        except psycopg.errors._WaitTimeout as error:
            self.close()
            raise NoAnswer(f"the server did not answer within {limit:g} s") from error


def check_alive(connection: BoundedConnection) -> None:
    """Refuse a pooled connection that answers nothing. Raises psycopg.OperationalError."""
    _ask(connection, "SELECT 1")


def check_writer(connection: BoundedConnection) -> None:
    """Refuse a pooled connection whose server no longer takes writes.

    Raises psycopg.OperationalError, and the pool looks for the writer among all hosts.
    """
    # On for a standby, and for a writer that an operator has fenced by the server's default.
    if _ask(connection, "SHOW transaction_read_only") != ("off",):
        _let_go(connection)
        raise psycopg.OperationalError("the server takes no more writes")


def _ask(connection: BoundedConnection, question: LiteralString) -> object:
    host, port = connection.info.host, str(connection.info.port)
    # A connection may come back with autocommit off; the question must not open a transaction.
    autocommit, limit = connection.autocommit, connection.answer_limit
    connection.autocommit, connection.answer_limit = True, CHECK_LIMIT
    try:
        answer = connection.execute(question).fetchone()
    except psycopg.Error as error:
        if isinstance(error, NoAnswer):
            _fell_silent(host, port)
        _let_go(connection)
        raise
    connection.autocommit, connection.answer_limit = autocommit, limit
    return answer


def _let_go(connection: BoundedConnection) -> None:
    """Close it, and those that lie in its pool beside it: their server has gone with its own.

    psycopg_pool (3.3) keeps what a check refuses unless it is closed, and pauses after each; it
    gives up after the third, with all that was connected meanwhile still in the pool.
    """
    connection.close()
    pool: Any = getattr(connection, "_pool", None)
    if pool is not None and connection._created_at > pool._drained_at:  # or nobody has yet
        pool.drain()


def _fell_silent(host: str, port: str) -> None:
    _silent_until[host, port] = time.monotonic() + PASSED_OVER


def _is_silent(host: tuple[str, str]) -> bool:
    return _silent_until.get(host, 0.0) > time.monotonic()


class WriterConnection(BoundedConnection):
    """One to whichever host takes writes. Whether there is one, all who wait for it are told."""

    @classmethod
    def connect(cls, conninfo: str = "", **kwargs: Any) -> Self:
        try:
            connection = super().connect(conninfo, **kwargs)
        except psycopg.OperationalError:
            writer.line.missing = True
            raise
        writer.line.missing = False
        return connection
