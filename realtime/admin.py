"""Events, to look at: what audiences were told, in order."""

from typing import TYPE_CHECKING

from django.contrib import admin

from realtime.models import Event

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Event]
else:
    from unfold.admin import ModelAdmin


@admin.register(Event)
class EventAdmin(ModelAdmin):
    list_display = ("audience", "sequence", "kind", "created_at")
    list_fullwidth = True
    search_fields = ("audience", "kind")
    ordering = ("-pk",)
    show_full_result_count = False

    def has_add_permission(self, request: object) -> bool:
        return False

    def has_change_permission(self, request: object, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: object, obj: object = None) -> bool:
        return False
