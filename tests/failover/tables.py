"""Tables of a module's own, for other tests leave documents and leases behind in theirs."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from uuid import uuid4

from django.test import override_settings

from storage.clients import dynamodb
from storage.tables import control_table, create_tables, leases_table


@contextmanager
def own_tables() -> Iterator[str]:
    """The namespace that they are in. They are made once, and emptied each time."""
    name = _namespace()
    with override_settings(ANYPORT_NAMESPACE=name):
        yield name
        for table in (control_table(), leases_table()):
            for item in dynamodb().scan(TableName=table)["Items"]:
                dynamodb().delete_item(TableName=table, Key={"name": item["name"]})


@cache
def _namespace() -> str:
    name = f"status-{uuid4().hex[:8]}"
    with override_settings(ANYPORT_NAMESPACE=name):
        create_tables()
    return name
