"""S3 and DynamoDB on one machine lose nothing that they acknowledged, and keep conditions."""

import os
import pickle
import signal
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import boto3
import pytest
from botocore.config import Config
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import Table

from regions.embedded import aws
from tests.stack import Stack

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

# Names of this run: a stack that is kept between runs keeps what they hold.
BUCKET = TABLE = f"embedded-durable-{uuid4().hex[:12]}"


@pytest.fixture(scope="module")
def s3(stack: Stack) -> "S3Client":
    client: S3Client = boto3.client("s3", **_address(stack))
    client.create_bucket(Bucket=BUCKET)
    return client


@pytest.fixture(scope="module")
def dynamodb(stack: Stack) -> "DynamoDBClient":
    client: DynamoDBClient = boto3.client("dynamodb", **_address(stack))
    client.create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return client


def _address(stack: Stack) -> dict[str, Any]:
    return {
        "region_name": "us-east-1",
        "endpoint_url": stack.description["stores"]["aws"],
        "aws_access_key_id": "anyport",
        "aws_secret_access_key": "anyport-local",
        "config": Config(connect_timeout=10, read_timeout=60, retries={"total_max_attempts": 1}),
    }


@pytest.mark.parametrize("how", ["killed", "stopped", "killed after a stop"])
def test_acknowledged_writes_survive(
    stack: Stack, s3: "S3Client", dynamodb: "DynamoDBClient", how: str
) -> None:
    name = how.replace(" ", "-")
    s3.put_object(
        Bucket=BUCKET,
        Key=f"{name}/ü.txt",
        Body=b"kept",
        ContentType="text/x-test",
        CacheControl="max-age=5",
        Metadata={"who": "me"},
    )
    s3.put_object(Bucket=BUCKET, Key=f"{name}/gone.txt", Body=b"gone")
    s3.delete_object(Bucket=BUCKET, Key=f"{name}/gone.txt")
    dynamodb.put_item(TableName=TABLE, Item={"id": {"S": name}, "n": {"N": "1"}})
    dynamodb.update_item(
        TableName=TABLE,
        Key={"id": {"S": name}},
        UpdateExpression="ADD n :one",
        ExpressionAttributeValues={":one": {"N": "1"}},
    )

    if how != "killed":
        stack.restart("aws")
    if how != "stopped":
        stack.wait_restarted("aws", None, stack.kill("aws"))

    found = s3.get_object(Bucket=BUCKET, Key=f"{name}/ü.txt")
    assert found["Body"].read() == b"kept"
    assert found["ContentType"] == "text/x-test"
    assert found["CacheControl"] == "max-age=5"
    assert found["Metadata"] == {"who": "me"}
    listed = s3.list_objects_v2(Bucket=BUCKET, Prefix=f"{name}/")["Contents"]
    assert [item["Key"] for item in listed] == [f"{name}/ü.txt"]
    item = dynamodb.get_item(TableName=TABLE, Key={"id": {"S": name}})["Item"]
    assert item == {"id": {"S": name}, "n": {"N": "2"}}


def test_write_after_a_cut_off_first_entry_survives(stack: Stack, s3: "S3Client") -> None:
    stack.restart("aws")  # an orderly stop leaves an empty journal
    journal = stack.state / "aws" / "journal.pickle"
    assert journal.stat().st_size == 0
    old = stack.kill("aws", sig=signal.SIGSTOP)
    # As after a kill in the middle of the first append.
    journal.write_bytes(pickle.dumps(({"REQUEST_METHOD": "PUT"}, b"x" * 100))[:60])
    os.kill(old, signal.SIGKILL)
    stack.wait_restarted("aws", None, old)

    s3.put_object(Bucket=BUCKET, Key="after-the-cut", Body=b"kept")
    stack.wait_restarted("aws", None, stack.kill("aws"))

    assert s3.get_object(Bucket=BUCKET, Key="after-the-cut")["Body"].read() == b"kept"


def test_upload_in_parts_survives(stack: Stack, s3: "S3Client") -> None:
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key="parts")["UploadId"]
    first = s3.upload_part(
        Bucket=BUCKET, Key="parts", UploadId=upload, PartNumber=1, Body=b"a" * (5 << 20)
    )
    last = s3.upload_part(Bucket=BUCKET, Key="parts", UploadId=upload, PartNumber=2, Body=b"b")
    s3.complete_multipart_upload(
        Bucket=BUCKET,
        Key="parts",
        UploadId=upload,
        MultipartUpload={
            "Parts": [
                {"PartNumber": 1, "ETag": first["ETag"]},
                {"PartNumber": 2, "ETag": last["ETag"]},
            ]
        },
    )

    stack.wait_restarted("aws", None, stack.kill("aws"))

    assert s3.get_object(Bucket=BUCKET, Key="parts")["Body"].read() == b"a" * (5 << 20) + b"b"


def test_simultaneous_conditional_puts_have_one_winner(dynamodb: "DynamoDBClient") -> None:
    def claim(number: int) -> bool:
        try:
            dynamodb.put_item(
                TableName=TABLE,
                Item={"id": {"S": f"slot-{number // 20}"}, "by": {"N": str(number)}},
                ConditionExpression="attribute_not_exists(id)",
            )
        except dynamodb.exceptions.ConditionalCheckFailedException:
            return False
        return True

    with ThreadPoolExecutor(20) as pool:
        won = list(pool.map(claim, range(100)))

    assert [sum(won[slot : slot + 20]) for slot in range(0, 100, 20)] == [1, 1, 1, 1, 1]


def test_a_partition_is_read_in_order_and_in_pages(dynamodb: "DynamoDBClient") -> None:
    """Other partitions lie around it, and numbers are no texts."""
    table = f"{TABLE}-parts"
    dynamodb.create_table(
        TableName=table,
        KeySchema=[
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "N"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    for pk in "bac":
        for sk in (10, 9, 1, 100):
            dynamodb.put_item(TableName=table, Item={"pk": {"S": pk}, "sk": {"N": str(sk)}})

    def query(pk: str, **how: Any) -> list[str]:
        pages = dynamodb.get_paginator("query").paginate(
            TableName=table,
            KeyConditionExpression="pk = :pk AND sk > :one",
            ExpressionAttributeValues={":pk": {"S": pk}, ":one": {"N": "1"}},
            PaginationConfig={"PageSize": 2},
            **how,
        )
        return [item["sk"]["N"] for page in pages for item in page["Items"]]

    scanned = dynamodb.get_paginator("scan").paginate(
        TableName=table, PaginationConfig={"PageSize": 5}
    )
    everything = [(i["pk"]["S"], i["sk"]["N"]) for page in scanned for i in page["Items"]]
    assert query("a") == ["9", "10", "100"]
    assert query("a", ScanIndexForward=False) == ["100", "10", "9"]
    assert query("nowhere") == []
    assert everything == [(pk, sk) for pk in "abc" for sk in ("1", "9", "10", "100")]


@pytest.mark.parametrize("quick", [True, False], ids=["guarded", "control"])
@pytest.mark.parametrize("wanted", ["050", "journal"])
def test_a_query_costs_no_more_where_many_others_have_sessions(
    monkeypatch: pytest.MonkeyPatch, wanted: str, quick: bool
) -> None:
    """Counted in keys that moto looks at, not in seconds."""
    for name in ("query", "all_items"):
        monkeypatch.setattr(Table, name, getattr(Table, name))  # put back afterwards
    if quick:
        aws.quicken()
    table = Table(  # type: ignore[abstract]  # moto makes them so, too
        "sessions",
        account_id="1",
        region="us-east-1",
        schema=[
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
        attr=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
    )
    for number in range(100):
        table.put_item({"pk": {"S": f"{number:03}"}, "sk": {"S": "session"}})
    looks: list[DynamoType] = []

    def look(key: DynamoType) -> Any:
        looks.append(key)
        return key.value

    monkeypatch.setattr(DynamoType, "cast_value", property(look))

    found, _, _ = table.query(DynamoType({"S": wanted}), None, [], 10, None, True, None)  # type: ignore[arg-type]  # moto means "or None"

    assert [item.hash_key.value for item in found] == ["050"][: wanted == "050"]
    assert (len(looks) < 20) is quick
