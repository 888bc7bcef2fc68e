"""Whether orders could be written now, as one region sees it: a real write, but of no row.

A transactional logical message is a few bytes of the log: its commit waits for a standby as an
order's does, and no table grows. It is asked over one connection that is kept.
"""

from dataclasses import dataclass
from time import monotonic
from typing import Any, Final

import psycopg
from django.conf import settings
from psycopg.abc import PQGen

LIMIT: Final = 2.0
"""Seconds for an answer."""


class _Impatient(psycopg.Connection[Any]):
    def wait[T](self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        try:
            return super().wait(gen, interval, LIMIT if timeout is None else timeout)
        except psycopg.errors._WaitTimeout as error:
            self.close()
            raise psycopg.OperationalError(f"no answer within {LIMIT:.0f} s") from error


@dataclass(frozen=True)
class Sight:
    writes: bool
    address: tuple[str, int] | None = None
    """Of the server that took the write."""
    problem: str = ""


class Probe:
    """Of whichever server takes writes; or, with an address, of that one."""

    def __init__(self) -> None:
        self._connection: psycopg.Connection[Any] | None = None
        self.last_success: float | None = None
        """By this process's own monotonic clock."""
        self.failures = 0
        """In a row."""

    def ask(self) -> Sight:
        try:
            connection = self._connected()
            connection.execute("SELECT pg_logical_emit_message(true, 'anyport-watch', '')")
        except psycopg.Error as error:
            self._forget()
            self.failures += 1
            lines = str(error).strip().splitlines()
            return Sight(False, problem=lines[-1].strip() if lines else type(error).__name__)
        self.failures, self.last_success = 0, monotonic()
        return Sight(True, (connection.info.host, connection.info.port))

    def _connected(self) -> psycopg.Connection[Any]:
        if self._connection is None or self._connection.closed:
            self._connection = _Impatient.connect(**_parameters(), autocommit=True)
        return self._connection

    def _forget(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _parameters() -> dict[str, Any]:
    database: dict[str, Any] = settings.DATABASES["default"]
    return {
        "host": database["HOST"],
        "port": database["PORT"],
        "dbname": database["NAME"],
        "user": database["USER"],
        "password": database["PASSWORD"],
        "connect_timeout": 2,  # seconds a host; libpq takes nothing below 2
        "target_session_attrs": "read-write",
        "tcp_user_timeout": 2000,
        "application_name": f"anyport-watch-{settings.ANYPORT_REGION}",
    }
