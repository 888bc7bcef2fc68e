"""Categories, listed as the tree that they are."""

from collections import defaultdict
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Case, Count, IntegerField, QuerySet, Value, When
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from shop.admin.base import ModelAdmin, SaveChanged
from shop.models import Category


class CategoryForm(forms.ModelForm[Category]):
    class Meta:
        model = Category
        fields = ("parent", "name", "slug", "description", "position")

    def clean_parent(self) -> Category | None:
        """A category cannot hang below itself, however far down."""
        parent: Category | None = self.cleaned_data["parent"]
        above = parent
        while above is not None:
            if above.pk == self.instance.pk:
                raise ValidationError(_("That category is part of this one."))
            above = above.parent
        return parent


@admin.register(Category)
class CategoryAdmin(SaveChanged, ModelAdmin[Category]):
    form = CategoryForm
    list_display = ("tree_name", "slug", "position", "product_count")
    list_editable = ("position",)
    list_per_page = 500
    search_fields = ("name", "slug")
    prepopulated_fields = {"slug": ("name",)}
    autocomplete_fields = ("parent",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Category]:
        return super().get_queryset(request).annotate(product_total=Count("products"))

    def get_ordering(self, request: HttpRequest) -> Any:
        """Depth first. Categories are few, so one small query for their places is cheap."""
        places = _tree_places()
        if not places:
            return ("position", "name")
        return (
            Case(
                *(When(pk=pk, then=Value(place)) for pk, (place, _depth) in places.items()),
                output_field=IntegerField(),
            ).asc(),
        )

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        changelist = super().get_changelist_instance(request)
        places = _tree_places()
        for category in changelist.result_list:
            category.depth = places.get(category.pk, (0, 0))[1]
        return changelist

    @admin.display(description=_("name"))
    def tree_name(self, category: Any) -> SafeString:
        return format_html(
            '<span class="ap-tree ap-tree-{}">{}</span>', min(category.depth, 4), category.name
        )

    @admin.display(description=_("products"), ordering="product_total")
    def product_count(self, category: Any) -> int:
        return int(category.product_total)


def _tree_places() -> dict[int, tuple[int, int]]:
    """Place and depth of each category, parents before their children."""
    children: dict[int | None, list[int]] = defaultdict(list)
    rows = Category.objects.order_by("position", "name").values_list("pk", "parent_id")
    for pk, parent in rows:
        children[parent].append(pk)
    places: dict[int, tuple[int, int]] = {}

    def walk(parent: int | None, depth: int) -> None:
        for pk in children[parent]:
            places[pk] = (len(places), depth)
            walk(pk, depth + 1)

    walk(None, 0)
    return places
