"""Settings of the session engine and their defaults.

Each is read once, and again after a test's `override_settings`. `SESSION_KEYS` has no default;
`manage.py check` says what is missing (sessions_ext.misconfiguration).
"""

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.core.signals import setting_changed
from django.dispatch import receiver
from django.utils.module_loading import import_string
from redis import Redis

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

AUTH_TOKEN = "auth_token"  # noqa: S105 (the attribute's name)
ACTIVITY = "_activity"
"""Attribute: `at` and `since` (seconds since the epoch), `region`, `agent` (User-Agent)."""


def django_redis() -> Redis:
    """The default client: that of the cache `SESSION_CACHE_ALIAS`, which django-redis serves."""
    from django_redis import get_redis_connection  # noqa: PLC0415 (optional where a client is set)

    return cast(Redis, get_redis_connection(settings.SESSION_CACHE_ALIAS))


class Conf:
    """One property per setting; its docstring is the setting's documentation."""

    @cached_property
    def keys(self) -> dict[str, bytes]:
        """`SESSION_KEYS`: the key ring, id to 32 bytes; the first seals, all of them open."""
        return cast(dict[str, bytes], getattr(settings, "SESSION_KEYS", {}))

    @cached_property
    def ciphers(self) -> dict[bytes, AESGCM]:
        """The key ring, ready for use."""
        return {key_id.encode(): AESGCM(key) for key_id, key in self.keys.items()}

    @cached_property
    def secrets(self) -> tuple[str, ...]:
        """`SECRET_KEY` and what it was before: the first makes names, all of them prove theirs."""
        return (settings.SECRET_KEY, *map(str, settings.SECRET_KEY_FALLBACKS))

    @cached_property
    def prefix(self) -> str:
        """`SESSION_KEY_PREFIX`: how every key in Redis begins."""
        return getattr(settings, "SESSION_KEY_PREFIX", "session")

    @cached_property
    def version_cookie(self) -> str:
        """`SESSION_VERSION_COOKIE_NAME`: carries the last version that this browser wrote."""
        return getattr(settings, "SESSION_VERSION_COOKIE_NAME", "SESSION_VERSION")

    @cached_property
    def table(self) -> str:
        """`SESSION_DYNAMODB_TABLE`: the table of the copies."""
        return getattr(settings, "SESSION_DYNAMODB_TABLE", "sessions")

    @cached_property
    def region(self) -> str:
        """`SESSION_REGION`: this instance's region, shown to people beside their sessions."""
        return getattr(settings, "SESSION_REGION", "")

    @cached_property
    def activity_interval(self) -> int:
        """`SESSION_ACTIVITY_INTERVAL`: seconds between two writes of the last activity."""
        return getattr(settings, "SESSION_ACTIVITY_INTERVAL", 300)

    @cached_property
    def margin(self) -> int:
        """Seconds that a session outlives its age, as its last activity is known that late."""
        return 2 * self.activity_interval

    @cached_property
    def age(self) -> int:
        """Seconds that a session lives after its last save, and a tombstone at least."""
        return settings.SESSION_COOKIE_AGE + self.margin

    @cached_property
    def security_attributes(self) -> frozenset[str]:
        """`SESSION_SECURITY_ATTRIBUTES`: when one of these cannot be opened, nobody is let in."""
        default = (SESSION_KEY, BACKEND_SESSION_KEY, HASH_SESSION_KEY, AUTH_TOKEN)
        return frozenset(getattr(settings, "SESSION_SECURITY_ATTRIBUTES", default))

    @cached_property
    def token_age(self) -> int:
        """`SESSION_TOKEN_AGE`: seconds that a token lives; at most 300."""
        return getattr(settings, "SESSION_TOKEN_AGE", 300)

    @cached_property
    def fallback_engine(self) -> str | None:
        """`SESSION_FALLBACK_ENGINE`: the engine that is being left, while both of them serve."""
        return getattr(settings, "SESSION_FALLBACK_ENGINE", None)

    @cached_property
    def redis(self) -> Callable[[], Redis]:
        """`SESSION_REDIS_CLIENT`: dotted name of a function that returns the primary's client."""
        return _function(getattr(settings, "SESSION_REDIS_CLIENT", None)) or django_redis

    @cached_property
    def replica(self) -> Callable[[], Redis | None]:
        """`SESSION_REDIS_REPLICA_CLIENT`: the same for this region's replica, or nothing."""
        return _function(getattr(settings, "SESSION_REDIS_REPLICA_CLIENT", None)) or _nobody

    @cached_property
    def dynamodb(self) -> "Callable[[], DynamoDBClient | None]":
        """`SESSION_DYNAMODB_CLIENT`: the same for DynamoDB; without it there is no second copy."""
        return _function(getattr(settings, "SESSION_DYNAMODB_CLIENT", None)) or _nobody


def _function(path: str | None) -> Any:
    return import_string(path) if path else None


def _nobody() -> None:
    return None


conf = Conf()


@receiver(setting_changed)
def _forget(**kwargs: Any) -> None:
    vars(conf).clear()
