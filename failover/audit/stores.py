"""Caches, sessions and databases that only one process, machine or region has."""

from collections.abc import Iterator
from importlib import import_module
from typing import Any, Final

from django.conf import settings

from failover.audit.parts import Part, is_kind, kind_of

_SHARED_CACHE: Final = (
    "Use a cache that all instances share: django_redis.cache.RedisCache, or"
    " django.core.cache.backends.redis.RedisCache."
)
_CACHES: Final = {
    "django.core.cache.backends.locmem.LocMemCache": (
        "anyport.E001",
        "in the memory of each process: instances answer differently, and what one of them"
        " invalidates the others still serve.",
        _SHARED_CACHE,
    ),
    "django.core.cache.backends.filebased.FileBasedCache": (
        "anyport.E002",
        "in files of one machine: instances elsewhere answer differently, and it is lost with it.",
        _SHARED_CACHE,
    ),
    "django.core.cache.backends.db.DatabaseCache": (
        "anyport.E003",
        "in the database: every hit and every miss asks the writer, from every region, and"
        " while a writer is being replaced there is no cache either.",
        _SHARED_CACHE,
    ),
}


def caches() -> Iterator[Part]:
    for alias, options in settings.CACHES.items():
        found = kind_of(options.get("BACKEND"))
        for path, (number, problem, hint) in _CACHES.items():
            if is_kind(found, path):
                yield Part(number, f"CACHES['{alias}']", f"keeps its values {problem}", hint)


_SHARED_SESSIONS: Final = (
    "Keep sessions in a store that every region reaches and that has a second copy, such as"
    " sessions_ext.engine (sessions_ext/MOVING.md moves them over without logging anybody out)."
)
_SESSIONS: Final = {  # the first that fits: cached_db is made of db
    "django.contrib.sessions.backends.file": (
        "anyport.E004",
        "in files of one machine: whoever is served by another one is logged out.",
    ),
    "django.contrib.sessions.backends.cached_db": (
        "anyport.E007",
        "in a cache in front of the database: a request that read before a log-out puts the"
        " session back into the cache, and the next one is logged in again; and without the"
        " writer nobody is.",
    ),
    "django.contrib.sessions.backends.db": (
        "anyport.E005",
        "in the database: every page asks the writer, from every region, and while a writer is"
        " being replaced everybody is logged out or sees an error.",
    ),
    "django.contrib.sessions.backends.signed_cookies": (
        "anyport.E006",
        "in the browser: nobody can end one, a copied cookie is good until it expires, and of two"
        " tabs that write at once one loses.",
    ),
    "django.contrib.sessions.backends.cache": (
        "anyport.W008",
        "in a cache only: they are lost with it, and a request that saves while another logs out"
        " brings the session back.",
    ),
}


def sessions() -> Iterator[Part]:
    if not _has_sessions():
        return
    try:
        store = import_module(settings.SESSION_ENGINE).SessionStore
    except (ImportError, AttributeError):
        return  # Django says so
    for module, (number, problem) in _SESSIONS.items():
        if is_kind(store, f"{module}.SessionStore"):
            yield Part(number, "SESSION_ENGINE", f"keeps sessions {problem}", _SHARED_SESSIONS)
            return


def _has_sessions() -> bool:
    middleware = (kind_of(path) for path in settings.MIDDLEWARE)
    of_django = "django.contrib.sessions.middleware.SessionMiddleware"
    return "django.contrib.sessions" in settings.INSTALLED_APPS or any(
        is_kind(found, of_django) for found in middleware
    )


def databases() -> Iterator[Part]:
    for alias, options in settings.DATABASES.items():
        engine: Any = options.get("ENGINE") or ""
        found = kind_of(f"{engine}.base.DatabaseWrapper")
        if is_kind(found, "django.db.backends.sqlite3.base.DatabaseWrapper"):
            yield Part(
                "anyport.E017",
                f"DATABASES['{alias}']",
                "is SQLite, a file of one machine: no other instance sees what is written, and it"
                " is lost with the machine.",
                "Use PostgreSQL with a standby in every other region.",
            )
