"""Two engines over the same stores: the former one's instances and ours, side by side."""

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
from django.conf import LazySettings

from sessions_ext.engine import SessionStore
from sessions_ext.fallback import OURS_ALONE
from sessions_ext.former import former

DB = "django.contrib.sessions.backends.db"
CACHED_DB = "django.contrib.sessions.backends.cached_db"
CACHE = "django.contrib.sessions.backends.cache"
FORMER = (DB, CACHED_DB, CACHE)
TOLD = OURS_ALONE | {"_activity"}


@pytest.fixture(params=FORMER, ids=lambda name: name.rpartition(".")[2])
def engine(
    request: pytest.FixtureRequest, settings: LazySettings, session_table: None, db: None
) -> Iterator[str]:
    """The former engine, while both serve."""
    settings.SESSION_FALLBACK_ENGINE = request.param
    former.cache_clear()
    yield request.param
    former.cache_clear()


def theirs(engine: str, key: str | None = None, **content: Any) -> Any:
    """What an instance of the former engine has at the start of a request; saved if it is new."""
    store = import_module(engine).SessionStore(key)
    if content:
        store.update(content)
        store.create()
    return store


def ours(key: str | None = None, **content: Any) -> SessionStore:
    store = SessionStore(key)
    if content:
        store.update(content)
        store.create()
    return store


def plain(session: Any) -> dict[str, Any]:
    """What the shop keeps in it."""
    return {name: value for name, value in session.items() if name not in TOLD}


def request_of_ours(key: str | None, **content: Any) -> dict[str, Any]:
    """A request by an instance of ours: load, perhaps change, save where something changed."""
    session = SessionStore(key)
    seen = plain(session)
    session.update(content) if content else None
    if session.modified and session.session_key:
        session.save()
    return seen
