"""Idempotency records, to look at: which request was answered, and until when it is remembered."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from orders.models import IdempotencyRecord
from shop.admin.base import ModelAdmin, ReadOnly


@admin.register(IdempotencyRecord)
class IdempotencyRecordAdmin(ReadOnly, ModelAdmin[IdempotencyRecord]):
    list_display = ("key", "owner", "status", "created_at", "expires_at")
    ordering = ("-created_at", "-pk")
    search_fields = ("owner", "key")
    show_full_result_count = False
    fields = readonly_fields = (
        "key",
        "owner",
        "fingerprint",
        "status",
        "answer_size",
        "created_at",
        "expires_at",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[IdempotencyRecord]:
        """The answers hold addresses and may be long: a list has no use for them."""
        return super().get_queryset(request).defer("body")

    @admin.display(description=_("answer"))
    def answer_size(self, record: IdempotencyRecord) -> str:
        return _("%(size)d bytes") % {"size": len(record.body)} if record.body else "–"
