"""The engine that is being left, asked so that "it is not there" and "nobody answered" differ.

Django's own `load` takes a cache that is down for a session that is not there, which would sign
its owner out here too. Sessions of the database engines are read from the database that takes
writes and not from their cache: a replica, or a cache, may be behind.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, Final

from django.conf import settings
from django.contrib.sessions.backends.base import CreateError, SessionBase, UpdateError
from django.contrib.sessions.backends.cache import SessionStore as CacheStore
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.core import signing
from django.core.cache import BaseCache, caches
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, router
from django.utils import timezone
from django.utils.crypto import get_random_string

from sessions_ext.errors import Taken
from sessions_ext.record import now_ms

logger = logging.getLogger(__name__)

PAUSE: Final = 1.0
"""Seconds that a store which failed is not asked again, so that no request waits for it twice."""
EPOCH: Final = "sessions_ext.epoch"
"""In a cache: a name that it forgets together with the sessions, when it loses them all."""


class FormerUnavailable(ConnectionError):
    """Its store did not answer."""


class Unreadable(Exception):
    """Something is stored, and it cannot be read as a session."""


class NotListable(Exception):
    """Its store cannot tell which sessions it has. The message says what to do."""


@dataclass(frozen=True, slots=True)
class Found:
    content: dict[str, Any]
    expires_at: int
    """Milliseconds since the epoch."""


class Former:
    """One per process and engine. Methods raise FormerUnavailable when nobody answered."""

    is_conditional = False
    """Whether a write cannot bring back what was deleted since."""

    def __init__(self, store_class: type[SessionBase]) -> None:
        self.store_class = store_class
        self._away_until = 0.0

    def read(self, session_id: str) -> Found | None:
        """None when it is not there, or has expired. Raises Unreadable too."""
        return self._ask(lambda: self._read(session_id))

    def write(self, session_id: str, content: Mapping[str, Any], *, create: bool) -> bool:
        """False when there is nothing (any more) to update. Raises Taken for one to create."""
        return self._ask(lambda: self._write(session_id, content, create=create))

    def delete(self, session_id: str) -> None:
        self._ask(lambda: self.store_class().delete(session_id))

    def epoch(self) -> str:
        """Changes when the store has lost everything."""
        return ""

    def items(self, batch: int) -> Iterator[list[tuple[str, Found | None]]]:
        """Live sessions, in batches; None for one that cannot be read. Raises NotListable."""
        raise NotImplementedError

    def count(self) -> tuple[int | None, int]:
        """How many are live, where that can be told, and how many have expired."""
        return None, 0

    def _read(self, session_id: str) -> Found | None:
        raise NotImplementedError

    def _write(self, session_id: str, content: Mapping[str, Any], *, create: bool) -> bool:
        store: Any = self.store_class(session_id)
        store._session_cache = dict(content)
        try:
            store.save(must_create=create)
        except CreateError:
            raise Taken from None
        except UpdateError:  # also for a database that refuses to write
            if self._read(session_id) is not None:
                raise
            return False
        return True

    def _ask[T](self, question: Callable[[], T]) -> T:
        if time.monotonic() < self._away_until:
            raise FormerUnavailable("it failed a moment ago")
        try:
            return question()
        except (Unreadable, Taken):
            raise
        except Exception as error:  # a cache raises what its library raises
            self._away_until = time.monotonic() + PAUSE
            logger.warning("%s does not answer: %r", self.store_class.__module__, error)
            raise FormerUnavailable(str(error)) from error


class FormerDatabase(Former):
    """`db`, `cached_db`, and engines derived from them."""

    is_conditional = True

    def __init__(self, store_class: type[DatabaseStore]) -> None:
        super().__init__(store_class)
        try:
            self._model: Any = store_class.get_model_class()
        except RuntimeError as error:
            raise ImproperlyConfigured(
                f"{store_class.__module__} keeps its sessions in a model whose app is not"
                " installed. Add 'django.contrib.sessions' to INSTALLED_APPS until the move is"
                " over."
            ) from error

    def _rows(self) -> Any:
        return self._model.objects.using(router.db_for_write(self._model))

    def _read(self, session_id: str) -> Found | None:
        row = self._rows().filter(pk=session_id, expire_date__gt=timezone.now()).first()
        return self._found(row) if row else None

    def _found(self, row: Any) -> Found:
        store: Any = self.store_class()
        content = store.decode(row.session_data)
        if not content:  # what cannot be decoded is empty for Django
            try:
                signing.loads(row.session_data, salt=store.key_salt, serializer=store.serializer)
            except Exception as error:  # of a serialiser of the former project's own, too
                raise Unreadable(row.pk) from error
        return Found(content, int(row.expire_date.timestamp() * 1000))

    def items(self, batch: int) -> Iterator[list[tuple[str, Found | None]]]:
        """By key, so that no cursor and no transaction stays open while they are copied."""
        last = ""
        while True:
            live = self._rows().filter(expire_date__gt=timezone.now(), pk__gt=last)
            rows = self._ask(lambda live=live: list(live.order_by("pk")[:batch]))  # type: ignore[misc]  # the default binds it
            if not rows:
                return
            yield [(row.pk, self._readable(row)) for row in rows]
            last = rows[-1].pk

    def _readable(self, row: Any) -> Found | None:
        try:
            return self._found(row)
        except Unreadable:
            return None

    def count(self) -> tuple[int | None, int]:
        now, rows = timezone.now(), self._rows()
        try:
            live = rows.filter(expire_date__gt=now).count()
            return live, rows.filter(expire_date__lte=now).count()
        except DatabaseError as error:
            raise FormerUnavailable(
                f"the table {self._model._meta.db_table} cannot be read: {error}".strip()
            ) from error


class FormerCache(Former):
    """`cache`, and engines derived from it."""

    def __init__(self, store_class: type[CacheStore]) -> None:
        super().__init__(store_class)
        self._prefix = store_class.cache_key_prefix

    @property
    def _cache(self) -> Any:
        return caches[settings.SESSION_CACHE_ALIAS]

    def epoch(self) -> str:
        drawn = get_random_string(12)
        return str(self._ask(lambda: self._cache.get_or_set(EPOCH, drawn, timeout=None)))

    def _read(self, session_id: str) -> Found | None:
        key = self._prefix + session_id
        content = self._cache.get(key)
        if content is None:
            return None
        if not isinstance(content, dict):
            raise Unreadable(session_id)
        return Found(content, self._expires_at(session_id, content))

    def _expires_at(self, session_id: str, content: dict[str, Any]) -> int:
        """A cache that cannot tell is believed to have been given it now."""
        left = None
        if hasattr(self._cache, "pttl"):
            left = self._cache.pttl(self._prefix + session_id)
        if not left:
            store = self.store_class()
            left = 1000 * store.get_expiry_age(expiry=content.get("_session_expiry"))
        return now_ms() + int(left)

    def items(self, batch: int) -> Iterator[list[tuple[str, Found | None]]]:
        cache: BaseCache = self._cache
        if not hasattr(cache, "iter_keys"):
            kind = f"{type(cache).__module__}.{type(cache).__qualname__}"
            raise NotListable(
                f"The cache {settings.SESSION_CACHE_ALIAS!r} is {kind}, which cannot list its"
                " keys; django-redis can. Set SESSION_FALLBACK_ENGINE instead: each session moves"
                " when its visitor comes next."
            )
        ids: list[str] = []
        for key in cache.iter_keys(f"{self._prefix}*", itersize=batch):
            ids.append(str(key).removeprefix(self._prefix))
            if len(ids) >= batch:
                yield self._read_all(ids)
                ids = []
        if ids:
            yield self._read_all(ids)

    def _read_all(self, ids: list[str]) -> list[tuple[str, Found | None]]:
        found: list[tuple[str, Found | None]] = []
        for session_id in ids:
            try:
                there = self.read(session_id)
            except Unreadable:
                found.append((session_id, None))
                continue
            if there is not None:  # expired since it was listed
                found.append((session_id, there))
        return found


@cache
def former(engine: str) -> Former:
    """Raises ImproperlyConfigured."""
    try:
        store_class = import_module(engine).SessionStore
    except (ImportError, AttributeError) as error:
        raise ImproperlyConfigured(f"{engine} is no session engine: {error}") from error
    if issubclass(store_class, DatabaseStore):
        return FormerDatabase(store_class)
    if issubclass(store_class, CacheStore):
        return FormerCache(store_class)
    raise ImproperlyConfigured(
        f"{engine} cannot be moved from: it is neither Django's db, cached_db or cache engine nor"
        " derived from one of them."
    )
