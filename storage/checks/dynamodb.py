"""DynamoDB: conditional writes, a lease, and which regions operators have drained."""

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final
from uuid import uuid4

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings

from regions.checkup import Answer, Check, Finding, Probe, State, conclusion, findings_of, probes
from storage import control, leases
from storage.clients import dynamodb
from storage.tables import control_table, leases_table, sessions_table, slots_table

TABLE: Final = Check(
    "dynamodb.write",
    "in each table, a conditional write succeeds once",
    impact="None while Redis lives, but sessions have one copy, and scheduled jobs wait.",
    advice="manage.py provision creates a table that is missing; else see the AWS status page.",
    rank=2,
)
LEASE: Final = Check(
    "dynamodb.lease",
    "a lease is acquired, held and released",
    impact="None; but promotion and watch cannot act, and no region can be drained.",
    advice="See dynamodb.write.",
    rank=4,
    after=("dynamodb.write",),
)
DRAINED: Final = Check(
    "region.drained",
    "no region is drained",
    impact="None: the front door asks the other regions. One region fewer in reserve.",
    advice="manage.py failover undrain REGION, when its maintenance is over.",
    worst=State.DEGRADED,
    rank=4,
    after=("dynamodb.write",),
    deep=False,
    local=True,
)
_SLOTS: Final = "None. Scheduled jobs wait, and none runs twice."
_SESSIONS: Final = "None while Redis lives, but sessions have one copy."
_CONTROL: Final = "None; but no region can be drained or promoted."


@probes
def tables() -> Iterator[Probe]:
    dynamodb()  # made here: botocore reads its models for a while, which is not DynamoDB's fault
    for table, keys, impact in (
        (slots_table(), ["slot"], _SLOTS),
        (sessions_table(), ["pk", "sk"], _SESSIONS),
        (control_table(), ["name"], _CONTROL),
    ):
        yield Probe(
            TABLE,
            f"{table} in {settings.COORDINATION_REGION}",
            partial(_ask_table, table, keys),
            impact=impact,
            deep=table == sessions_table(),
        )
    yield Probe(LEASE, leases_table(), _take_and_release)
    yield Probe(DRAINED, control_table(), _read_drained, impact=_CONTROL, advice=TABLE.advice)


def _ask_table(table: str, keys: Sequence[str]) -> Answer:
    """A conditional write must succeed once: leases and sessions rest on that."""
    client, identity = dynamodb(), f"check|{uuid4()}"
    key: dict[str, Any] = {name: {"S": identity} for name in keys}
    item = key | {"expires_at": {"N": str(int(time.time()) + 60)}}
    put = partial(
        client.put_item,
        TableName=table,
        Item=item,
        ConditionExpression="attribute_not_exists(#key)",
        ExpressionAttributeNames={"#key": keys[0]},  # `name` is a reserved word
    )
    put()
    try:
        put()
    except client.exceptions.ConditionalCheckFailedException:
        return Answer("a conditional write succeeds once")
    finally:
        client.delete_item(TableName=table, Key=key)
    raise RuntimeError("the same item was made twice")


def _take_and_release() -> Answer:
    """Under a name of its own, as a lease that was released is kept otherwise."""
    name = f"check|{uuid4()}"
    delete = partial(dynamodb().delete_item, TableName=leases_table(), Key={"name": {"S": name}})
    try:
        lease = leases.try_acquire(name, owner=f"check in {settings.ANYPORT_REGION}")
        lease.check()
        leases.release(lease)
    except Exception:
        with suppress(BotoCoreError, ClientError):  # what came before is what is wrong
            delete()  # nobody knows whether it is there
        raise
    delete()
    return Answer("acquired and released")


def _read_drained() -> Answer:
    data = control.read("drained").data
    return Answer("none is drained", {"drained": dict(data)}, silent=bool(data))


@conclusion(DRAINED, needs=[DRAINED])
def drained(findings: Sequence[Finding]) -> Iterator[Finding]:
    for finding in findings_of(DRAINED, findings):
        for region, told in finding.data.get("drained", {}).items():
            since, by, why = (told.get(name) or "unknown" for name in ("since", "by", "why"))
            yield DRAINED.problem(
                control_table(),
                f"drained since {since} by {by}: {why}",
                region=region,
                advice=f"manage.py failover undrain {region}, when that is over.",
            )
