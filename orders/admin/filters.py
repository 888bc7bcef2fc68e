"""What of the orders waits for somebody, and the filters of the order list."""

from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Final

from django.contrib import admin
from django.db.models import F, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.translation import gettext_lazy as _

from orders.models import Order, Payment
from shop.admin.base import SimpleListFilter

if TYPE_CHECKING:

    class RangeDateFilter(admin.FieldListFilter):
        parameter_name: str
else:
    from unfold.contrib.filters.admin import RangeDateFilter

TO_FULFIL: Final = Q(status__in=(Order.Status.PAID, Order.Status.PARTLY_FULFILLED)) | Q(
    status=Order.Status.PENDING, payment_method=Order.Payment.CASH
)
"""Orders of which a parcel may leave: paid, or to be paid at the door."""
OWED_BACK: Final = Q(
    status__in=(Order.Status.CANCELLED, Order.Status.REFUNDED),
    payments__state=Payment.State.CAPTURED,
    payments__refunded_amount__lt=F("payments__amount"),
)
"""Orders that are gone and whose money is not: its refund failed. None is found twice, as an order
has one payment of which money was taken."""
SOON: Final = timedelta(days=2)


def expiring_soon() -> Q:
    """Unpaid orders that give their stock back within two days."""
    return Q(status=Order.Status.PENDING, expires_at__lt=timezone.now() + SOON)


def midnight(day: date) -> datetime:
    """The first moment of a day in the shop's time zone."""
    return timezone.make_aware(datetime.combine(day, time.min))


class NeedsFilter(SimpleListFilter):
    """The work that waits; the first two as the front page counts them."""

    title = _("what it needs")
    parameter_name = "needs"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("fulfilment", _("Fulfilment")),
            ("payment", _("Payment, soon")),
            ("refund", _("Money back")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        match self.value():
            case "fulfilment":
                return queryset.filter(TO_FULFIL)
            case "payment":
                return queryset.filter(expiring_soon())
            case "refund":
                return queryset.filter(OWED_BACK)
        return queryset


class PlacedFilter(RangeDateFilter):
    """From a day to a day, both whole. Unfold's own ends at the last day's midnight."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        first = self._day("_from")
        last = self._day("_to")
        if first:
            queryset = queryset.filter(placed_at__gte=midnight(first))
        if last:
            queryset = queryset.filter(placed_at__lt=midnight(last + timedelta(days=1)))
        return queryset

    def _day(self, end: str) -> date | None:
        """Of the calendar's first and last days there is no day before or after: None."""
        value = self.used_parameters.get(f"{self.parameter_name}{end}") or ""
        try:
            day = parse_date(str(value))
        except ValueError:
            return None
        return day if day and date.min.year < day.year < date.max.year else None
