"""What is missing until every part of a stack runs, follows, and serves behind the front door."""

import http.client
from collections.abc import Collection, Iterator

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from regions.embedded import postgres, postgres_client, replication, valkey
from regions.embedded.plan import Plan, read_json
from regions.embedded.ports import LOOPBACK, accepts
from regions.embedded.probes import answers_ok, valkey_is_ready
from regions.embedded.supervise import Program, Supervisor
from regions.faults import Part

_NO_RETRY = Retry(NoBackoff(), 0)
_ASKED_AT_FRONT = 20


def whats_missing(plan: Plan, parts: Collection[Program], supervisor: Supervisor) -> list[str]:
    """A phrase for everything that is not as it should be; the cheap questions are asked first,
    and those that depend on them only when they were answered."""
    states = supervisor.states()
    dead = [_name(part) for part in parts if states[part.key].state not in {"RUNNING", "STARTING"}]
    if dead:
        return dead
    silent = [_name(part) for part in parts if not _answers(plan, part)]
    return silent or [*_storage(plan), *_front(plan), *_description(plan, parts)]


def _name(part: Program) -> str:
    return str(Part(part.name, part.region))


def _answers(plan: Plan, part: Program) -> bool:
    region, port = part.region or "", part.port
    match part.name:
        case "web" | "ws":
            return answers_ok(port or 0, "/health/live")  # it may be drained
        case "postgres":
            return postgres_client.accepts_reads(plan, region)
        case "valkey":
            return valkey_is_ready(plan, region)
        case _:
            return port is None or accepts(port)


def _storage(plan: Plan) -> Iterator[str]:
    if not plan.replicated:
        return
    writer = postgres.elect(plan)
    others = {region for region in plan.regions if writer is None or region != writer.region}
    following = replication.followers(plan, writer.region) if writer else set()
    for region in sorted(others - following):
        yield f"postgres of {region} does not follow"
    primary = valkey.primary_region(plan)
    for region in plan.regions:
        if problem := _sentinel_misses(plan, region, primary):
            yield f"sentinel of {region} {problem}"


def _sentinel_misses(plan: Plan, region: str, primary: str | None) -> str:
    """A Sentinel that has not found the others yet could not agree on a loss."""
    client = redis.Redis(
        host=LOOPBACK, port=plan.port("sentinel", region), socket_timeout=1, retry=_NO_RETRY
    )
    try:
        known = client.info("sentinel")["master0"]
    except (redis.RedisError, KeyError):
        return "does not answer"
    finally:
        client.close()
    others = len(plan.regions) - 1
    if (
        known["status"] != "ok"
        or int(known["slaves"]) < others
        or int(known["sentinels"]) <= others
    ):
        return "does not see every node"
    if primary and not str(known["address"]).endswith(f":{plan.port('valkey', primary)}"):
        return "follows another primary"
    return ""


def _front(plan: Plan) -> Iterator[str]:
    """It sends requests in turn; beside those of others, a few more of ours reach all regions."""
    for region in plan.regions:
        if not answers_ok(plan.port("ws", region), "/health/ready"):
            yield f"ws of {region} is not ready"
    away = {*plan.regions}
    for _ in range(_ASKED_AT_FRONT):
        away.discard(_region_at_front(plan))
        if not away:
            return
    yield from (f"{region} behind the front door" for region in sorted(away))


def _region_at_front(plan: Plan) -> str:
    connection = http.client.HTTPConnection(LOOPBACK, plan.ports["front"], timeout=2)
    try:
        connection.request("GET", "/health/live")
        return connection.getresponse().getheader("Anyport-Region", "")
    except (OSError, http.client.HTTPException):
        return ""
    finally:
        connection.close()


def _description(plan: Plan, parts: Collection[Program]) -> Iterator[str]:
    """stack.json is written twice a second: it may still be of before."""
    told = read_json(plan.state / "stack.json")
    if len(told.get("processes", [])) < len(parts) or len(told.get("roles", {})) < 2:
        yield "stack.json"
