"""Operators' checks of Redis, S3 and DynamoDB, and of all clocks."""

from storage.checks import clocks, dynamodb, redis, s3

__all__ = ["clocks", "dynamodb", "redis", "s3"]
