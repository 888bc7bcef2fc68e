"""Carts, to look at: what shoppers are about to buy."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet, Sum
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from shop.admin.base import ModelAdmin, PartOf, ReadOnly, TabularInline
from shop.models import Cart, CartLine


class CartLineInline(PartOf, TabularInline[CartLine, Cart]):
    model = CartLine
    extra = 0
    fields = readonly_fields = ("sku", "name", "quantity", "added_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[CartLine]:
        return super().get_queryset(request).select_related("variant__product")

    @admin.display(description=_("SKU"))
    def sku(self, line: CartLine) -> str:
        return line.variant.sku

    @admin.display(description=_("name"))
    def name(self, line: CartLine) -> str:
        return ", ".join(filter(None, (line.variant.product.name, line.variant.title)))


@admin.register(Cart)
class CartAdmin(ReadOnly, ModelAdmin[Cart]):
    list_display = ("id", "who", "line_total", "unit_total", "updated_at")
    list_select_related = ("customer",)
    ordering = ("-updated_at",)
    search_fields = ("customer__email", "lines__variant__sku")
    search_help_text = _("Search by e-mail or SKU")
    fields = ("id", "customer", "version", "created_at", "updated_at")
    inlines = (CartLineInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Cart]:
        return (
            super()
            .get_queryset(request)
            .annotate(
                line_total=Count("lines", distinct=True),
                unit_total=Sum("lines__quantity", default=0),
            )
        )

    @admin.display(description=_("shopper"), ordering="customer__email")
    def who(self, cart: Cart) -> str:
        return cart.customer.email if cart.customer else str(_("Guest"))

    @admin.display(description=_("lines"), ordering="line_total")
    def line_total(self, cart: Any) -> int:
        return int(cart.line_total)

    @admin.display(description=_("units"), ordering="unit_total")
    def unit_total(self, cart: Any) -> int:
        return int(cart.unit_total)
