"""Small documents that all regions agree on: who is drained, how far a promotion got, a pause.

In DynamoDB of the coordination region, outside any other region that may fail. Each has a version;
a write names the version that it was made from, so of two that were made from one only the first
stands. For what must end with its owner, see storage.leases.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from botocore.exceptions import BotoCoreError, ClientError

from storage.clients import dynamodb
from storage.tables import control_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

ATTEMPTS: Final = 20
"""Times that `change` reads again after somebody else was first."""


class ControlUnreachable(Exception):
    """DynamoDB could not be asked, or nobody knows whether it did what it was asked."""


class Conflict(Exception):
    """Somebody else wrote the document first."""


@dataclass(frozen=True)
class Document:
    name: str
    version: int = 0
    """Grows by one with each write; 0 where there is none yet."""
    data: Mapping[str, Any] = field(default_factory=dict)
    """What JSON can hold."""


def read(name: str) -> Document:
    """The latest version, or version 0 without data. Raises ControlUnreachable."""
    try:
        answer = dynamodb().get_item(
            TableName=control_table(), Key={"name": {"S": name}}, ConsistentRead=True
        )
    except (BotoCoreError, ClientError) as error:
        raise ControlUnreachable(str(error)) from error
    return _of(name, answer.get("Item"))


def _of(name: str, item: "Mapping[str, AttributeValueTypeDef] | None") -> Document:
    if item is None:
        return Document(name)
    return Document(name, int(item["version"]["N"]), json.loads(item["data"]["S"]))


def read_all(names: Iterable[str]) -> dict[str, Document]:
    """The latest version of each, in one question. Raises ControlUnreachable."""
    wanted = list(names)
    try:
        answer = dynamodb().batch_get_item(
            RequestItems={
                control_table(): {
                    "Keys": [{"name": {"S": name}} for name in wanted],
                    "ConsistentRead": True,
                }
            }
        )
    except (BotoCoreError, ClientError) as error:
        raise ControlUnreachable(str(error)) from error
    if answer.get("UnprocessedKeys"):
        raise ControlUnreachable("DynamoDB answered for some of the documents only")
    found = {item["name"]["S"]: item for item in answer["Responses"].get(control_table(), [])}
    return {name: _of(name, found.get(name)) for name in wanted}


def write(document: Document, data: Mapping[str, Any]) -> Document:
    """Replace what `document` was read as. Raises Conflict and ControlUnreachable."""
    new, token = Document(document.name, document.version + 1, data), str(uuid4())
    try:
        dynamodb().put_item(
            TableName=control_table(),
            Item={
                "name": {"S": new.name},
                "version": {"N": str(new.version)},
                "data": {"S": json.dumps(data)},
                "token": {"S": token},
                "changed_at": {"S": datetime.now(UTC).isoformat()},
            },
            ConditionExpression="attribute_not_exists(#name) OR version = :old",
            ExpressionAttributeNames={"#name": "name"},
            ExpressionAttributeValues={":old": {"N": str(document.version)}},
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise ControlUnreachable(str(error)) from error
        # botocore sends a call again whose answer was lost: then it was this very write.
        if _token(error) != token:
            raise Conflict(document.name) from error
    except BotoCoreError as error:
        raise ControlUnreachable(str(error)) from error
    return new


def change(name: str, how: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> Document:
    """Replace the document's data by what `how` makes of them; it may be called more than once.

    Raises ControlUnreachable, and Conflict when others were first 20 times in a row.
    """
    for _ in range(ATTEMPTS):
        document = read(name)
        try:
            return write(document, how(document.data))
        except Conflict:
            continue
    raise Conflict(name)


def _token(error: ClientError) -> str | None:
    response: dict[str, Any] = dict(error.response)
    item: dict[str, AttributeValueTypeDef] = response.get("Item") or {}
    return item.get("token", {}).get("S")
