"""Each test here runs on three engines, and in both forms of their API."""

import pytest
from django.conf import LazySettings

from tests.sessions_ext.behaviour.twin import CACHED_DB, ENGINES, Engine, Form, Session


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
