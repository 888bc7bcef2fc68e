"""What tests of sessions share."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import AppConfig, apps
from django.db import connection
from pytest_django import DjangoDbBlocker

from sessions_ext import health
from storage.clients import dynamodb
from storage.tables import create_tables, sessions_table
from tests.sessions_ext.outage import wait_for_gates
from tests.sessions_ext.steps import RedisOutOfReach
from tests.stack import wait_until


@pytest.fixture(scope="session")
def session_table(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """The table of Django's own engines, whose app the shop does not install."""
    sessions = AppConfig.create("django.contrib.sessions")
    sessions.apps = apps
    with pytest.MonkeyPatch.context() as patch:  # a model's module asks for its app once: now
        patch.setitem(apps.app_configs, sessions.label, sessions)
        sessions.import_models()
    model = sessions.get_model("Session")
    with django_db_blocker.unblock(), connection.schema_editor() as editor:
        editor.create_model(model)
    yield
    with django_db_blocker.unblock(), connection.schema_editor() as editor:
        editor.delete_model(model)


@pytest.fixture(autouse=True)
def empty_table(provisioned: None) -> None:
    """Without what other tests left there: whoever comes to trust Redis reads all of the journal,
    and moto sorts the whole table for each question.
    """
    wait_for_gates()
    client, table = dynamodb(patient=True), sessions_table()
    left = client.scan(TableName=table, ProjectionExpression="pk, sk", Limit=26)["Items"]
    if len(left) > 25:  # more than can be deleted at once
        client.delete_table(TableName=table)
        create_tables()
    elif left:
        deletions: Any = [{"DeleteRequest": {"Key": key}} for key in left]
        client.batch_write_item(RequestItems={table: deletions})
    health.reset()
    # By its own probe. One that fails at first goes on in a thread, beside the test.
    wait_until(health.redis_gate.is_open, 120, "Redis is trusted")
    wait_for_gates()


@pytest.fixture
def out_of_reach() -> Iterator[RedisOutOfReach]:
    out_of_reach = RedisOutOfReach()
    with out_of_reach.possible():
        yield out_of_reach
