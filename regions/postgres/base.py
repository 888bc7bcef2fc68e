"""The database backend: PostgreSQL, with pooled connections asked for their role.

`CONN_HEALTH_CHECKS` alone runs an empty statement, which a demoted primary answers happily;
a pool pinned to one fails every write until it is restarted.
"""

from functools import cached_property
from typing import Any

import psycopg
from django.db.backends.postgresql import base


def check_writer(connection: psycopg.Connection[Any]) -> None:
    """Refuse a pooled connection whose server no longer takes writes.

    Raises psycopg.OperationalError, on which the pool discards it and connects anew; libpq
    then looks for the writer among all hosts.
    """
    # A connection may come back with autocommit off; the question must not open a transaction.
    autocommit = connection.autocommit
    connection.autocommit = True
    try:
        row = connection.execute("SELECT pg_is_in_recovery()").fetchone()
    finally:
        connection.autocommit = autocommit
    if row is None or row[0]:
        raise psycopg.OperationalError("the server was demoted to a standby")


class DatabaseWrapper(base.DatabaseWrapper):
    @cached_property
    def pool(self) -> Any:
        options = self.settings_dict["OPTIONS"]
        if options.get("pool") and options.get("target_session_attrs") == "read-write":
            options["pool"] = {**options["pool"], "check": check_writer}
        return super().pool
