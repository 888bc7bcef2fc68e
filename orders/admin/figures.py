"""Orders and takings by day and currency."""

from dataclasses import dataclass
from datetime import date, timedelta
from functools import reduce
from operator import add
from typing import Any, Final

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from orders.admin.filters import midnight
from orders.models import Order
from orders.reports import Takings, daily_takings

SPANS: Final = (14, 30)
"""Days that the page shows."""
WIDTH: Final = 100
"""Of the longest bar."""


@dataclass(frozen=True)
class Cell:
    """`bar` is the net amount's share of the currency's best day, in percent."""

    takings: Takings
    url: str
    bar: int


@dataclass(frozen=True)
class Day:
    day: date
    url: str
    cells: list[Cell | None]
    """One for each currency; None where nothing was ordered."""


def figures_context(request: HttpRequest) -> dict[str, Any]:
    span = 30 if request.GET.get("days") == "30" else SPANS[0]
    today = timezone.localdate()
    days = [today - timedelta(days=past) for past in range(span)]
    takings = daily_takings(since=midnight(days[-1]))
    currencies = sorted({currency for _day, currency in takings})
    return {
        "title": _("Daily figures"),
        "opts": Order._meta,
        "span": span,
        "spans": SPANS,
        "currencies": currencies,
        "days": [_day(day, currencies, takings) for day in days],
        "totals": [
            reduce(add, (sums for (_day, of), sums in takings.items() if of == currency))
            for currency in currencies
        ],
    }


def _day(day: date, currencies: list[str], takings: dict[tuple[date, str], Takings]) -> Day:
    best = {
        currency: max(sums.net.amount for (_day, of), sums in takings.items() if of == currency)
        for currency in currencies
    }
    cells = [
        Cell(sums, _list_url(day, currency), WIDTH * sums.net.amount // (best[currency] or 1))
        if (sums := takings.get((day, currency)))
        else None
        for currency in currencies
    ]
    return Day(day, _list_url(day), cells)


def _list_url(day: date, currency: str = "") -> str:
    """The list of that day's orders."""
    query = {"placed_at_from": day.isoformat(), "placed_at_to": day.isoformat()}
    if currency:
        query["currency__exact"] = currency
    return f"{reverse('admin:orders_order_changelist')}?{urlencode(query)}"
