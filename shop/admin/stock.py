"""Stock: units on hand, edited in the list or one by one, beside orders that move them."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display
from unfold.widgets import UnfoldAdminIntegerFieldWidget

from shop.admin.base import LOW_STOCK, ModelAdmin, SaveChanged, SimpleListFilter, stock_label
from shop.models import StockItem


class StockForm(forms.ModelForm[StockItem]):
    """Units on hand. What was typed counts as a difference to what the page showed.

    Somebody sees 10, types 15, and meanwhile an order of 2 left the building: 13 are on hand.
    A page that showed 10 and was not touched changes nothing, however long it stood open. The
    row must be locked by the caller before it is loaded.
    """

    on_hand = forms.IntegerField(
        label=_("on hand"),
        min_value=0,
        max_value=2**31 - 1,
        show_hidden_initial=True,
        widget=UnfoldAdminIntegerFieldWidget(attrs={"class": "ap-units"}),
        help_text=_("Units in the building, those that belong to orders among them."),
    )

    class Meta:
        model = StockItem
        fields = ("on_hand",)

    def clean_on_hand(self) -> int:
        typed: int = self.cleaned_data["on_hand"]
        if "on_hand" not in self.changed_data:
            return self.instance.on_hand
        units = self.instance.on_hand + typed - self._shown()
        if units < self.instance.allocated:
            raise ValidationError(
                _("%(allocated)d units belong to orders: no fewer can be on hand."),
                params={"allocated": self.instance.allocated},
            )
        if units >= 2**31:
            raise ValidationError(_("That is more than the stock room can count."))
        return units

    def _shown(self) -> int:
        name = self.add_initial_prefix("on_hand")
        try:
            return int(self.data.get(name, ""))
        except ValueError:
            return self.instance.on_hand


class AvailableFilter(SimpleListFilter):
    title = _("available")
    parameter_name = "available"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("out", _("Sold out")), ("short", _("Short, on sale")), ("ok", _("Enough"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        match self.value():
            case "out":
                return queryset.filter(units__lte=0)
            case "short":  # as the front page counts it
                return queryset.filter(
                    units__lte=LOW_STOCK,
                    variant__is_active=True,
                    variant__product__is_active=True,
                )
            case "ok":
                return queryset.filter(units__gt=LOW_STOCK)
        return queryset


@admin.register(StockItem)
class StockItemAdmin(SaveChanged, ModelAdmin[StockItem]):
    form = StockForm
    list_display = ("sku", "product", "options", "on_hand", "allocated", "available")
    list_editable = ("on_hand",)
    list_display_links = ("sku",)
    list_filter = (AvailableFilter,)
    list_per_page = 50
    list_select_related = ("variant__product",)
    ordering = ("variant__product__name", "variant__position", "pk")
    search_fields = ("variant__sku", "variant__product__name")
    search_help_text = _("Search by SKU or product")
    fields = ("sku", "product", "options", "on_hand", "allocated", "available")
    readonly_fields = ("sku", "product", "options", "allocated", "available")
    actions = None

    def get_queryset(self, request: HttpRequest) -> QuerySet[StockItem]:
        return super().get_queryset(request).annotate(units=F("on_hand") - F("allocated"))

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> StockItem | None:
        if request.method == "POST" and object_id.isdecimal():
            _lock([int(object_id)])
        return super().get_object(request, object_id, from_field)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if request.method != "POST":
            return super().changelist_view(request, extra_context)
        with transaction.atomic():
            _lock(_changed_rows(request))
            return super().changelist_view(request, extra_context)

    def get_changelist_form(self, request: HttpRequest, **kwargs: Any) -> Any:
        return super().get_changelist_form(request, form=StockForm, **kwargs)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description=_("SKU"), ordering="variant__sku")
    def sku(self, item: StockItem) -> str:
        return item.variant.sku

    @admin.display(description=_("product"), ordering="variant__product__name")
    def product(self, item: StockItem) -> SafeString:
        product = item.variant.product
        url = reverse("admin:shop_product_change", args=[product.pk])
        return format_html('<a class="ap-link" href="{}">{}</a>', url, product.name)

    @admin.display(description=_("options"))
    def options(self, item: StockItem) -> str:
        return item.variant.title or "–"

    @display(  # type: ignore[untyped-decorator]
        description=_("available"),
        ordering="units",
        label={"out": "danger", "low": "warning", "in": "default"},
    )
    def available(self, item: StockItem) -> tuple[str, str]:
        return stock_label(item.available)


def _changed_rows(request: HttpRequest) -> list[int]:
    """Primary keys of the rows whose number of units was changed in the posted list."""
    changed = []
    for name, value in request.POST.items():
        prefix, _dash, field = name.rpartition("-")
        if field != "on_hand" or name.startswith("initial-"):
            continue
        pk = request.POST.get(f"{prefix}-id", "")
        if value != request.POST.get(f"initial-{name}") and pk.isdecimal():
            changed.append(int(pk))
    return changed


def _lock(pks: list[int]) -> None:
    """In the order in which orders lock them, so that no two wait for each other."""
    rows = StockItem.objects.filter(pk__in=pks).order_by("variant_id").select_for_update()
    list(rows.values_list("pk"))
