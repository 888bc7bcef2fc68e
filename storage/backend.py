"""Django's cache, in Redis (DESIGN §8). Its users take its failures for misses, but one kind."""

from typing import Any, Final

from django.core.cache.backends.locmem import LocMemCache
from django_redis.cache import RedisCache
from django_redis.exceptions import ConnectionInterrupted
from redis.exceptions import RedisError

ATTEMPTS: Final = ("allauth:rl:", "throttle:")
"""What keys that count attempts begin with: allauth's and shop/throttle.py's."""

# Least recently used go first. Shared by the threads of the process, as the name says.
_own: Final = LocMemCache("attempts", {"OPTIONS": {"MAX_ENTRIES": 10_000}})


class SharedCache(RedisCache):  # type: ignore[misc]  # django-redis has no types
    """django-redis, but attempts are still counted while Redis is gone.

    Refusing everybody would close the log-in with Redis, and refusing nobody would let passwords
    be guessed while it lasts. So each process then counts by itself: the limits hold for each,
    and all together let through at most as many times more as there are processes. Once Redis is
    back, what it counted before holds again.
    """

    def add(self, key: str, *args: Any, **kwargs: Any) -> Any:
        return self._ask("add", key, *args, **kwargs)

    def get(self, key: str, *args: Any, **kwargs: Any) -> Any:
        return self._ask("get", key, *args, **kwargs)

    def set(self, key: str, *args: Any, **kwargs: Any) -> Any:
        return self._ask("set", key, *args, **kwargs)

    def delete(self, key: str, *args: Any, **kwargs: Any) -> Any:
        return self._ask("delete", key, *args, **kwargs)

    def incr(self, key: str, *args: Any, **kwargs: Any) -> Any:
        return self._ask("incr", key, *args, **kwargs)

    def decr(self, key: str, *args: Any, **kwargs: Any) -> Any:
        return self._ask("decr", key, *args, **kwargs)

    def _ask(self, method: str, key: str, *args: Any, **kwargs: Any) -> Any:
        try:
            return getattr(super(), method)(key, *args, **kwargs)
        except (ConnectionInterrupted, RedisError):
            if not key.startswith(ATTEMPTS):
                raise
            return getattr(_own, method)(key, *args, **kwargs)
