"""The one way to Redis. Every other module asks here for a client.

redis-py retries ten times by default and a retried command may run twice, so retries are
explicit: few, short, and only for connections that could not be made or were lost. An answer
that did not come in time is not waited for again.

Commands, pipelines and scripts pass a circuit breaker (storage/breaker.py), which raises
`CircuitOpen`, a `redis.exceptions.ConnectionError`, while Redis is gone. Pub/sub does not.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

from django.conf import settings
from redis import Redis
from redis.backoff import ExponentialBackoff
from redis.client import Pipeline
from redis.exceptions import (
    AuthenticationError,
    ConnectionError,
    MasterDownError,
    ReadOnlyError,
    ResponseError,
)
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry
from redis.sentinel import MasterNotFoundError, Sentinel, SentinelManagedConnection
from redis.utils import SENTINEL

from storage.breaker import Circuit, CircuitOpen

_CANNOT_SERVE: Final = ("NOREPLICAS", "MISCONF")
"""Answers that redis-py has no class for. LOADING is a ConnectionError to it."""


class FollowingConnection(SentinelManagedConnection):
    """Leads to whoever is the primary at the moment of connecting, and is closed when an answer
    does not come in time.

    redis-py's own (8.1) connects again to where it led before, and (redis-py#4292) stays open, and
    in the pool: the late answer is then read as that to whatever is asked next, and every answer
    after it is that of the question before.
    """

    def connect_to(self, address: tuple[str, int]) -> None:
        """To where a Sentinel has just said."""
        self.host, self.port = address
        super().connect_check_health(self.connection_pool.check_connection, False)

    def connect_check_health(
        self, check_health: bool = True, retry_socket_connect: bool = True
    ) -> None:
        """Raises redis.exceptions.ConnectionError also when no Sentinel knows a primary."""
        if not self._sock and self.connection_pool.is_master:
            self.host, self.port = self.connection_pool.get_master_address()
        super().connect_check_health(check_health, retry_socket_connect)

    def read_response(
        self,
        disable_decoding: bool = False,
        *,
        timeout: float | object = SENTINEL,
        disconnect_on_error: bool | None = True,
        push_request: bool | None = False,
    ) -> Any:
        return super().read_response(
            disable_decoding,
            timeout=timeout,
            disconnect_on_error=disconnect_on_error,
            push_request=push_request,
        )


class Sentinels(Sentinel):
    """redis-py's (8.1) swaps two places of its list when one answers: threads that look for the
    primary at once, as they do when it is lost, would leave one of the Sentinels out for good."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)  # type: ignore[no-untyped-call]  # untyped there
        self._all = tuple(self.sentinels)

    def discover_master(self, service_name: str) -> tuple[str, int]:
        found: tuple[str, int] = super().discover_master(service_name)  # type: ignore[no-untyped-call]  # untyped there
        first = self.sentinels[0]
        self.sentinels = [first, *(each for each in self._all if each is not first)]
        return found


class _Reconnect(Retry):
    """Two more tries 20 and 40 ms later, where they may find something else."""

    def __init__(self) -> None:
        super().__init__(ExponentialBackoff(cap=0.2, base=0.02), 2, (ConnectionError,))

    def call_with_retry[T](
        self,
        do: Callable[[], T],
        fail: Callable[..., Any],
        is_retryable: Callable[[Exception], bool] | None = None,
        with_failure_count: bool = False,
    ) -> T:
        return super().call_with_retry(
            do, fail, is_retryable or _may_pass_soon, with_failure_count=with_failure_count
        )


def _may_pass_soon(error: Exception) -> bool:
    """Sentinels that do not answer cost half a second each, and a password stays wrong."""
    return not isinstance(error, (MasterNotFoundError, AuthenticationError))


class _Guarded:
    """What clients and pipelines share: the circuit of the pool that they use."""

    connection_pool: Any

    @property
    def circuit(self) -> Circuit:
        circuit: Circuit = self.connection_pool.circuit
        return circuit

    def parse_response(self, connection: Any, command_name: Any, **options: Any) -> Any:
        try:
            return super().parse_response(connection, command_name, **options)  # type: ignore[misc]  # untyped there
        except ResponseError as error:
            if isinstance(error, (ReadOnlyError, MasterDownError)) or str(error).startswith(
                _CANNOT_SERVE
            ):
                self.circuit.trip(error)
            raise


class GuardedPipeline(_Guarded, Pipeline):
    def execute_command(self, *args: Any, **options: Any) -> Any:
        execute: Callable[..., Any] = super().execute_command
        if self.watching or args[0] == "WATCH":
            return self.circuit.call(lambda: execute(*args, **options))
        return execute(*args, **options)  # queued

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        execute = super().execute
        try:
            return self.circuit.call(lambda: execute(raise_on_error))
        except CircuitOpen:
            if self.connection is not None:  # it watches; asking it to stop would be a wait
                self.connection.disconnect()  # type: ignore[no-untyped-call]  # untyped there
                self.watching = False
            self.reset()
            raise


class GuardedRedis(_Guarded, Redis):
    def execute_command(self, *args: Any, **options: Any) -> Any:
        execute: Callable[..., Any] = super().execute_command
        return self.circuit.call(lambda: execute(*args, **options))

    def pipeline(self, transaction: bool = True, shard_hint: Any = None) -> GuardedPipeline:
        return GuardedPipeline(
            self.connection_pool, self.response_callbacks, transaction, shard_hint
        )


def _guard(client: Any, name: str, ask: Callable[[Redis], object]) -> GuardedRedis:
    """Give the client a circuit whose probe is `ask`, over a new connection."""
    guarded: GuardedRedis = client
    pool = client.connection_pool
    unguarded = Redis(connection_pool=pool)

    def probe() -> None:
        # Those of before lead to a server that may be gone, and each would time out.
        pool.disconnect(inuse_connections=False)
        ask(unguarded)

    pool.circuit = Circuit(name, probe)
    return guarded


def _takes_writes(client: Redis) -> object:
    """Deletes what is not there: changes nothing, but a replica, or a primary that may not
    write (`min-replicas-to-write`), refuses it."""
    return client.delete(f"{settings.ANYPORT_NAMESPACE}:never-set")


def _options(timeouts: Mapping[str, float]) -> dict[str, Any]:
    return {
        "db": settings.REDIS_DB,
        "retry": _Reconnect(),  # a new one for each pool: it is stateful while it retries
        # With them, which Valkey does not send, a pool does not look whether a connection holds an
        # answer that nobody has read.
        "maint_notifications_config": MaintNotificationsConfig(enabled=False),
        **timeouts,
    }


@cache
def redis_primary() -> GuardedRedis:
    """The writer's client, one pool a process. Follows the Sentinels through a promotion.

    Commands raise `redis.exceptions.RedisError` when nobody could be asked.
    """
    options = _options(settings.REDIS_REQUEST_TIMEOUTS)
    if not settings.REDIS_SENTINELS:
        client = GuardedRedis.from_url(settings.REDIS_URL, **options)
        return _guard(client, "redis-primary", _takes_writes)
    sentinels: Any = Sentinels(
        settings.REDIS_SENTINELS,
        sentinel_kwargs={
            **settings.REDIS_SENTINEL_TIMEOUTS,
            "retry": Retry(ExponentialBackoff(), 0),
        },
    )
    found = sentinels.master_for(
        settings.REDIS_MASTER_NAME,
        redis_class=GuardedRedis,
        connection_class=FollowingConnection,
        **options,
    )
    return _guard(found, "redis-primary", _takes_writes)


@cache
def redis_local() -> GuardedRedis | None:
    """For reads: this region's node, which may be behind, or be the primary itself.

    None where there is no other than `REDIS_URL`. It is near, so it is given less time than the
    primary, which can be asked instead. Raises as `redis_primary` does.
    """
    url = settings.REDIS_LOCAL_URL
    if not url or url.rstrip("/") == settings.REDIS_URL.rstrip("/"):
        return None
    client = GuardedRedis.from_url(url, **_options(settings.REDIS_LOCAL_TIMEOUTS))
    return _guard(client, "redis-local", Redis.ping)


class DjangoRedisConnectionFactory:
    """Gives django-redis the same client, whatever its LOCATION says."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.options = options

    def connect(self, url: str) -> Redis:
        return redis_primary()

    def disconnect(self, connection: Redis) -> None:
        connection.connection_pool.disconnect()
