"""What the regions agreed on: documents and leases, read whole from DynamoDB."""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from failover.overview.model import Control, Drain, Lease
from storage.clients import dynamodb
from storage.tables import control_table, leases_table


def ask_documents() -> dict[str, Mapping[str, Any]]:
    """By name. Raises what botocore raises."""
    return {
        item["name"]["S"]: json.loads(item["data"]["S"])
        for item in _scan(control_table())
        if "data" in item  # what `failover check` puts there for a moment has none
    }


def ask_leases() -> list[Lease]:
    """All there are, released ones too, by name. Raises what botocore raises.

    `storage.leases` never judges by anybody's clock; here `written_at` is for people.
    """
    now = datetime.now(UTC)
    found = [_lease(item, now) for item in _scan(leases_table())]
    return sorted(found, key=lambda lease: lease.name)


def drained(control: Control) -> dict[str, Drain]:
    """By region."""
    return {
        region: Drain(moment(told.get("since")), str(told.get("by", "")), str(told.get("why", "")))
        for region, told in control.documents.get("drained", {}).items()
    }


def moment(text: object) -> datetime | None:
    """An ISO time; None where there is none."""
    with suppress(TypeError, ValueError):
        found = datetime.fromisoformat(text)  # type: ignore[arg-type]  # TypeError is expected
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    return None


def _scan(table: str) -> Iterator[Mapping[str, Any]]:
    pages = dynamodb().get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    for page in pages:
        yield from page["Items"]


def _lease(item: Mapping[str, Any], now: datetime) -> Lease:
    written = moment(item.get("written_at", {}).get("S")) or now
    return Lease(
        name=item["name"]["S"],
        owner=item["owner"]["S"],
        attempt=int(item["attempt"]["N"]),
        duration=float(item["duration"]["N"]),
        age=max(0.0, (now - written).total_seconds()),
        released=bool(item.get("released", {}).get("BOOL", False)),
    )
