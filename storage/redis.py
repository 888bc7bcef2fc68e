"""The one way to Redis. Every other module asks here for a client.

redis-py retries ten times by default and a retried command may run twice, so retries are
explicit: few, short, and only for connections that could not be made or were lost.
"""

from functools import cache
from typing import Any

from django.conf import settings
from redis import Redis
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError, TimeoutError
from redis.retry import Retry
from redis.sentinel import Sentinel


def _options() -> dict[str, Any]:
    return {
        "db": settings.REDIS_DB,
        # A new Retry for each pool: it is stateful while it retries.
        "retry": Retry(ExponentialBackoff(cap=0.2, base=0.02), 2, (ConnectionError, TimeoutError)),
        **settings.REDIS_TIMEOUTS,
    }


@cache
def redis_primary() -> Redis:
    """The writer's client, one pool a process. Follows the Sentinels through a promotion.

    Commands raise `redis.exceptions.RedisError` when nobody could be asked.
    """
    if not settings.REDIS_SENTINELS:
        return Redis.from_url(settings.REDIS_URL, **_options())
    sentinels: Any = Sentinel(  # type: ignore[no-untyped-call]
        settings.REDIS_SENTINELS,
        sentinel_kwargs={
            **settings.REDIS_SENTINEL_TIMEOUTS,
            "retry": Retry(ExponentialBackoff(), 0),
        },
    )
    client: Redis = sentinels.master_for(settings.REDIS_MASTER_NAME, **_options())
    return client


class DjangoRedisConnectionFactory:
    """Gives django-redis the same client, whatever its LOCATION says."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.options = options

    def connect(self, url: str) -> Redis:
        return redis_primary()

    def disconnect(self, connection: Redis) -> None:
        connection.connection_pool.disconnect()
