"""Drills that were held, and their reports, for those who may see them."""

from typing import Any, Final

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from failover.models import DrillRun
from regions.regions import region
from shop.admin.base import ModelAdmin, ReadOnly
from storage.buckets import bucket_name
from storage.clients import s3

LINK_SECONDS: Final = 3600
COLOURS: Final = {
    DrillRun.State.PASSED: "success",
    DrillRun.State.MISSED: "danger",
    DrillRun.State.BROKEN: "warning",
    DrillRun.State.NOT_RUN: "info",
}


@admin.register(DrillRun)
class DrillRunAdmin(ReadOnly, ModelAdmin[DrillRun]):
    list_display = ("scenario", "how", "started_at", "away", "misses", "open_report")
    list_filter = ("scenario", "state")
    ordering = ("-started_at", "-pk")
    show_full_result_count = False
    fields = readonly_fields = (
        "scenario",
        "how",
        "started_at",
        "seconds",
        "away",
        "misses",
        "open_report",
    )

    @display(description=_("state"), ordering="state", label=COLOURS)  # type: ignore[untyped-decorator]  # Unfold has no types
    def how(self, run: DrillRun) -> tuple[str, str]:
        return run.state, str(DrillRun.State(run.state).label)

    @admin.display(description=_("unavailable (reading, writing, sessions)"))
    def away(self, run: DrillRun) -> str:
        front = run.summary["unavailable_seconds"].get("front", {})
        return ", ".join(f"{seconds:.2f} s" for seconds in front.values())

    @admin.display(description=_("missed"))
    def misses(self, run: DrillRun) -> str:
        return "; ".join(run.summary["misses"])

    @admin.display(description=_("report"))
    def open_report(self, run: DrillRun) -> SafeString:
        url = reverse("admin:failover_drillrun_report", args=[run.pk])
        return format_html('<a href="{}">{}</a>', url, _("Open"))

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.report_view)
        own = path("<str:pk>/report/", view, name="failover_drillrun_report")
        return [own, *super().get_urls()]

    def report_view(self, request: HttpRequest, pk: str) -> HttpResponseRedirect:
        """To a signed address of an hour, made anew for whoever may see the drill now."""
        run = get_object_or_404(DrillRun, pk=pk)
        if not self.has_view_permission(request, run):
            raise PermissionDenied
        where = region(run.region)
        named: dict[str, Any] = {"Bucket": bucket_name("backups", where), "Key": run.report}
        return HttpResponseRedirect(
            s3(where).generate_presigned_url("get_object", Params=named, ExpiresIn=LINK_SECONDS)
        )
