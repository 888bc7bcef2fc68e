"""Unfold's classes, typed, and what several admins share."""

from typing import TYPE_CHECKING, Any, Final

from django.contrib import admin
from django.contrib.auth import get_permission_codename
from django.db.models import Model
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

VIEWING: Final = ("view", "change")
LOW_STOCK: Final = 5
"""Units available from which on a variant counts as running out."""

if TYPE_CHECKING:

    class ModelAdmin[M: Model](admin.ModelAdmin[M]):
        """Unfold ships no types; its admins behave like Django's."""

    class TabularInline[M: Model, P: Model](admin.TabularInline[M, P]):
        pass

    class SimpleListFilter(admin.SimpleListFilter):
        pass

else:
    from unfold import admin as unfold_admin
    from unfold.contrib.filters.admin import RadioFilter as SimpleListFilter

    class ModelAdmin(unfold_admin.ModelAdmin):
        list_filter_submit = True
        list_fullwidth = True
        empty_value_display = "–"
        show_facets = admin.ShowFacets.NEVER  # a count of every row for each choice

        def __class_getitem__(cls, model):
            return cls

    class TabularInline(unfold_admin.TabularInline):
        show_title = False  # the first column says it

        def __class_getitem__(cls, models):
            return cls


class SaveChanged:
    """Mix in first: an edit writes the columns that it changed and leaves the others alone.

    Django's admin writes every column back as it was when the form was loaded, and with them
    whatever somebody else changed meanwhile.
    """

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if not change:
            obj.save()
            return
        columns = {field.name for field in obj._meta.concrete_fields}
        changed = columns.intersection(form.changed_data)
        if changed:
            obj.save(update_fields=changed | columns.intersection({"updated_at"}))


class ReadOnly:
    """Mix in first: rows may be looked at by those who may view them, and nothing else."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class PartOf(ReadOnly):
    """Mix in first: rows that may be seen by whoever may see the row they belong to."""

    parent_model: Any

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        names = (get_permission_codename(verb, self.parent_model._meta) for verb in VIEWING)
        app = self.parent_model._meta.app_label
        return any(request.user.has_perm(f"{app}.{name}") for name in names)


def stock_label(available: int) -> tuple[str, str]:
    """Unfold's label: its colour's key and its text. Below zero, orders wait for that many."""
    if available < 0:
        return "out", str(_("%(units)d awaited") % {"units": -available})
    if available == 0:
        return "out", str(_("Sold out"))
    return ("low" if available <= LOW_STOCK else "in"), str(available)


def thumbnail(url: str | None, alt: str, size: int = 48) -> SafeString:
    """A picture of `size` px square, or an empty square where there is none."""
    if not url:
        return format_html('<span class="{}" aria-hidden="true"></span>', "ap-thumb ap-thumb-none")
    return format_html(
        '<img class="ap-thumb" src="{}" alt="{}" width="{}" height="{}" loading="lazy">',
        url,
        alt,
        size,
        size,
    )


__all__ = [
    "LOW_STOCK",
    "ModelAdmin",
    "PartOf",
    "ReadOnly",
    "SaveChanged",
    "SimpleListFilter",
    "TabularInline",
    "stock_label",
    "thumbnail",
]
