"""The database backend: PostgreSQL, with connections asked for their role and never waited for.

`CONN_HEALTH_CHECKS` alone runs an empty statement, which a demoted primary answers happily;
a pool pinned to one fails every write until it is restarted.
"""

from functools import cached_property, partial
from typing import Any

from django.db.backends.postgresql import base

from regions.postgres import writer
from regions.postgres.connection import (
    BoundedConnection,
    WriterConnection,
    check_alive,
    check_writer,
)


class DatabaseWrapper(base.DatabaseWrapper):
    """`ANSWER_TIMEOUT` beside `OPTIONS` bounds what its connections wait for an answer: seconds,
    `DATABASE_ANSWER_TIMEOUT` where it is not given."""

    @property
    def _needs_writer(self) -> bool:
        wanted: object = self.settings_dict["OPTIONS"].get("target_session_attrs")
        return wanted == "read-write"

    @cached_property
    def pool(self) -> Any:
        options = self.settings_dict["OPTIONS"]
        if options.get("pool"):
            options["pool"] = {**options["pool"], **self._kind_of_pool()}
        return super().pool

    def _kind_of_pool(self) -> dict[str, Any]:
        if self._needs_writer:
            own = {"connection_class": WriterConnection, "check": check_writer}
            return own | {"timeout": writer.LOOK}
        return {"connection_class": BoundedConnection, "check": check_alive}

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        take = partial(super().get_new_connection, conn_params)
        if self.pool and self._needs_writer:
            return writer.line.wait(take, lambda: self.pool.get_stats()["pool_available"])
        return take()

    def _configure_connection(self, connection: Any) -> bool:
        connection.answer_limit = self.settings_dict.get("ANSWER_TIMEOUT")
        configured: bool = super()._configure_connection(connection)  # type: ignore[misc]  # Django's stubs lack it
        return configured
