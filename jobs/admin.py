"""Job runs, to look at: what took effect, where, and what failed."""

from typing import TYPE_CHECKING, Final

from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesCheckboxFilter
from unfold.decorators import display

from jobs.models import JobRun

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[JobRun]
else:
    from unfold.admin import ModelAdmin

RUN_COLOURS: Final = {
    JobRun.Status.RUNNING: "info",
    JobRun.Status.DONE: "success",
    JobRun.Status.FAILED: "danger",
}


@admin.register(JobRun)
class JobRunAdmin(ModelAdmin):
    list_display = ("job", "slot", "state", "attempt", "region", "started_at", "finished_at")
    list_filter = (("status", ChoicesCheckboxFilter),)
    list_filter_submit = True
    list_fullwidth = True
    search_fields = ("job", "region")
    ordering = ("-slot", "job")
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER

    def has_add_permission(self, request: object) -> bool:
        return False

    def has_change_permission(self, request: object, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: object, obj: object = None) -> bool:
        return False

    @display(description=_("status"), ordering="status", label=RUN_COLOURS)  # type: ignore[untyped-decorator]  # Unfold has no types
    def state(self, run: JobRun) -> tuple[str, str]:
        return run.status, str(JobRun.Status(run.status).label)
