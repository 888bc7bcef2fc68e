"""The ledger of stock: a list to look through, and the last rows for an item's page."""

from typing import Final

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as in_readers_language
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop
from unfold.contrib.filters.admin import ChoicesCheckboxFilter

from shop.admin.base import ModelAdmin, ReadOnly
from shop.models import StockItem, StockMovement

SHOWN: Final = 20
"""Movements on a stock item's own page."""
MIGRATED: Final = (gettext_noop("opening balance"), gettext_noop("former release"))
"""Reasons that migration 0002 writes."""


def latest_movements(item: StockItem) -> QuerySet[StockMovement]:
    rows = item.movements.select_related("actor").order_by("-sequence")
    return rows[:SHOWN]


def signed(units: int) -> str:
    """`+5`, `−2`, and nothing for a column that did not move."""
    return f"{units:+d}".replace("-", "−") if units else ""


def mover_label(movement: StockMovement) -> str:
    return movement.actor.email if movement.actor else movement.get_mover_display()


@admin.register(StockMovement)
class StockMovementAdmin(ReadOnly, ModelAdmin[StockMovement]):
    list_display = (
        "created_at",
        "sku",
        "kind",
        "on_hand_units",
        "allocated_units",
        "after",
        "who",
        "why",
        "order_link",
    )
    list_display_links = ("created_at",)
    list_filter = (("kind", ChoicesCheckboxFilter), ("mover", ChoicesCheckboxFilter))
    list_per_page = 50
    list_select_related = ("stock_item__variant", "actor")
    show_full_result_count = False
    ordering = ("-pk",)
    search_fields = ("=stock_item__variant__sku", "=order_number")
    search_help_text = _("Search by SKU or order number")
    fields = readonly_fields = (
        "created_at",
        "sku",
        "sequence",
        "kind",
        "on_hand_units",
        "allocated_units",
        "after",
        "who",
        "why",
        "order_link",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[StockMovement]:
        return super().get_queryset(request).select_related("stock_item__variant", "actor")

    @admin.display(description=_("SKU"))
    def sku(self, movement: StockMovement) -> SafeString:
        url = reverse("admin:shop_stockitem_change", args=[movement.stock_item_id])
        sku = movement.stock_item.variant.sku
        return format_html('<a class="ap-link" href="{}">{}</a>', url, sku)

    @admin.display(description=_("on hand"))
    def on_hand_units(self, movement: StockMovement) -> str:
        return signed(movement.on_hand_change)

    @admin.display(description=_("allocated"))
    def allocated_units(self, movement: StockMovement) -> str:
        return signed(movement.allocated_change)

    @admin.display(description=_("afterwards"))
    def after(self, movement: StockMovement) -> str:
        return f"{movement.on_hand_after} / {movement.allocated_after}"

    @admin.display(description=_("by"))
    def who(self, movement: StockMovement) -> str:
        return mover_label(movement)

    @admin.display(description=_("reason"))
    def why(self, movement: StockMovement) -> str:
        return reason_label(movement)

    @admin.display(description=_("order"))
    def order_link(self, movement: StockMovement) -> str | SafeString:
        return order_link(movement)


def reason_label(movement: StockMovement) -> str:
    """What staff wrote, as they wrote it; what the shop wrote, in the reader's language."""
    return in_readers_language(movement.reason) if movement.reason else ""


def order_link(movement: StockMovement) -> str | SafeString:
    """To the list of orders, searched: the shop does not know orders, an admin need not."""
    if not movement.order_number:
        return ""
    try:
        url = reverse("admin:orders_order_changelist")
    except NoReverseMatch:
        return movement.order_number
    query = f"{url}?q={movement.order_number}"
    return format_html('<a class="ap-link" href="{}">{}</a>', query, movement.order_number)
