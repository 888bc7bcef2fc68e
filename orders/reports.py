"""The daily sales report: one CSV a day in the `backups` bucket."""

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Final

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce, TruncDate

from orders.models import Order, OrderLine, OrderStatusChange, Refund
from orders.services.status import SENT
from regions.regions import this_region
from shop.money import EXPONENTS, Money
from storage.buckets import bucket_name
from storage.clients import s3

TOP: Final = 20
"""SKUs listed per currency."""
HEADER: Final = ("section", "currency", "key", "name", "orders", "units", "revenue", "refunded")
SOLD: Final = (Order.Status.PAID, *SENT)
"""Statuses that count as revenue."""
FORMULA: Final = tuple("=+-@\t\r\n＝＋－＠")
"""How a formula begins, in Japanese and Chinese spreadsheets in full width too."""

type Row = tuple[str, str, str, str, int, int, str, str]
"""As in HEADER. `refunded` is a part of `revenue`; it is not known by SKU."""


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

    Orders that were cancelled or refunded by `as_of` do not count; of the others, what was sent
    back by then is named. Their history decides, not their status now, so that a report made late
    equals one made in time.
    """
    start = datetime.combine(day, time(), UTC)
    latest = OrderStatusChange.objects.filter(order=OuterRef("pk"), at__lte=as_of).order_by("-pk")
    placed = Order.objects.filter(placed_at__gte=start, placed_at__lt=start + timedelta(days=1))
    stood = Coalesce(Subquery(latest.values("to_status")[:1]), Value(""))
    orders = placed.annotate(stood=stood).exclude(
        stood__in=(Order.Status.CANCELLED, Order.Status.REFUNDED)
    )
    for currency in orders.order_by("currency").values_list("currency", flat=True).distinct():
        sold = orders.filter(currency=currency).order_by()
        yield _total("total", "all", sold, as_of)
        for method in sorted(set(sold.values_list("payment_method", flat=True))):
            yield _total("payment", method, sold.filter(payment_method=method), as_of)
        yield from _best_sellers(currency, sold)


def _total(section: str, key: str, orders: QuerySet[Order], as_of: datetime) -> Row:
    currency = orders.values_list("currency", flat=True)[0]
    sums = orders.aggregate(count=Count("pk"), revenue=Sum("total_amount"))
    units = OrderLine.objects.filter(order__in=orders).aggregate(units=Sum("quantity"))["units"]
    done = Refund.objects.filter(
        payment__order__in=orders, state=Refund.State.DONE, updated_at__lte=as_of
    )
    back = Money(done.aggregate(back=Sum("amount", default=0))["back"], currency)
    revenue = plain(Money(sums["revenue"], currency))
    return (section, currency, key, "", sums["count"], units or 0, revenue, plain(back))


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
        yield ("sku", currency, line["sku"], name, line["orders"], line["units"], revenue, "")


def plain(money: Money) -> str:
    """`1234.50`: a number that a spreadsheet reads, in the currency's own decimals."""
    return str(Decimal(money.amount).scaleb(-EXPONENTS[money.currency]))


def render_csv(rows: Iterable[Row]) -> bytes:
    """UTF-8 with a byte order mark, so that Excel reads names in Chinese and Japanese."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(HEADER)
    writer.writerows([disarm(value) for value in row] for row in rows)
    return text.getvalue().encode("utf-8-sig")


def disarm(value: str | int) -> str | int:
    """Keep a spreadsheet from running text that looks like a formula (OWASP): `'=1+1`."""
    if isinstance(value, str) and value.startswith(FORMULA):
        return f"'{value}"
    return value


@dataclass(frozen=True)
class Takings:
    """Of one day's orders in one currency, by the day they were placed."""

    orders: int
    """Cancelled ones do not count."""
    sold: Money
    back: Money
    """What of it was sent back, or is on its way back."""

    @property
    def net(self) -> Money:
        return Money(self.sold.amount - self.back.amount, self.sold.currency)

    def __add__(self, other: "Takings") -> "Takings":
        return Takings(self.orders + other.orders, self.sold + other.sold, self.back + other.back)


def daily_takings(*, since: datetime) -> dict[tuple[date, str], Takings]:
    """By day (of the shop's time zone) and currency. Days without orders are left out.

    Sold is what was paid for, or left for cash at the door.
    """
    paid = Q(status__in=(*SOLD, Order.Status.REFUNDED))
    whole = Q(status=Order.Status.REFUNDED)
    rows = (
        Order.objects.filter(placed_at__gte=since)
        .exclude(status=Order.Status.CANCELLED)
        .annotate(day=TruncDate("placed_at"))
        .order_by()
        .values("day", "currency")
        .annotate(
            count=Count("pk"),
            sold=Sum("total_amount", filter=paid, default=0),
            part=Sum("refunded_amount", filter=paid & ~whole, default=0),
            # Those of before payments were written down say nothing of the amount.
            all=Sum("total_amount", filter=whole, default=0),
        )
    )
    return {
        (row["day"], row["currency"]): Takings(
            row["count"],
            Money(int(row["sold"]), row["currency"]),
            Money(int(row["part"] + row["all"]), row["currency"]),
        )
        for row in rows
    }
