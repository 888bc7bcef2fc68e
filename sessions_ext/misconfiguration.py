"""Django system checks: what is wrong with the settings, and what to do."""

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from sessions_ext.conf import conf
from sessions_ext.former import former

ENGINE = "sessions_ext.engine"
OURS = "sessions_ext.middleware.SessionMiddleware"
DJANGOS = "django.contrib.sessions.middleware.SessionMiddleware"
CLIENTS = ("SESSION_REDIS_CLIENT", "SESSION_REDIS_REPLICA_CLIENT", "SESSION_DYNAMODB_CLIENT")


def check_settings(**kwargs: Any) -> list[CheckMessage]:
    if settings.SESSION_ENGINE != ENGINE:
        return []
    return [*_keys(), *_middleware(), *_clients(), *_saving(), *_moving()]


def _keys() -> Iterator[CheckMessage]:
    ring = conf.keys
    if not ring:
        yield Error(
            "SESSION_KEYS is empty: sessions cannot be sealed.",
            hint="Set SESSION_KEYS = {'2026-a': secrets.token_bytes(32)}, from a secret store.",
            id="sessions_ext.E001",
        )
        return
    for key_id, key in ring.items():
        if not isinstance(key, bytes) or len(key) != 32:
            yield Error(
                f"The key {key_id!r} in SESSION_KEYS is not 32 bytes long.",
                hint="AES-256 needs 32 bytes: secrets.token_bytes(32).",
                id="sessions_ext.E002",
            )
        if not 0 < len(str(key_id).encode()) < 256:
            yield Error(
                f"The key id {key_id!r} in SESSION_KEYS is empty or longer than 255 bytes.",
                hint="It stands in every stored value: call it by its date, like '2026-a'.",
                id="sessions_ext.E003",
            )


def _middleware() -> Iterator[CheckMessage]:
    if OURS in settings.MIDDLEWARE:
        return
    swap = f"In MIDDLEWARE, put {OURS!r} in the place of {DJANGOS!r}."
    yield Warning(
        "The session middleware is not ours: no replica is read, no activity is noted, and a"
        " log-in that fails loses the visitor's session.",
        hint=swap,
        id="sessions_ext.W004",
    )


def _clients() -> Iterator[CheckMessage]:
    for name in CLIENTS:
        path = getattr(settings, name, None)
        try:
            if path and not callable(import_string(path)):
                raise ImportError(f"{path} is not a function")
        except (ImportError, ImproperlyConfigured) as error:
            yield Error(
                f"{name} cannot be imported: {error}",
                hint="It is the dotted name of a function without arguments, which returns a"
                " client.",
                id="sessions_ext.E005",
            )
    if not getattr(settings, "SESSION_DYNAMODB_CLIENT", None):
        yield Warning(
            "SESSION_DYNAMODB_CLIENT is not set: whoever loses Redis loses every session.",
            hint="Give a function that returns boto3.client('dynamodb'), and the table's name as"
            " SESSION_DYNAMODB_TABLE (sessions_ext/README.md has its definition).",
            id="sessions_ext.W006",
        )
    alias = settings.SESSION_CACHE_ALIAS
    backend = settings.CACHES.get(alias, {}).get("BACKEND", "none")
    if not getattr(settings, "SESSION_REDIS_CLIENT", None) and "django_redis" not in backend:
        yield Error(
            f"The cache {alias!r} is {backend}, not django-redis, and SESSION_REDIS_CLIENT is not"
            " set: there is no Redis for the sessions.",
            hint="Set SESSION_REDIS_CLIENT, or let SESSION_CACHE_ALIAS name a cache of"
            " django_redis.cache.RedisCache.",
            id="sessions_ext.E007",
        )


def _saving() -> Iterator[CheckMessage]:
    if settings.SESSION_SAVE_EVERY_REQUEST:
        yield Warning(
            "SESSION_SAVE_EVERY_REQUEST is on: every page view writes to both stores.",
            hint="Turn it off: activity is noted every SESSION_ACTIVITY_INTERVAL seconds, and the"
            " expiry slides by it.",
            id="sessions_ext.W008",
        )


def _moving() -> Iterator[CheckMessage]:
    if not conf.fallback_engine:
        return
    try:
        former(conf.fallback_engine)
    except ImproperlyConfigured as error:
        yield Error(
            f"SESSION_FALLBACK_ENGINE cannot be used: {error}",
            hint="sessions_ext/MOVING.md has the whole procedure.",
            id="sessions_ext.E009",
        )
