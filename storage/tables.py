"""DynamoDB tables: their names and shapes, and making them."""

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from django.conf import settings

from storage.clients import dynamodb

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import CreateTableInputTypeDef

SESSIONS_BY_USER: Final = "by-user"


def slots_table() -> str:
    """Schedule slots, by `slot` (job and time in UTC)."""
    return f"{settings.ANYPORT_NAMESPACE}-slots"


def sessions_table() -> str:
    """Copies of sessions and their journal, by `pk` and `sk`; see sessions_ext."""
    return f"{settings.ANYPORT_NAMESPACE}-sessions"


def leases_table() -> str:
    """Leases by `name`; see storage.leases."""
    return f"{settings.ANYPORT_NAMESPACE}-leases"


def control_table() -> str:
    """Documents that all regions agree on, by `name`; see storage.control."""
    return f"{settings.ANYPORT_NAMESPACE}-control"


def _definitions() -> list["CreateTableInputTypeDef"]:
    return [
        _keyed_by(slots_table(), "slot"),
        _keyed_by(leases_table(), "name"),
        _keyed_by(control_table(), "name"),
        {
            "TableName": sessions_table(),
            "KeySchema": [
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
            "AttributeDefinitions": [
                {"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk", "u")
            ],
            "GlobalSecondaryIndexes": [
                {
                    # Holds only the sessions of somebody: an item without `u` is not in it.
                    "IndexName": SESSIONS_BY_USER,
                    "KeySchema": [{"AttributeName": "u", "KeyType": "HASH"}],
                    "Projection": {"ProjectionType": "KEYS_ONLY"},
                }
            ],
            "BillingMode": "PAY_PER_REQUEST",
        },
    ]


def _keyed_by(table: str, name: str) -> "CreateTableInputTypeDef":
    return {
        "TableName": table,
        "KeySchema": [{"AttributeName": name, "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"}],
        "BillingMode": "PAY_PER_REQUEST",
    }


def create_tables() -> list[str]:
    """Create what is missing, with `expires_at` as time to live. Returns the names created."""
    client = dynamodb(patient=True)
    created = []
    for definition in _definitions():
        name = definition["TableName"]
        # A try that timed out may have created the table: then the next one is told so.
        with suppress(client.exceptions.ResourceInUseException):
            client.create_table(**definition)
            created.append(name)
        client.get_waiter("table_exists").wait(
            TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
        )
        _expire_items(client, name)
    return created


def _expire_items(client: "DynamoDBClient", table: str) -> None:
    """Asked first: AWS refuses to set what is set."""
    found = client.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    if found.get("TimeToLiveStatus") not in ("ENABLED", "ENABLING"):
        client.update_time_to_live(
            TableName=table,
            TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires_at"},
        )
