"""The cache: `read_through` for now, with the key format every pattern shares.

Keys are `{service}:{entity}:{id}` under a schema version. Values are JSON. Redis gone means
slower pages, nothing else.
"""

import logging
import random
from collections.abc import Callable
from typing import Final

from django.core.cache import cache
from django_redis.exceptions import ConnectionInterrupted
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

SCHEMA_VERSION: Final = 1
DEFAULT_TTL: Final = 60 * 60
TTLS: Final[dict[str, int]] = {"product": 30 * 60, "customer": 2 * 60 * 60}
"""Seconds by service."""
_MISS: Final = "__miss__"

type Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None


def cache_key(service: str, entity: str, identity: str | int) -> str:
    """`product:page:rope-bag`. Raises ValueError for a part that holds a colon."""
    if ":" in service or ":" in entity:
        raise ValueError(f"a cache key part holds a colon: {service!r}, {entity!r}")
    return f"{service}:{entity}:{identity}"


def read_through[T](key: str, load: Callable[[], T]) -> T:
    """The cached value under `key`, or what `load` returns, which is then cached.

    `load` must return what JSON can hold; whatever it raises passes through. The time to live
    follows the service in the key, with a tenth of jitter so that keys do not expire together.
    """
    try:
        value = cache.get(key, _MISS, version=SCHEMA_VERSION)
        if value != _MISS:
            return value  # type: ignore[no-any-return]  # whatever was cached
    except (RedisError, ConnectionInterrupted) as error:
        logger.warning("cache read of %s failed: %r", key, error)
        return load()
    value = load()
    ttl = TTLS.get(key.partition(":")[0], DEFAULT_TTL)
    jitter = random.uniform(0.9, 1.0)  # noqa: S311 (spreads load, hides nothing)
    try:
        cache.set(key, value, int(ttl * jitter), version=SCHEMA_VERSION)
    except (RedisError, ConnectionInterrupted) as error:
        logger.warning("cache write of %s failed: %r", key, error)
    return value


def invalidate(*keys: str) -> None:
    """Forget the keys. Call it from `transaction.on_commit`."""
    try:
        cache.delete_many(keys, version=SCHEMA_VERSION)
    except (RedisError, ConnectionInterrupted) as error:
        logger.warning("cache invalidation of %s failed: %r", ", ".join(keys), error)
