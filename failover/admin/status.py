"""The page of the regions: what `failover status` shows, with a chart, refreshed by itself."""

from collections.abc import Mapping
from typing import Any, Final

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from failover.admin.chart import draw
from failover.models import Status
from failover.overview import Overview, take, words
from failover.overview.facts import facts
from failover.overview.model import RegionView, Sample
from regions.routing import outlives_writer
from shop.admin.base import ModelAdmin, ReadOnly

EVERY: Final = 5
"""Seconds between two refreshes."""
_SINCE: Final = "since"
"""In the query: the samples that the page was made of, so that no server has to remember them."""


@admin.register(Status)
class StatusAdmin(ReadOnly, ModelAdmin[Status]):
    """There are no rows: the list of them is the page."""

    def get_urls(self) -> list[URLPattern]:
        view = outlives_writer(self.admin_site.admin_view(self.changelist_view))
        return [path("", view, name="failover_status_changelist")]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        context = _context(take(_samples(request.GET.get(_SINCE, ""))))
        if request.headers.get("HX-Request"):
            return render(request, "admin/failover/status.html#regions", context)
        page = {"title": _("Regions"), "opts": self.opts}
        whole = self.admin_site.each_context(request) | page | context
        return render(request, "admin/failover/status.html", whole)


def _context(overview: Overview) -> dict[str, Any]:
    query = urlencode({_SINCE: _written(overview.samples)})
    return {
        "overview": overview,
        "verdict": words.verdict(overview),
        "facts": facts(overview),
        "regions": [_shown(one) for one in overview.regions],
        "leases": [(lease, words.lease_state(lease)) for lease in overview.control.leases],
        "chart": draw(overview),
        "every": EVERY,
        "again": f"{reverse('admin:failover_status_changelist')}?{query}",
    }


def _shown(one: RegionView) -> dict[str, Any]:
    return {
        "view": one,
        "state": words.region_state(one),
        "database": words.database_state(one.database),
        "database_behind": words.behind(one.database.lag_bytes if one.database else None),
        "redis": words.redis_state(one.redis),
        "redis_behind": words.behind(one.redis.lag_bytes if one.redis else None),
    }


def _written(samples: Mapping[str, Sample]) -> str:
    """`taiwan~1764451.123~1764400.1~312~0,tokyo~…`"""
    return ",".join(
        f"{name}~{one.at:.3f}~{one.born:.3f}~{one.answered}~{one.errors}"
        for name, one in samples.items()
    )


def _samples(text: str) -> dict[str, Sample]:
    """What `_written` wrote; whatever else somebody sends counts as nothing."""
    found = {}
    for each in text.split(","):
        try:
            name, at, born, answered, errors = each.split("~")
            found[name] = Sample(float(at), float(born), int(answered), int(errors))
        except ValueError:
            continue
    return found
