"""File storages: public content-addressed `assets`, private `uploads` and `backups`."""

import hashlib
import logging
import mimetypes
from http import HTTPStatus
from pathlib import PurePosixPath
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.core.files.base import File
from storages.backends.s3 import S3Storage

from regions.regions import Region, local_first, this_region
from storage.buckets import Purpose, bucket_name
from storage.clients import boto_config, s3

logger = logging.getLogger(__name__)


class RegionalStorage(S3Storage):  # type: ignore[misc]  # its base is untyped
    """A private bucket of this region. URLs are pre-signed for one hour.

    django-storages overwrites files of the same name by default; here a second file gets a
    name of its own.
    """

    purpose: Purpose

    def get_default_settings(self) -> dict[str, Any]:
        here = this_region()
        defaults: dict[str, Any] = super().get_default_settings()
        return defaults | {
            "bucket_name": bucket_name(self.purpose, here),
            "region_name": here.aws_region,
            "endpoint_url": settings.S3_ENDPOINT_URL,
            "client_config": boto_config(
                signature_version="s3v4",
                s3={"addressing_style": "path" if settings.S3_ENDPOINT_URL else "auto"},
            ),
            "file_overwrite": False,
            "querystring_expire": 3600,
        }


class UploadsStorage(RegionalStorage):
    purpose = "uploads"


class BackupsStorage(RegionalStorage):
    purpose = "backups"


class AssetsStorage(RegionalStorage):
    """Public, immutable files named by their content, so that a URL never changes its bytes.

    `save` returns `sha256/ab/cd/<hash>.<ext>`. Saving the same bytes again is free and safe from
    any region at once: the object is written only where it is missing.
    """

    purpose = "assets"

    def save(self, name: str | None, content: File[bytes], max_length: int | None = None) -> str:
        suffix = PurePosixPath(name or "").suffix.lower()
        content.seek(0)
        body = content.read()
        key = asset_key(body, suffix)
        # Nothing replicates between buckets here yet, so every region gets its copy now. This
        # region's copy must succeed; the others are best effort.
        here, *others = local_first()
        _put_once(here, key, body)
        for other in others:
            try:
                _put_once(other, key, body)
            except (BotoCoreError, ClientError):
                logger.warning("asset %s not copied to %s", key, other.name, exc_info=True)
        return key

    def url(
        self,
        name: str,
        parameters: Any = None,
        expire: int | None = None,
        http_method: str | None = None,
    ) -> str:
        return f"{settings.ASSETS_URL}{name}"


def asset_key(body: bytes, suffix: str) -> str:
    """`sha256/ab/cd/<hash>.svg`: where `assets` keeps these bytes."""
    digest = hashlib.sha256(body).hexdigest()
    return f"sha256/{digest[:2]}/{digest[2:4]}/{digest}{suffix}"


def _put_once(where: Region, key: str, body: bytes) -> None:
    for is_last in (False, True):
        try:
            s3(where).put_object(
                Bucket=bucket_name("assets", where),
                Key=key,
                Body=body,
                ContentType=mimetypes.guess_type(key)[0] or "application/octet-stream",
                CacheControl="public, max-age=31536000, immutable",
                IfNoneMatch="*",
            )
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            if status == HTTPStatus.PRECONDITION_FAILED:  # already there
                return
            if status != HTTPStatus.CONFLICT or is_last:  # somebody saves it at this moment
                raise
        else:
            return
