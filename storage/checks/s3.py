"""S3: each region's bucket is written and read, here and by the other regions' processes."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Final
from uuid import uuid4

from botocore.exceptions import ClientError
from django.conf import settings

from regions import direct
from regions.checkup import (
    Answer,
    Check,
    Degraded,
    Finding,
    Probe,
    State,
    conclusion,
    findings_of,
    patience,
    probes,
)
from regions.regions import Region, all_regions, this_region
from storage.buckets import bucket_name
from storage.clients import s3

_HEALTH: Final = "See the AWS status page."

BUCKET: Final = Check(
    "s3.round-trip",
    "what is put into each region's bucket is read from it",
    impact="Pictures and files come from the other regions; reports made there wait.",
    advice=_HEALTH,
    worst=State.DEGRADED,
    rank=3,
    after=("s3.anywhere",),
)
ANYWHERE: Final = Check(
    "s3.anywhere",
    "the bucket of at least one region is written and read",
    impact="New pictures, invoices and reports cannot be stored or read; ordering goes on.",
    advice=_HEALTH,
    rank=2,
    deep=False,
)
ELSEWHERE: Final = Check(
    "s3.elsewhere",
    "what is put here is read by each region's own process",
    impact="Files made here are missing on pages that the other region serves.",
    advice="Do that region's credentials and endpoint reach this bucket?",
    worst=State.DEGRADED,
    rank=4,
    after=("s3.anywhere", "s3.round-trip", "region.ready"),
    deep=False,
)


@probes
def buckets() -> Iterator[Probe]:
    endpoint = f" --endpoint-url {settings.S3_ENDPOINT_URL}" if settings.S3_ENDPOINT_URL else ""
    here = this_region()
    for where in all_regions():
        s3(where)  # made here: botocore reads its models for a while, which is not S3's fault
        yield Probe(
            BUCKET,
            bucket_name("backups", where),
            partial(_round_trip, where),
            where.name,
            advice=f"aws s3api head-bucket --bucket {bucket_name('backups', where)}"
            f" --region {where.aws_region}{endpoint}",
            deep=where == here,
        )
    for region, address in settings.ANYPORT_REGION_URLS.items():
        where_to = f"{here.name} to {region}"
        yield Probe(ELSEWHERE, where_to, partial(_read_there, address, here), region)


@contextmanager
def _object(where: Region) -> Iterator[str]:
    """Its name. Raises what the client raises."""
    client, bucket, name = s3(where), bucket_name("backups", where), str(uuid4())
    client.put_object(Bucket=bucket, Key=f"checks/{name}", Body=name.encode())
    try:
        yield name
    finally:
        client.delete_object(Bucket=bucket, Key=f"checks/{name}")


def is_readable(where: Region, name: str) -> bool:
    """Whether the object that a check put there is what it was. Raises what the client raises."""
    client, bucket = s3(where), bucket_name("backups", where)
    try:
        body = client.get_object(Bucket=bucket, Key=f"checks/{name}")["Body"].read()
    except ClientError as error:
        if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
            return False
        raise
    return body == name.encode()


def _round_trip(where: Region) -> Answer:
    with _object(where) as name:
        if not is_readable(where, name):
            raise Degraded("reads something else than was written")
    return Answer("written, read and deleted")


def _read_there(address: str, here: Region) -> Answer:
    with _object(here) as name:
        path = f"/health/deep/object/{here.name}/{name}"
        reply = direct.get(address, path, timeout=patience(0.75))
    if reply.status != 200:
        raise Degraded(f"HTTP {reply.status} there")
    document: dict[str, Any] = json.loads(reply.body)
    if not document["found"]:
        raise Degraded(document.get("problem") or "is not found there")
    return Answer("put here, read there")


@conclusion(ANYWHERE, needs=[BUCKET])
def anywhere(findings: Sequence[Finding]) -> Iterator[Finding]:
    asked = findings_of(BUCKET, findings)
    good = [finding.region for finding in asked if finding.state is State.OK]
    if good:
        yield ANYWHERE.ok("all regions", f"{len(good)} of {len(asked)} buckets")
    elif asked:
        yield ANYWHERE.problem("all regions", "no region's bucket is written and read")
