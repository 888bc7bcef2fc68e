"""DynamoDB tables: their names and shapes, and making them."""

from typing import TYPE_CHECKING

from django.conf import settings

from storage.clients import dynamodb

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import CreateTableInputTypeDef


def slots_table() -> str:
    """Schedule slots, by `slot` (job and time in UTC)."""
    return f"{settings.ANYPORT_NAMESPACE}-slots"


def _definitions() -> list["CreateTableInputTypeDef"]:
    return [
        {
            "TableName": slots_table(),
            "KeySchema": [{"AttributeName": "slot", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "slot", "AttributeType": "S"}],
            "BillingMode": "PAY_PER_REQUEST",
        },
    ]


def create_tables() -> list[str]:
    """Create what is missing, with `expires_at` as time to live. Returns the names created."""
    client = dynamodb()
    created = []
    for definition in _definitions():
        name = definition["TableName"]
        try:
            client.create_table(**definition)
        except client.exceptions.ResourceInUseException:
            continue
        client.get_waiter("table_exists").wait(
            TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
        )
        client.update_time_to_live(
            TableName=name,
            TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires_at"},
        )
        created.append(name)
    return created
