"""When is a process ready? Asked of the process itself, never guessed from its age."""

import http.client
from collections.abc import Callable

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from regions.embedded import postgres_client
from regions.embedded.plan import Plan
from regions.embedded.ports import LOOPBACK, accepts
from regions.embedded.supervise import Program

_NO_RETRY = Retry(NoBackoff(), 0)
# What they write when they have begun to work.
_BEGAN = {"worker": b" ready.", "beat": b"beat: Starting", "watch": b"watch: "}


def readiness(plan: Plan, part: Program) -> Callable[[], bool]:
    """A question that is answered within 2 seconds, and may be asked from any thread.

    Call this before the process starts: of a log only what is new counts.
    """
    region = part.region or ""
    port = part.port or 0
    match part.name:
        case "postgres":
            return lambda: postgres_client.accepts_reads(plan, region)
        case "valkey":
            return lambda: valkey_is_ready(plan, region)
        case "web" | "ws":
            return lambda: answers_ok(port, "/health/live")
        case "worker" | "beat" | "watch":
            return _logged(plan, part)
        case _:
            return lambda: accepts(port)


def valkey_is_ready(plan: Plan, region: str) -> bool:
    """Whether the node answers and, as primary, may write or, as replica, has its copy."""
    client = redis.Redis(
        host=LOOPBACK, port=plan.port("valkey", region), socket_timeout=1, retry=_NO_RETRY
    )
    try:
        facts = client.info("replication")
    except redis.RedisError:
        return False
    finally:
        client.close()
    if facts["role"] == "slave":
        return bool(facts["master_link_status"] == "up")
    return not plan.replicated or bool(facts["connected_slaves"] >= 1)


def answers_ok(port: int, path: str, timeout: float = 2.0) -> bool:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=timeout)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _logged(plan: Plan, part: Program) -> Callable[[], bool]:
    log = plan.log(part.key)
    offset = log.stat().st_size if log.exists() else 0

    def written() -> bool:
        if not log.exists():
            return False
        with log.open("rb") as file:
            file.seek(offset)
            return _BEGAN[part.name] in file.read()

    return written
