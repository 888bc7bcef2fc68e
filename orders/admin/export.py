"""Orders as CSV: as many as there are, in little memory, safe to open in a spreadsheet."""

import csv
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Final

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django.utils import timezone

from orders.models import Order
from orders.reports import disarm, plain

CHUNK: Final = 500
"""Orders in memory at a time."""
HEADER: Final = (
    "number",
    "placed_utc",
    "status",
    "payment_method",
    "delivery_method",
    "region",
    "email",
    "name",
    "line1",
    "line2",
    "city",
    "postcode",
    "country",
    "currency",
    "subtotal",
    "delivery",
    "total",
    "refunded",
    "units",
    "lines",
)
BOM: Final = "\ufeff"
"""So that Excel reads names in Chinese and Japanese."""


class _Echo:
    """The csv module writes into it, and gets the text back."""

    def write(self, text: str) -> str:
        return text


def csv_response(orders: QuerySet[Order]) -> StreamingHttpResponse:
    """A download of all these orders, oldest first; written while it is read."""
    response = StreamingHttpResponse(csv_lines(orders), content_type="text/csv; charset=utf-8")
    name = f"orders-{timezone.localtime():%Y%m%d-%H%M}.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "private, no-store"
    return response


def csv_lines(orders: QuerySet[Order]) -> Iterator[bytes]:
    writer = csv.writer(_Echo())
    yield (BOM + writer.writerow(HEADER)).encode()
    for chunk in _chunks(orders):
        rows = (map(disarm, _row(order)) for order in chunk)
        yield "".join(writer.writerow(row) for row in rows).encode()


def _chunks(orders: QuerySet[Order]) -> Iterator[Iterable[Order]]:
    """By primary key, each a query of its own: no cursor that a slow reader keeps open."""
    orders = orders.order_by("pk").prefetch_related("lines")
    last = 0
    while chunk := list(orders.filter(pk__gt=last)[:CHUNK]):
        yield chunk
        last = chunk[-1].pk


def _row(order: Order) -> tuple[str | int, ...]:
    lines = list(order.lines.all())
    return (
        order.number,
        _utc(order.placed_at),
        order.status,
        order.payment_method,
        order.delivery_method,
        order.region,
        order.email,
        order.name,
        order.line1,
        order.line2,
        order.city,
        order.postcode,
        order.country,
        order.currency,
        plain(order.subtotal),
        plain(order.delivery),
        plain(order.total),
        plain(order.refunded),
        sum(line.quantity for line in lines),
        "; ".join(f"{line.quantity} × {line.sku}" for line in lines),
    )


def _utc(when: datetime) -> str:
    """`2026-11-23 04:15:00`: what spreadsheets take for a date."""
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
