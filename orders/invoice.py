"""The invoice of an order: written once, kept in `uploads`, reached by a pre-signed URL."""

import logging
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from orders.errors import WrongStatus
from orders.models import Order
from regions.regions import Region, all_regions, local_first
from storage.buckets import bucket_name
from storage.clients import s3

logger = logging.getLogger(__name__)

URL_LASTS: Final = 60 * 60
"""Seconds."""
REGIONS_ASKED: Final = 2
"""Each that is away costs its time-outs, and the shopper waits for their sum."""
MISSING: Final = ("404", "NoSuchKey", "NotFound")
ALREADY_THERE: Final = ("412", "PreconditionFailed")


def invoice_url(order: Order) -> str:
    """Where whoever holds the address gets the PDF, for an hour. The caller checks permission.

    The first one written is the invoice: what changes in the order later does not change it.
    Raises WrongStatus for a cancelled order, of which nothing is owed: one that was written before
    stays in the bucket, and nobody is sent there. Raises botocore's `BotoCoreError` or
    `ClientError` when neither home's nor another region's S3 can be asked.
    """
    if order.status == Order.Status.CANCELLED:
        raise WrongStatus(order.number, order.status, "invoiced")
    key = f"invoices/{order.number}.pdf"
    regions = _home_first(order)[:REGIONS_ASKED]
    for where in regions:
        try:
            if not _exists(where, key):
                _write_once(where, key, order)
            return _presigned(where, key, f"{order.number}.pdf")
        except (BotoCoreError, ClientError):
            if where == regions[-1]:
                raise
            logger.warning("invoice %s: %s cannot be asked", order, where.name, exc_info=True)
    raise RuntimeError("there are no regions")


def _home_first(order: Order) -> list[Region]:
    """Every region asks the bucket where the order was placed, so that there is one first write.

    While it is away the next one serves. What it writes is the same: `orders.pdf` gives the
    same bytes for the same order.
    """
    home = [where for where in all_regions() if where.name == order.region]
    return home + [where for where in local_first() if where not in home]


def _exists(where: Region, key: str) -> bool:
    try:
        s3(where).head_object(Bucket=bucket_name("uploads", where), Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] in MISSING:
            return False
        raise
    return True


def _write_once(where: Region, key: str, order: Order) -> None:
    # Half a second and 30 MB, which only the processes that draw should pay.
    from orders.pdf import draw_invoice  # noqa: PLC0415  # loaded only where it is needed

    try:
        s3(where).put_object(
            Bucket=bucket_name("uploads", where),
            Key=key,
            Body=draw_invoice(order),
            ContentType="application/pdf",
            IfNoneMatch="*",
        )
    except ClientError as error:
        if error.response["Error"]["Code"] not in ALREADY_THERE:
            raise


def _presigned(where: Region, key: str, name: str) -> str:
    return s3(where).generate_presigned_url(
        "get_object",
        Params={
            "Bucket": bucket_name("uploads", where),
            "Key": key,
            "ResponseContentDisposition": f'inline; filename="{name}"',
        },
        ExpiresIn=URL_LASTS,
    )
