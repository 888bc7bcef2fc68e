"""Moving Valkey's primary to a region, through the Sentinels."""

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from regions.embedded import valkey
from regions.embedded.plan import VALKEY_NAME, Plan
from regions.embedded.ports import LOOPBACK
from regions.embedded.processes import wait_until
from regions.servers import ProviderError

_PREFERRED, _OTHERWISE = 10, 100
"""Replica priorities: of those that may follow a primary, Sentinels take the lowest number."""
_NOTICE_TIMEOUT = 5.0  # seconds for a Sentinel to see the priorities
_MOVE_TIMEOUT = 10.0


def primary(plan: Plan) -> str | None:
    return valkey.primary_region(plan)


def move_primary(plan: Plan, region: str) -> str:
    """Ask the Sentinels to make the region's node the primary; what came of it.

    They choose themselves, so the region's node is preferred first; it stays so, and gets the
    primary again after a failure of another. Raises ProviderError.
    """
    for other in plan.regions:
        _prefer(plan, other, _PREFERRED if other == region else _OTHERWISE)
    before = primary(plan)
    if before == region:
        return f"{region} is the primary already"
    sentinel = _client(plan, "sentinel", region)
    try:
        _ask_every(sentinel, 1)
        if not wait_until(lambda: _is_preferred(plan, sentinel, region), _NOTICE_TIMEOUT):
            return f"stays in {before}: the Sentinels see no replica in {region}"
        # The primary pauses its clients until the replica has everything.
        _command(sentinel, "SENTINEL", "FAILOVER", VALKEY_NAME, "COORDINATED")
        wait_until(lambda: primary(plan) not in (before, None), _MOVE_TIMEOUT)
        _ask_every(sentinel, 10)
    except redis.RedisError as error:
        raise ProviderError(f"Sentinel of {region}: {error}") from error
    finally:
        sentinel.close()
    now = primary(plan)
    return f"stays in {now}: the Sentinels did not move it" if now == before else f"moved to {now}"


def _ask_every(sentinel: "redis.Redis", seconds: int) -> None:
    """How often this Sentinel asks nodes about themselves; it decides by what it was told."""
    _command(sentinel, "SENTINEL", "DEBUG", "info-period", seconds * 1000)


def _command(client: "redis.Redis", *words: str | int) -> None:
    client.execute_command(*words)  # type: ignore[no-untyped-call]  # untyped there


def _prefer(plan: Plan, region: str, priority: int) -> None:
    client = _client(plan, "valkey", region)
    try:
        client.config_set("replica-priority", priority)
    except redis.RedisError:
        return  # a node that is gone is nobody's choice
    finally:
        client.close()


def _is_preferred(plan: Plan, sentinel: redis.Redis, region: str) -> bool:
    """Whether this Sentinel, which is asked to move the primary, knows of the priorities."""
    port = plan.port("valkey", region)
    priorities = {
        replica["port"]: replica["slave-priority"]
        for replica in sentinel.sentinel_slaves(VALKEY_NAME)
    }
    mine = priorities.pop(port, None)
    return mine == _PREFERRED and _PREFERRED not in priorities.values()


def _client(plan: Plan, kind: str, region: str) -> redis.Redis:
    return redis.Redis(
        host=LOOPBACK,
        port=plan.port(kind, region),
        socket_timeout=1,
        socket_connect_timeout=0.5,
        decode_responses=True,
        retry=Retry(NoBackoff(), 0),
    )
