"""What stands below an order: lines, and the history of its status."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from orders.models import Order, OrderLine, OrderStatusChange
from shop.admin.base import PartOf, TabularInline


class LineInline(PartOf, TabularInline[OrderLine, Order]):
    model = OrderLine
    extra = 0
    verbose_name_plural = _("what was bought")
    fields = readonly_fields = (
        "sku",
        "name",
        "option_text",
        "quantity",
        "shipped_quantity",
        "returned_quantity",
        "price",
        "total",
    )

    @admin.display(description=_("options"))
    def option_text(self, line: OrderLine) -> str:
        return line.option_text or "–"

    @admin.display(description=_("price"))
    def price(self, line: OrderLine) -> SafeString:
        return money(line.price)

    @admin.display(description=_("total"))
    def total(self, line: OrderLine) -> SafeString:
        return money(line.total)


class HistoryInline(PartOf, TabularInline[OrderStatusChange, Order]):
    model = OrderStatusChange
    extra = 0
    fields = readonly_fields = ("at", "from_status", "to_status", "actor", "note")

    def get_queryset(self, request: HttpRequest) -> QuerySet[OrderStatusChange]:
        return super().get_queryset(request).select_related("actor")


def money(amount: object) -> SafeString:
    return format_html('<span class="ap-money">{}</span>', amount)
