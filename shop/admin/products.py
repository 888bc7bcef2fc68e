"""Products with their variants, prices and pictures on one page."""

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.core.files.storage import storages
from django.db.models import Count, F, IntegerField, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.forms import ModelChoiceField
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import BooleanRadioFilter, RelatedDropdownFilter
from unfold.decorators import display

from shop.admin.base import (
    LOW_STOCK,
    ModelAdmin,
    SaveChanged,
    SimpleListFilter,
    TabularInline,
    stock_label,
    thumbnail,
)
from shop.admin.forms import PRICE_FIELDS, ImageForm, VariantForm
from shop.models import Price, Product, ProductImage, StockItem, Variant
from shop.money import Money


class StockFilter(SimpleListFilter):
    title = _("stock")
    parameter_name = "stock"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("out", _("Sold out")), ("low", _("Running out")), ("in", _("In stock"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        match self.value():
            case "out":
                return queryset.filter(available__lte=0)
            case "low":
                return queryset.filter(available__range=(1, LOW_STOCK))
            case "in":
                return queryset.filter(available__gt=0)
        return queryset


class VariantInline(TabularInline[Variant, Product]):
    model = Variant
    form = VariantForm
    extra = 0
    show_change_link = False
    ordering = ("position", "pk")
    fields = ("sku", "options", *PRICE_FIELDS, "on_hand", "units", "position", "is_active")
    readonly_fields = ("units",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Variant]:
        return super().get_queryset(request).select_related("stock").prefetch_related("prices")

    @admin.display(description=_("available"))
    def units(self, variant: Variant) -> Any:
        stock = getattr(variant, "stock", None)
        if stock is None:
            return "–"
        url = reverse("admin:shop_stockitem_change", args=[stock.pk])
        return format_html(
            '<a class="ap-link" href="{}" title="{}">{}</a>',
            url,
            _("Change stock"),
            stock.balance,
        )


class ImageInline(TabularInline[ProductImage, Product]):
    model = ProductImage
    form = ImageForm
    extra = 0
    ordering = ("position", "pk")
    fields = ("preview", "file", "alt", "variant", "position", "pixels")
    readonly_fields = ("preview", "pixels")

    @admin.display(description=_("preview"))
    def preview(self, image: ProductImage) -> SafeString:
        return thumbnail(image.url if image.pk else None, image.alt, 64)

    @admin.display(description=_("size"))
    def pixels(self, image: ProductImage) -> str:
        return f"{image.width} × {image.height}" if image.pk else "–"

    def formfield_for_foreignkey(
        self, db_field: Any, request: HttpRequest, **kwargs: Any
    ) -> ModelChoiceField[Any] | None:
        if db_field.name == "variant":
            kwargs["queryset"] = Variant.objects.filter(product_id=_product_of(request))
        field: ModelChoiceField[Any] | None = super().formfield_for_foreignkey(
            db_field, request, **kwargs
        )
        if field and db_field.name == "variant":
            field.widget.can_add_related = field.widget.can_change_related = False
            field.widget.can_view_related = field.widget.can_delete_related = False
            # Every row of the inline would otherwise ask for the same few variants.
            field.choices = [("", _("All variants")), *((v.pk, str(v)) for v in kwargs["queryset"])]
        return field


def _product_of(request: HttpRequest) -> int:
    """The product whose page this is; 0 on the page that adds one."""
    match = request.resolver_match
    pk = str(match.kwargs.get("object_id")) if match else ""
    return int(pk) if pk.isdecimal() else 0


@admin.register(Product)
class ProductAdmin(SaveChanged, ModelAdmin[Product]):
    list_display = (
        "picture",
        "title",
        "category",
        "variant_count",
        "lowest_price",
        "available",
        "is_active",
    )
    list_display_links = ("picture", "title")
    list_editable = ("is_active",)
    list_filter = (
        ("category", RelatedDropdownFilter),
        ("is_active", BooleanRadioFilter),
        ("is_featured", BooleanRadioFilter),
        StockFilter,
    )
    list_select_related = ("category",)
    list_per_page = 50
    search_fields = ("name", "slug", "variants__sku")
    search_help_text = _("Search by name or SKU")
    autocomplete_fields = ("category",)
    prepopulated_fields = {"slug": ("name",)}
    readonly_fields = ("created_at", "updated_at")
    inlines = (VariantInline, ImageInline)
    fieldsets = (
        (None, {"fields": ("name", "slug", "category", "description")}),
        (_("Where it shows"), {"fields": ("is_active", "is_featured")}),
        (_("Record"), {"fields": ("created_at", "updated_at"), "classes": ("collapse",)}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Product]:
        """With what the list shows, so that a row costs no query of its own."""
        first = ProductImage.objects.filter(product=OuterRef("pk")).order_by("position", "pk")
        prices = Price.objects.filter(
            variant__product=OuterRef("pk"),
            variant__is_active=True,
            currency=settings.SHOP_DEFAULT_CURRENCY,
        )
        stock = (
            StockItem.objects.filter(variant__product=OuterRef("pk"), variant__is_active=True)
            .order_by()
            .values("variant__product")
        )
        variants = Variant.objects.filter(product=OuterRef("pk")).order_by().values("product")
        return (
            super()
            .get_queryset(request)
            .annotate(
                image_name=Subquery(first.values("file")[:1]),
                low=Subquery(prices.order_by("amount").values("amount")[:1]),
                high=Subquery(prices.order_by("-amount").values("amount")[:1]),
                available=Coalesce(
                    Subquery(stock.values(units=Sum(F("on_hand") - F("allocated")))),
                    0,
                    output_field=IntegerField(),
                ),
                variant_total=Coalesce(Subquery(variants.values(total=Count("pk"))), 0),
            )
        )

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        for row in formset.forms:
            if isinstance(row, VariantForm):
                row.staff = request.user  # type: ignore[assignment]  # who is here is signed in
        super().save_formset(request, form, formset, change)

    @admin.display(description="")
    def picture(self, product: Any) -> SafeString:
        name = product.image_name
        return thumbnail(storages["assets"].url(name) if name else None, "")

    @admin.display(description=_("name"), ordering="name")
    def title(self, product: Product) -> str:
        return product.name

    @admin.display(description=_("variants"), ordering="variant_total")
    def variant_count(self, product: Any) -> int:
        return int(product.variant_total)

    @admin.display(description=_("price"), ordering="low")
    def lowest_price(self, product: Any) -> Any:
        if product.low is None:
            return format_html('<span class="ap-quiet">{}</span>', _("no price"))
        low, high = (Money(n, settings.SHOP_DEFAULT_CURRENCY) for n in (product.low, product.high))
        text = str(low) if low == high else f"{low} – {high}"
        return format_html('<span class="ap-money">{}</span>', text)

    @display(  # type: ignore[untyped-decorator]  # Unfold has no types
        description=_("stock"),
        ordering="available",
        label={"out": "danger", "low": "warning", "in": "default"},
    )
    def available(self, product: Any) -> tuple[str, str]:
        return stock_label(product.available)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Product], search_term: str
    ) -> tuple[QuerySet[Product], bool]:
        """By name or SKU, through a subquery: a join would repeat rows."""
        term = search_term.replace("\x00", "").strip()
        if not term:
            return queryset, False
        matches = Variant.objects.filter(sku__icontains=term).values("product")
        return queryset.filter(
            Q(name__icontains=term) | Q(slug__icontains=term) | Q(pk__in=matches)
        ), False
