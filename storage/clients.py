"""Every boto3 client: lazy, one a process and AWS region, with explicit time-outs."""

from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from django.conf import settings

from regions.regions import Region, region

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client


def boto_config(**extra: Any) -> Config:
    return Config(
        retries={"total_max_attempts": 2, "mode": "standard"},
        connect_timeout=settings.AWS_CONNECT_TIMEOUT,
        read_timeout=settings.AWS_READ_TIMEOUT,
        **extra,
    )


@cache
def s3(where: Region) -> "S3Client":
    """S3 in the given region. Calls raise botocore's `BotoCoreError` or `ClientError`."""
    # A session of its own: boto3's default session is not safe to create clients from in threads.
    return boto3.session.Session().client(
        "s3",
        region_name=where.aws_region,
        endpoint_url=settings.S3_ENDPOINT_URL,
        config=boto_config(s3={"addressing_style": "path" if settings.S3_ENDPOINT_URL else "auto"}),
    )


@cache
def dynamodb() -> "DynamoDBClient":
    """DynamoDB in the coordination region: leases and slots must have one truth.

    Global tables resolve writes of two regions by the last one, so a conditional write could
    succeed in both.
    """
    return boto3.session.Session().client(
        "dynamodb",
        region_name=region(settings.COORDINATION_REGION).aws_region,
        endpoint_url=settings.DYNAMODB_ENDPOINT_URL,
        config=boto_config(),
    )
