"""The database backend: PostgreSQL, with connections asked for their role and never waited for.

`CONN_HEALTH_CHECKS` alone runs an empty statement, which a demoted primary answers happily;
a pool pinned to one fails every write until it is restarted.

The server's own time-outs end with the statement. A COMMIT that waits for a standby which is gone
is not bounded by them, nor is any answer of a server that was frozen: only the client can stop
waiting.
"""

from functools import cached_property
from typing import Any

import psycopg
from django.conf import settings
from django.db.backends.postgresql import base
from psycopg.abc import PQGen


class BoundedConnection(psycopg.Connection[Any]):
    """A connection that gives up on a server which does not answer.

    After `DATABASE_ANSWER_TIMEOUT` seconds it raises psycopg.OperationalError and is closed, for
    nobody knows what the server will make of what it was sent: a COMMIT may have happened.
    Whoever repeats the request does so with its idempotency key.
    """

    def wait[T](self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        if timeout is not None:  # the caller's own limit, which it knows how to meet
            return super().wait(gen, interval, timeout)
        limit: int = settings.DATABASE_ANSWER_TIMEOUT
        try:
            return super().wait(gen, interval, limit or None)
        except psycopg.errors._WaitTimeout as error:
            self.close()
            raise psycopg.OperationalError(f"the server did not answer within {limit} s") from error


def check_writer(connection: psycopg.Connection[Any]) -> None:
    """Refuse a pooled connection whose server no longer takes writes.

    Raises psycopg.OperationalError, on which the pool discards it and connects anew; libpq
    then looks for the writer among all hosts.
    """
    # A connection may come back with autocommit off; the question must not open a transaction.
    autocommit = connection.autocommit
    connection.autocommit = True
    try:
        # On for a standby, and for a writer that an operator has fenced by the server's default.
        row = connection.execute("SHOW transaction_read_only").fetchone()
    finally:
        connection.autocommit = autocommit
    if row != ("off",):
        raise psycopg.OperationalError("the server takes no more writes")


class DatabaseWrapper(base.DatabaseWrapper):
    @cached_property
    def pool(self) -> Any:
        options = self.settings_dict["OPTIONS"]
        if options.get("pool"):
            options["pool"] = {"connection_class": BoundedConnection, **options["pool"]}
            if options.get("target_session_attrs") == "read-write":
                options["pool"]["check"] = check_writer
        return super().pool
