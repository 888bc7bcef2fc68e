"""The admin's front page: is everything all right, and what needs me?"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import Count, F, Q, Sum
from django.http import HttpRequest
from django.utils import timezone
from django.utils.timesince import timesince, timeuntil
from django.utils.translation import gettext as _

from jobs.models import JobRun
from orders.admin.filters import TO_FULFIL, expiring_soon, midnight
from orders.admin.labels import STATUS_COLOURS
from orders.models import Order
from orders.reports import SOLD
from shop.admin.base import LOW_STOCK
from shop.models import StockItem
from shop.money import Money

SHOWN: Final = 6
"""Rows of each list; the link above it leads to the rest."""


@dataclass(frozen=True)
class Takings:
    today: Money
    week: Money


@dataclass(frozen=True)
class Row:
    """An order of a short list; `time` since it was placed, or until it expires."""

    order: Order
    time: str


@dataclass(frozen=True)
class StatusCount:
    status: str
    label: str
    colour: str
    today: int


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """What this person may see, in nine queries however many rows there are."""
    user = request.user
    if user.has_perm("orders.view_order"):
        context |= _orders_today()
    if user.has_perm("shop.view_stockitem"):
        context |= _low_stock()
    if user.has_perm("jobs.view_jobrun"):
        context |= _jobs()
    return context | {"now": timezone.now()}


def _orders_today() -> dict[str, Any]:
    today = midnight(timezone.localdate())
    counts: dict[str, int] = dict(
        Order.objects.filter(placed_at__gte=today)
        .order_by()
        .values_list("status")
        .annotate(count=Count("pk"))
    )
    waiting = Order.objects.filter(TO_FULFIL).order_by("placed_at")
    unpaid = Order.objects.filter(expiring_soon()).order_by("expires_at")
    return {
        "orders_today": sum(counts.values()),
        "statuses": [
            StatusCount(
                value, str(label), STATUS_COLOURS[Order.Status(value)], counts.get(value, 0)
            )
            for value, label in Order.Status.choices
        ],
        "takings": _takings(today),
        "to_fulfil": [_since(order) for order in waiting[:SHOWN]],
        "to_fulfil_count": waiting.count(),
        "unpaid": [_until(order) for order in unpaid[:SHOWN]],
        "unpaid_count": unpaid.count(),
        "newest": [_since(order) for order in Order.objects.all()[:SHOWN]],
    }


def _since(order: Order) -> Row:
    ago = _("%(time)s ago") % {"time": timesince(order.placed_at, depth=1)}
    return Row(order, ago)


def _until(order: Order) -> Row:
    """An order past its time is cancelled within five minutes."""
    left = order.expires_at
    if left is None or left <= timezone.now():
        return Row(order, _("time is up"))
    return Row(order, _("%(time)s left") % {"time": timeuntil(left, depth=1)})


def _takings(today: datetime) -> list[Takings]:
    """Today's and the last seven days', net of refunds; the currencies are not added up."""
    net = F("total_amount") - F("refunded_amount")
    rows = (
        Order.objects.filter(placed_at__gte=today - timedelta(days=6), status__in=SOLD)
        .order_by("currency")
        .values("currency")
        .annotate(week=Sum(net), today=Sum(net, filter=Q(placed_at__gte=today), default=0))
    )
    return [
        Takings(Money(int(row["today"]), row["currency"]), Money(int(row["week"]), row["currency"]))
        for row in rows
    ]


def _low_stock() -> dict[str, Any]:
    low = (
        StockItem.objects.filter(variant__is_active=True, variant__product__is_active=True)
        .annotate(units=F("on_hand") - F("allocated"))
        .filter(units__lte=LOW_STOCK)
    )
    return {
        "low_stock": low.select_related("variant__product").order_by("units", "pk")[:SHOWN],
        "low_stock_count": low.count(),
    }


def _jobs() -> dict[str, Any]:
    """The latest run of each job, and how many failed in a day."""
    since = timezone.now() - timedelta(days=1)
    latest = JobRun.objects.order_by("job", "-slot").distinct("job")
    return {
        "runs": latest,
        "failures": JobRun.objects.filter(
            status=JobRun.Status.FAILED, started_at__gte=since
        ).count(),
    }
