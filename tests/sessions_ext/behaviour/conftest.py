"""Each test here runs on three engines, and in both forms of their API."""

from collections.abc import Iterator

import pytest
from django.apps import AppConfig, apps
from django.conf import LazySettings
from django.db import connection
from pytest_django import DjangoDbBlocker

from tests.sessions_ext.behaviour.twin import CACHED_DB, ENGINES, Engine, Form, Session


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


@pytest.fixture(params=ENGINES, ids=lambda name: name.removeprefix("django.contrib.sessions."))
def engine_name(request: pytest.FixtureRequest, settings: LazySettings) -> str:
    name: str = request.param
    settings.SESSION_ENGINE = name
    if name == CACHED_DB:
        request.getfixturevalue("session_table")
        request.getfixturevalue("db")
    return name


@pytest.fixture(params=["sync", "async"])
def engine(engine_name: str, request: pytest.FixtureRequest) -> Engine:
    form: Form = request.param
    return Engine(engine_name, form)


@pytest.fixture
def session(engine: Engine) -> Session:
    """A session that nobody has saved."""
    return engine.open()
