"""Three engines, and one way to call both forms of Django's session API."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

from asgiref.sync import async_to_sync

type Form = Literal["sync", "async"]

OURS = "sessions_ext.engine"
CACHED_DB = "django.contrib.sessions.backends.cached_db"
CACHE = "django.contrib.sessions.backends.cache"
ENGINES = (OURS, CACHED_DB, CACHE)

DJANGO_MIDDLEWARE = "django.contrib.sessions.middleware.SessionMiddleware"
MIDDLEWARE = {
    OURS: "sessions_ext.middleware.SessionMiddleware",
    CACHED_DB: DJANGO_MIDDLEWARE,
    CACHE: DJANGO_MIDDLEWARE,
}


class Session:
    """A session whose `get` is the engine's `get` or its `aget`, so that one test covers both.

    What has no asynchronous twin (`clear`, `encode`, `is_empty`, …) is reached through `store`.
    """

    def __init__(self, store: Any, form: Form) -> None:
        self.store = store
        self.form = form

    def __getattr__(self, method: str) -> Callable[..., Any]:
        if self.form == "async":
            return async_to_sync(getattr(self.store, f"a{method}"))
        dunder = {"set": "__setitem__"}.get(method, method)
        return getattr(self.store, dunder)  # type: ignore[no-any-return]  # whatever the twin has

    @property
    def key(self) -> str | None:
        key: str | None = self.store.session_key
        return key

    @property
    def flags(self) -> tuple[bool, bool]:
        """`(accessed, modified)`."""
        return self.store.accessed, self.store.modified

    def untouch(self) -> None:
        self.store.accessed = self.store.modified = False


@dataclass(frozen=True)
class Engine:
    """One engine, called in one form."""

    name: str
    form: Form

    def open(self, key: str | None = None) -> Session:
        """What the middleware gives to a request whose cookie holds this key."""
        return Session(import_module(self.name).SessionStore(key), self.form)

    def stored(self, **attributes: Any) -> Session:
        """A session that was saved with these attributes."""
        session = self.open()
        session.update(attributes)
        session.save()
        return session

    def content(self, key: str | None) -> dict[str, Any]:
        """The attributes that any other process finds under this key, without our own."""
        found = dict(self.open(key).items())
        found.pop("_activity", None)
        return found

    def expected[T](self, differences: dict[str, T]) -> T:
        """This engine's row of a table that says how the engines differ on purpose."""
        assert differences.keys() == set(ENGINES), "a table of differences names every engine"
        return differences[self.name]
