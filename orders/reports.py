"""The daily sales report: one CSV a day in the `backups` bucket."""

import csv
import io
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Final

from django.db.models import Count, QuerySet, Sum

from orders.models import Order, OrderLine, OrderStatusChange
from regions.regions import this_region
from shop.money import EXPONENTS, Money
from storage.buckets import bucket_name
from storage.clients import s3

TOP: Final = 20
"""SKUs listed per currency."""
HEADER: Final = ("section", "currency", "key", "name", "orders", "units", "revenue")

type Row = tuple[str, str, str, str, int, int, str]


def write_sales_report(*, as_of: datetime) -> str:
    """Write the report of the last whole UTC day before `as_of`. Returns its key.

    The same day and `as_of` give the same bytes under the same key, so writing it again, after
    a crash or by hand, is harmless. Raises botocore's `BotoCoreError` or `ClientError`.
    """
    day = as_of.astimezone(UTC).date() - timedelta(days=1)
    key = f"reports/sales/{day:%Y-%m-%d}.csv"
    s3(this_region()).put_object(
        Bucket=bucket_name("backups", this_region()),
        Key=key,
        Body=render_csv(sales_rows(day=day, as_of=as_of)),
        ContentType="text/csv; charset=utf-8",
    )
    return key


def sales_rows(*, day: date, as_of: datetime) -> Iterator[Row]:
    """Totals, payment methods and best sellers of a day's orders, by currency.

    Orders that were cancelled or refunded by `as_of` do not count. Their history decides, not
    their status now, so that a report made late equals one made in time.
    """
    start = datetime.combine(day, time(), UTC)
    undone = OrderStatusChange.objects.filter(
        to_status__in=(Order.Status.CANCELLED, Order.Status.REFUNDED), at__lte=as_of
    )
    orders = Order.objects.filter(
        placed_at__gte=start, placed_at__lt=start + timedelta(days=1)
    ).exclude(pk__in=undone.values("order"))
    for currency in orders.order_by("currency").values_list("currency", flat=True).distinct():
        sold = orders.filter(currency=currency).order_by()
        yield _total("total", "all", sold)
        for method in sorted(set(sold.values_list("payment_method", flat=True))):
            yield _total("payment", method, sold.filter(payment_method=method))
        yield from _best_sellers(currency, sold)


def _total(section: str, key: str, orders: QuerySet[Order]) -> Row:
    currency = orders.values_list("currency", flat=True)[0]
    sums = orders.aggregate(count=Count("pk"), revenue=Sum("total_amount"))
    units = OrderLine.objects.filter(order__in=orders).aggregate(units=Sum("quantity"))["units"]
    revenue = Money(sums["revenue"], currency)
    return (section, currency, key, "", sums["count"], units or 0, plain(revenue))


def _best_sellers(currency: str, orders: QuerySet[Order]) -> Iterator[Row]:
    lines = (
        OrderLine.objects.filter(order__in=orders)
        .order_by()
        .values("sku")
        .annotate(
            orders=Count("order", distinct=True),
            units=Sum("quantity"),
            revenue=Sum("total_amount"),
        )
        .order_by("-revenue", "sku")[:TOP]
    )
    for line in lines:
        # A renamed product has sold under two names: the last one, the same whoever asks.
        named = OrderLine.objects.filter(order__in=orders, sku=line["sku"]).order_by("-pk")
        revenue = plain(Money(line["revenue"], currency))
        name = named.values_list("name", flat=True)[0]
        yield ("sku", currency, line["sku"], name, line["orders"], line["units"], revenue)


def plain(money: Money) -> str:
    """`1234.50`: a number that a spreadsheet reads, in the currency's own decimals."""
    return str(Decimal(money.amount).scaleb(-EXPONENTS[money.currency]))


def render_csv(rows: Iterable[Row]) -> bytes:
    """UTF-8 with a byte order mark, so that Excel reads names in Chinese and Japanese."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(HEADER)
    writer.writerows([_disarm(value) for value in row] for row in rows)
    return text.getvalue().encode("utf-8-sig")


def _disarm(value: str | int) -> str | int:
    """Keep a spreadsheet from running a product name that looks like a formula (OWASP)."""
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r", "\n")):
        return f"'{value}"
    return value
