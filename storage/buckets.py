"""S3 buckets: their names, and making them."""

from typing import Final, Literal

from django.conf import settings

from regions.regions import Region, all_regions
from storage.clients import s3

type Purpose = Literal["uploads", "assets", "backups"]
PURPOSES: Final[tuple[Purpose, ...]] = ("uploads", "assets", "backups")


def bucket_name(purpose: Purpose, where: Region) -> str:
    """`anyport-assets-tokyo`."""
    return f"{settings.ANYPORT_NAMESPACE}-{purpose}-{where.name}"


def create_buckets() -> list[str]:
    """Create what is missing in every region. Returns the names created."""
    created = []
    for where in all_regions():
        client = s3(where, patient=True)
        existing = {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}
        for purpose in PURPOSES:
            name = bucket_name(purpose, where)
            if name in existing:
                continue
            if where.aws_region == "us-east-1":
                client.create_bucket(Bucket=name)
            else:
                client.create_bucket(
                    Bucket=name,
                    CreateBucketConfiguration={"LocationConstraint": where.aws_region},  # type: ignore[typeddict-item]  # newer regions than its stubs
                )
            created.append(name)
    return created
