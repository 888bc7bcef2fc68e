"""Files in real S3 buckets."""

import hashlib

import httpx
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from django.core.files.base import ContentFile
from django.core.files.storage import storages

from regions.regions import all_regions, this_region
from storage.buckets import bucket_name
from storage.clients import s3

BODY = b"<svg xmlns='http://www.w3.org/2000/svg'/>"
DIGEST = hashlib.sha256(BODY).hexdigest()


def test_asset_is_named_by_its_content_and_lies_in_every_region() -> None:
    key = storages["assets"].save("anything.SVG", ContentFile(BODY))

    assert key == f"sha256/{DIGEST[:2]}/{DIGEST[2:4]}/{DIGEST}.svg"
    for region in all_regions():
        stored = s3(region).get_object(Bucket=bucket_name("assets", region), Key=key)
        assert stored["Body"].read() == BODY
        assert stored["ContentType"] == "image/svg+xml"
        assert "immutable" in stored["CacheControl"]


def test_saving_an_asset_again_writes_nothing() -> None:
    first = storages["assets"].save("a.svg", ContentFile(BODY))
    region = this_region()
    before = s3(region).head_object(Bucket=bucket_name("assets", region), Key=first)

    again = storages["assets"].save("b.svg", ContentFile(BODY))

    after = s3(region).head_object(Bucket=bucket_name("assets", region), Key=again)
    assert again == first
    assert after["LastModified"] == before["LastModified"]


@pytest.mark.parametrize(("refusals", "saved"), [(1, True), (2, False)])
def test_saving_while_another_region_saves_the_same_is_tried_once_more(
    refusals: int, saved: bool
) -> None:
    here = this_region()
    with Stubber(s3(here)) as stubber:
        for _ in range(refusals):
            stubber.add_client_error(
                "put_object", "ConditionalRequestConflict", http_status_code=409
            )
        if saved:
            stubber.add_client_error("put_object", "PreconditionFailed", http_status_code=412)

        if saved:
            storages["assets"].save("a.svg", ContentFile(BODY))
        else:
            with pytest.raises(ClientError, match="ConditionalRequestConflict"):
                storages["assets"].save("a.svg", ContentFile(BODY))

        stubber.assert_no_pending_responses()


def test_asset_url_is_public_and_unsigned() -> None:
    assert storages["assets"].url("sha256/x.svg") == "/assets/sha256/x.svg"


@pytest.mark.parametrize("purpose", ["default", "backups"])
def test_private_files_are_reached_by_a_signed_url_of_one_hour(purpose: str) -> None:
    storage = storages[purpose]
    name = storage.save("reports/a.txt", ContentFile(b"secret"))

    url = storage.url(name)

    assert "X-Amz-Expires=3600" in url
    assert "X-Amz-Signature=" in url
    assert httpx.get(url, timeout=60).content == b"secret"
    storage.delete(name)


def test_a_private_file_never_overwrites_another() -> None:
    storage = storages["default"]

    first = storage.save("same.txt", ContentFile(b"1"))
    second = storage.save("same.txt", ContentFile(b"2"))

    assert first != second
    with storage.open(first) as file:
        assert file.read() == b"1"
    storage.delete(first)
    storage.delete(second)
