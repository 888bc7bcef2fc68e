"""Operators' checks of Redis, S3 and DynamoDB."""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final
from uuid import uuid4

from django.conf import settings
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from redis.sentinel import Sentinel

from regions.checks import place
from regions.checkup import Answer, Degraded, Finding, Probe, State, conclusion, probes
from regions.regions import Region, all_regions
from storage.buckets import bucket_name
from storage.clients import dynamodb, s3
from storage.redis import redis_local
from storage.tables import sessions_table, slots_table

_REDIS_IMPACT: Final = (
    "Sessions, log-in and carts go on from DynamoDB; pages are slower, live updates and jobs wait."
)
_COPY_IMPACT: Final = "Nothing: one copy fewer. Too few, and the primary refuses writes."
_LOCAL_IMPACT: Final = "This region asks the primary for each session: slower, nothing else."
_TABLE_ADVICE: Final = (
    "manage.py provision creates a table that is missing; else see the AWS status page."
)
_BEHIND: Final = 0.5
"""Seconds that a write may take to this region's replica."""
_ROLES: Final = {"master": "the primary", "slave": "a replica"}
_OPTIONS: Final[dict[str, Any]] = {
    "socket_connect_timeout": 0.5,
    "socket_timeout": 1.0,
    "decode_responses": True,
}


def _no_retry() -> Retry:
    return Retry(NoBackoff(), 0)


# --- Redis -----------------------------------------------------------------------------------


@probes
def redis() -> Iterator[Probe]:
    for host, port in settings.REDIS_SENTINELS:
        yield Probe(
            "Sentinel",
            place(f"{host}:{port}"),
            partial(_ask_sentinel, host, port),
            impact="Nothing yet: one Sentinel fewer can vote for a new primary.",
            advice=f"valkey-cli -h {host} -p {port} SENTINEL CKQUORUM {settings.REDIS_MASTER_NAME}",
        )
    yield Probe(
        "Redis primary",
        f"by {len(settings.REDIS_SENTINELS)} Sentinels"
        if settings.REDIS_SENTINELS
        else _bare(settings.REDIS_URL),
        _ask_primary,
        impact=_REDIS_IMPACT,
        advice="Sentinels promote a replica within 5 s; else read the primary's log."
        if settings.REDIS_SENTINELS
        else "Start it again and read its log. Orders, carts and stock are in PostgreSQL.",
    )
    if settings.REDIS_SENTINELS:
        yield Probe(
            "Redis nodes",
            "as Sentinels know them",
            _ask_nodes,
            impact="Unknown: nobody says which nodes there are.",
            advice="See Sentinel.",
        )
    if redis_local():
        yield Probe(
            "Redis replica",
            _bare(settings.REDIS_LOCAL_URL),
            _ask_local,
            impact=_LOCAL_IMPACT,
            advice="INFO replication there; is it a replica of this primary (REDIS_LOCAL_URL)?",
        )


def _bare(url: str) -> str:
    """Without a password."""
    return place(url.partition("://")[2].rpartition("@")[2])


def _ask_sentinel(host: str, port: int) -> Answer:
    with Redis(host=host, port=port, retry=_no_retry(), **_OPTIONS) as sentinel:
        name = settings.REDIS_MASTER_NAME
        primary = sentinel.execute_command("SENTINEL GET-MASTER-ADDR-BY-NAME", name)
        if primary is None:
            raise Degraded(f"watches no primary named {name}")
        sentinel.execute_command("SENTINEL CKQUORUM", name)  # an error unless there is one
    return Answer(f"says {place(':'.join(map(str, primary)))}; quorum")


def _sentinels() -> Sentinel:
    return Sentinel(  # type: ignore[no-untyped-call]
        settings.REDIS_SENTINELS,
        sentinel_kwargs={**settings.REDIS_SENTINEL_TIMEOUTS, "retry": _no_retry()},
    )


def _primary() -> Redis:
    options = {"db": settings.REDIS_DB, "retry": _no_retry(), **_OPTIONS}
    if not settings.REDIS_SENTINELS:
        return Redis.from_url(settings.REDIS_URL, **options)
    sentinels: Any = _sentinels()
    found: Redis = sentinels.master_for(settings.REDIS_MASTER_NAME, **options)
    return found


def _ask_primary() -> Answer:
    key = f"{settings.ANYPORT_NAMESPACE}:check:{uuid4()}"
    with _primary() as client:
        client.set(key, "1", ex=10)  # min-replicas-to-write refuses here
        client.delete(key)
        info: dict[str, Any] = client.info("replication")
    if info["role"] != "master":
        raise Degraded(f"answers as a {info['role']}")
    return Answer(f"takes writes, {info['connected_slaves']} replicas connected")


def _ask_local() -> Answer:
    """The node that this region reads from: its role, its link, and how far it is behind."""
    with Redis.from_url(
        settings.REDIS_LOCAL_URL, db=settings.REDIS_DB, retry=_no_retry(), **_OPTIONS
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
    key = f"{settings.ANYPORT_NAMESPACE}:check:{uuid4()}"
    try:
        with _primary() as primary:
            primary.set(key, "1", ex=10)
    except (OSError, RedisError):  # a finding of its own, and not this node's fault
        return "nobody knows how far"
    began = time.monotonic()
    while not local.exists(key):
        if time.monotonic() - began > _BEHIND:
            raise Degraded(f"more than {_BEHIND} s behind, or the replica of another primary")
        time.sleep(0.01)
    return f"{(time.monotonic() - began) * 1000:.0f} ms"


def _ask_nodes() -> Answer:
    """Every node is asked by itself, all at once; what it said is told by `redis_nodes`."""
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


def _ask_node(host: str, port: int, role: str) -> Finding:
    finding = partial(
        Finding,
        "Redis node",
        place(f"{host}:{port}"),
        impact=_REDIS_IMPACT if role == "master" else _COPY_IMPACT,
        advice=f"valkey-cli -h {host} -p {port} INFO replication; then read that node's log.",
    )
    try:
        with Redis(host=host, port=port, retry=_no_retry(), **_OPTIONS) as node:
            info: dict[str, Any] = node.info("replication")
    except (OSError, RedisError) as error:
        return finding(State.FAILING, f"{_ROLES[role]}: {error}")
    if info["role"] != role:
        detail = f"says it is {_ROLES[info['role']]}, Sentinels say {_ROLES[role]}"
        return finding(State.DEGRADED, detail)
    if role == "slave" and info["master_link_status"] != "up":
        return finding(State.DEGRADED, "replica that receives nothing from the primary")
    return Finding("Redis node", place(f"{host}:{port}"), State.OK, _ROLES[role])


@conclusion
def redis_nodes(findings: Sequence[Finding]) -> Iterator[Finding]:
    for finding in findings:
        yield from finding.data.get("nodes", ())


def _answering_sentinels() -> Iterator[Redis]:
    for sentinel in _sentinels().sentinels:
        try:
            sentinel.ping()
        except (OSError, RedisError):
            continue
        yield sentinel
    raise ConnectionError("no Sentinel answers")


# --- S3 and DynamoDB ---------------------------------------------------------------------------


@probes
def buckets() -> Iterator[Probe]:
    endpoint = f" --endpoint-url {settings.S3_ENDPOINT_URL}" if settings.S3_ENDPOINT_URL else ""
    for where in all_regions():
        s3(where)  # made here: botocore reads its models for a while, which is not S3's fault
        yield Probe(
            "S3",
            where.name,
            partial(_ask_bucket, where),
            impact="Pictures may be missing; reports made in this region wait.",
            advice=f"aws s3api head-bucket --bucket {bucket_name('backups', where)}"
            f" --region {where.aws_region}{endpoint}",
        )


def _ask_bucket(where: Region) -> Answer:
    client, bucket, key = s3(where), bucket_name("backups", where), f"checks/{uuid4()}"
    client.put_object(Bucket=bucket, Key=key, Body=b"check")
    try:
        if client.get_object(Bucket=bucket, Key=key)["Body"].read() != b"check":
            raise Degraded("reads something else than was written")
    finally:
        client.delete_object(Bucket=bucket, Key=key)
    return Answer("written, read and deleted")


@probes
def tables() -> Iterator[Probe]:
    dynamodb()
    for table, keys, impact in (
        (slots_table(), ["slot"], "Nothing. Scheduled jobs wait, and none runs twice."),
        (sessions_table(), ["pk", "sk"], "Nothing while Redis lives, but sessions have one copy."),
    ):
        yield Probe(
            "DynamoDB",
            f"{settings.COORDINATION_REGION} {table}",
            partial(_ask_table, table, keys),
            impact=impact,
            advice=_TABLE_ADVICE,
        )


def _ask_table(table: str, keys: Sequence[str]) -> Answer:
    """A conditional write must succeed once: leases and sessions rest on that."""
    client, identity = dynamodb(), f"check|{uuid4()}"
    key: dict[str, Any] = {name: {"S": identity} for name in keys}
    item = key | {"expires_at": {"N": str(int(time.time()) + 60)}}
    absent = f"attribute_not_exists({keys[0]})"
    client.put_item(TableName=table, Item=item, ConditionExpression=absent)
    try:
        client.put_item(TableName=table, Item=item, ConditionExpression=absent)
    except client.exceptions.ConditionalCheckFailedException:
        return Answer("a conditional write succeeds once")
    finally:
        client.delete_item(TableName=table, Key=key)
    raise RuntimeError("the same item was made twice")
