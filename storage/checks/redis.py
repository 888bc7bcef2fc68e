"""Redis: does the primary take writes, who follows it, and would the Sentinels replace it."""

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final
from uuid import uuid4

from django.conf import settings
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from redis.sentinel import Sentinel

from regions.checkup import (
    Answer,
    Check,
    Degraded,
    Finding,
    Probe,
    State,
    conclusion,
    findings_of,
    probes,
)
from regions.whereabouts import region_of
from storage.redis import redis_local

BEHIND: Final = 0.5
"""Seconds that a write may take to this region's replica."""
MISSING: Final = 1 << 20
"""Bytes that a replica may be behind the primary."""

PRIMARY: Final = Check(
    "redis.primary",
    "one primary takes writes",
    impact="Sessions, log-in and carts go on from DynamoDB; pages are slower, live updates and"
    " jobs wait.",
    advice="Wait 5 s: the Sentinels promote a replica. Then read redis.node and redis.quorum.",
    rank=1,
)
NODE: Final = Check(
    "redis.node",
    "each node that the Sentinels know answers, in the role they say, and its link is up",
    impact="None: one copy fewer. Without any, the primary refuses writes.",
    advice="Read that node's log and start it again: it follows the primary by itself.",
    worst=State.DEGRADED,
    rank=3,
)
LOCAL: Final = Check(
    "redis.replica",
    f"the node that a region reads from follows the primary within {BEHIND} s",
    impact="That region asks the primary for each session: slower, nothing else.",
    advice="INFO replication there; is it a replica of this primary (REDIS_LOCAL_URL)?",
    worst=State.DEGRADED,
    after=("redis.primary", "redis.node"),
)
SENTINEL: Final = Check(
    "redis.sentinel",
    "each Sentinel answers and knows a primary",
    impact="None yet: one Sentinel fewer can vote for a new primary.",
    advice="Read that Sentinel's log and start it again.",
    worst=State.DEGRADED,
    rank=3,
)
QUORUM: Final = Check(
    "redis.quorum",
    "the Sentinels agree on the primary, and enough of them could replace it",
    impact="None yet; but when the primary fails, nobody takes its place.",
    advice="Start Sentinels again until a majority of them answers (redis.sentinel).",
    rank=2,
)

_ROLES: Final = {"master": "primary", "slave": "replica"}
_OPTIONS: Final[dict[str, Any]] = {
    "socket_connect_timeout": 0.5,
    "socket_timeout": 1.0,
    "decode_responses": True,
}


def no_retry() -> Retry:
    return Retry(NoBackoff(), 0)


@probes
def redis() -> Iterator[Probe]:
    for host, port in settings.REDIS_SENTINELS:
        yield Probe(
            SENTINEL,
            f"{host}:{port}",
            partial(_ask_sentinel, host, port),
            region_of(f"{host}:{port}"),
        )
    if settings.REDIS_SENTINELS:
        yield Probe(PRIMARY, f"by {len(settings.REDIS_SENTINELS)} Sentinels", _ask_primary)
        yield Probe(NODE, "as Sentinels know them", _ask_nodes, advice="See redis.sentinel.")
    else:
        yield Probe(
            PRIMARY,
            _bare(settings.REDIS_URL),
            _ask_primary,
            advice="Start it again and read its log. Orders, carts and stock are in PostgreSQL.",
        )
    if redis_local():
        where = _bare(settings.REDIS_LOCAL_URL)
        yield Probe(LOCAL, where, _ask_local, region_of(where) or settings.ANYPORT_REGION)


def _bare(url: str) -> str:
    """Without a password."""
    return url.partition("://")[2].rpartition("@")[2]


# --- Sentinels ---------------------------------------------------------------------------------


def _ask_sentinel(host: str, port: int) -> Answer:
    name = settings.REDIS_MASTER_NAME
    with Redis(host=host, port=port, retry=no_retry(), **_OPTIONS) as sentinel:
        primary = sentinel.execute_command("SENTINEL GET-MASTER-ADDR-BY-NAME", name)
        if primary is None:
            raise Degraded(f"watches no primary named {name}")
        where = ":".join(map(str, primary))
        try:
            sentinel.execute_command("SENTINEL CKQUORUM", name)  # an error unless there is one
        except RedisError as error:
            raise Degraded(f"reaches no quorum: {error}", {"primary": where}) from error
    told = f"the primary is {where} {region_of(where)}".strip()
    return Answer(told, {"primary": where, "quorum": True})


@conclusion(QUORUM, needs=[SENTINEL])
def quorum(findings: Sequence[Finding]) -> Iterator[Finding]:
    asked = findings_of(SENTINEL, findings)
    if not asked:
        return
    able = [finding for finding in asked if finding.data.get("quorum")]
    said = {finding.data["primary"] for finding in asked if "primary" in finding.data}
    told = f"{len(able)} of {len(asked)} reach a quorum"
    if len(said) > 1:
        detail = f"they name {len(said)} primaries: {', '.join(sorted(said))}"
        advice = "If that does not pass within 5 s: SENTINEL RESET on the one that is alone."
        yield QUORUM.problem("Sentinels", detail, advice=advice)
    elif not able:
        yield QUORUM.problem("Sentinels", told)
    else:
        yield QUORUM.ok("Sentinels", told)


def _sentinels() -> Sentinel:
    return Sentinel(  # type: ignore[no-untyped-call]  # untyped there
        settings.REDIS_SENTINELS,
        sentinel_kwargs={**settings.REDIS_SENTINEL_TIMEOUTS, "retry": no_retry()},
    )


def _answering_sentinels() -> Iterator[Redis]:
    for sentinel in _sentinels().sentinels:
        try:
            sentinel.ping()
        except (OSError, RedisError):
            continue
        yield sentinel
    raise ConnectionError("no Sentinel answers")


# --- The primary and this region's node --------------------------------------------------------


def primary_client(**options: Any) -> Redis:
    """Past the circuit breaker, whose opinion may be a moment old. Does not retry."""
    given = {"db": settings.REDIS_DB, "retry": no_retry(), **_OPTIONS, **options}
    if not settings.REDIS_SENTINELS:
        return Redis.from_url(settings.REDIS_URL, **given)
    sentinels: Any = _sentinels()
    found: Redis = sentinels.master_for(settings.REDIS_MASTER_NAME, **given)
    return found


def new_key() -> str:
    return f"{settings.ANYPORT_NAMESPACE}:check:{uuid4()}"


def _ask_primary() -> Answer:
    key = new_key()
    with primary_client() as client:
        client.set(key, "1", ex=10)  # min-replicas-to-write refuses here
        client.delete(key)
        info: dict[str, Any] = client.info("replication")
    if info["role"] != "master":
        raise Degraded(f"answers as a {_ROLES[info['role']]}")
    count = info["connected_slaves"]
    return Answer(f"takes writes, {count} replica{'s' * (count != 1)} connected")


def _ask_local() -> Answer:
    """The node that this region reads from: its role, its link, and how far it is behind."""
    with Redis.from_url(
        settings.REDIS_LOCAL_URL, db=settings.REDIS_DB, retry=no_retry(), **_OPTIONS
    ) as local:
        info: dict[str, Any] = local.info("replication")
        if info["role"] == "master":
            return Answer("is the primary")
        if info["master_link_status"] != "up":
            seconds = info.get("master_link_down_since_seconds", "unknown")
            raise Degraded(f"receives nothing from the primary for {seconds} s")
        return Answer(f"a replica, {_lag(local)} behind")


def _lag(local: Redis) -> str:
    """How long a write to the primary takes until it is seen here. Raises Degraded if too long."""
    key = new_key()
    try:
        with primary_client() as primary:
            primary.set(key, "1", ex=10)
    except (OSError, RedisError):  # a finding of its own, and not this node's fault
        return "nobody knows how far"
    began = time.monotonic()
    while not local.exists(key):
        if time.monotonic() - began > BEHIND:
            raise Degraded(f"more than {BEHIND} s behind, or the replica of another primary")
        time.sleep(0.01)
    return f"{(time.monotonic() - began) * 1000:.0f} ms"


# --- Every node --------------------------------------------------------------------------------


def _ask_nodes() -> Answer:
    """Every node is asked by itself, all at once; what it said is told by `nodes`."""
    known = _known_nodes()
    with ThreadPoolExecutor(max_workers=len(known)) as pool:
        said = list(pool.map(lambda node: _ask_node(*node), known))
    return Answer(f"{len(known)} known", {"nodes": said})


def _known_nodes() -> list[tuple[str, int, str]]:
    """Host, port and role of the primary and of its replicas, lost ones too."""
    sentinel = next(iter(_answering_sentinels()))
    primary: Any = sentinel.sentinel_master(settings.REDIS_MASTER_NAME)
    replicas = sentinel.sentinel_slaves(settings.REDIS_MASTER_NAME)
    return [
        (primary["ip"], primary["port"], "master"),
        *((replica["ip"], replica["port"], "slave") for replica in replicas),
    ]


@dataclass(frozen=True)
class _Node:
    where: str
    role: str
    """As the Sentinels have it."""
    info: Mapping[str, Any]
    problem: str = ""
    clock: tuple[float, float] = (0.0, 0.0)
    seconds: float = 0.0


def _ask_node(host: str, port: int, role: str) -> _Node:
    where, began = f"{host}:{port}", time.monotonic()
    try:
        with Redis(host=host, port=port, retry=no_retry(), **_OPTIONS) as node:
            info: dict[str, Any] = node.info("replication")
            sent = time.time()
            seconds, microseconds = node.time()
            received = time.time()
    except (OSError, RedisError) as error:
        return _Node(where, role, {}, str(error), seconds=time.monotonic() - began)
    ahead = seconds + microseconds / 1e6 - (sent + received) / 2
    clock = (ahead, (received - sent) / 2)
    return _Node(where, role, info, clock=clock, seconds=time.monotonic() - began)


@conclusion(NODE, needs=[NODE])
def nodes(findings: Sequence[Finding]) -> Iterator[Finding]:
    known: list[_Node] = [n for found in findings for n in found.data.get("nodes", ())]
    primary = next((node for node in known if node.role == "master"), None)
    position = int(primary.info.get("master_repl_offset", 0)) if primary else 0
    for node in known:
        found = _judge(node, position)
        yield replace(found, seconds=node.seconds, data={"clock": node.clock} if node.info else {})


def _judge(node: _Node, position: int) -> Finding:
    region, role = region_of(node.where), _ROLES[node.role]
    problem = partial(NODE.problem, node.where, region=region)
    if node.problem:
        impact = PRIMARY.impact if node.role == "master" else ""
        return problem(f"{role}: {node.problem}", impact=impact)
    if node.info["role"] != node.role:
        return problem(f"says it is a {_ROLES[node.info['role']]}, Sentinels say {role}")
    if node.role == "master":
        return NODE.ok(node.where, "primary", region=region)
    if node.info["master_link_status"] != "up":
        return problem("replica that receives nothing from the primary")
    # The primary may have been asked a moment earlier.
    missing = max(0, position - int(node.info["slave_repl_offset"]))
    heard = node.info["master_last_io_seconds_ago"]
    detail = f"replica, link up, {missing:,} bytes behind, heard of {heard} s ago"
    if missing > MISSING:
        return problem(detail)
    return NODE.ok(node.where, detail, region=region)
