"""Stock: units on hand and their history, changed with a reason beside orders that move them."""

from typing import Any, Final
from uuid import UUID, uuid4

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db import connection
from django.db.models import F, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import BooleanRadioFilter
from unfold.decorators import display
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from shop.admin.base import LOW_STOCK, ModelAdmin, SimpleListFilter, stock_label
from shop.admin.movements import SHOWN, latest_movements, mover_label, order_link, reason_label
from shop.admin.movements import signed as signed_units
from shop.models import StockItem, StockMovement
from shop.outcomes import Ending, counted
from shop.services.stock import Cause, Kind, Mover, adjust_stock, receive_stock

SPENT: Final = _(
    "This form was sent before with something else, which was done. Nothing was changed now. Open "
    "the page anew, look at what is there, and try again."
)
KEYLESS: Final = _(
    "This form came without its key, by which a second click is known. Nothing was changed. Open "
    "the page anew and try again."
)
KINDS: Final = [(kind.value, kind.label) for kind in (Kind.ADJUSTED, Kind.RECEIVED)]


def hold_key(key: UUID) -> None:
    """Until the transaction ends nobody else has it. There is no row yet that could be locked."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"stock {key}"])


class StockForm(forms.ModelForm[StockItem]):
    """Units on hand. What was typed counts as a difference to what the page showed.

    Somebody sees 10, types 15, and meanwhile an order of 2 left the building: 13 are on hand.
    A page that showed 10 and was not touched changes nothing, however long it stood open. The
    row must be locked by the caller before it is loaded; the form's `key` is that of the movement,
    so that a second click finds the first one's. It is looked for before anything else is checked:
    what happened need not be possible once more.
    """

    on_hand = forms.IntegerField(
        label=_("On hand"),
        min_value=0,
        max_value=2**31 - 1,
        show_hidden_initial=True,
        widget=UnfoldAdminIntegerFieldWidget(attrs={"class": "ap-units"}),
        help_text=_("Units in the building, those that belong to orders among them."),
    )
    kind = forms.ChoiceField(
        label=_("What happened"),
        choices=KINDS,
        required=False,
        widget=UnfoldAdminSelectWidget(choices=KINDS),
        help_text=_("Received: goods have come. Adjusted: a count, a loss or a find."),
    )
    reason = forms.CharField(
        label=_("Why"),
        max_length=200,
        required=False,
        widget=UnfoldAdminTextInputWidget(),
        help_text=_(
            "Whoever reads the history will want to know: a delivery note, a count, a break."
        ),
    )
    key = forms.UUIDField(initial=uuid4, required=False, widget=forms.HiddenInput())

    class Meta:
        model = StockItem
        fields = ("on_hand", "back_order")

    @cached_property
    def changed_data(self) -> list[str]:
        """What the admin's log tells: reason and kind are in the ledger."""
        return [name for name in super().changed_data if name in ("on_hand", "back_order")]

    @cached_property
    def former(self) -> StockMovement | None:
        """What this form moved before.

        A first click at this moment is waited for: it holds the item's row or, if somebody sends
        the same key for another item, the key.
        """
        key = self.cleaned_data["key"]
        hold_key(key)
        return StockMovement.objects.filter(key=key).first()

    @property
    def change(self) -> int:
        """Units more or fewer than the page showed."""
        if "on_hand" not in self.changed_data:
            return 0
        typed: int = self.cleaned_data["on_hand"]
        return typed - self._shown()

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        key = data.get("key")
        if key is None or key.version != 4:
            self.add_error(None, KEYLESS)
            return data
        if self.former:
            if not self._asks_for(self.former):
                with counted(Ending("reused"), key):
                    self.add_error(None, SPENT)
            return data
        if "on_hand" in data and self.change:
            self._check_change(data)
        owed = self.instance.allocated - self.instance.on_hand
        if "on_hand" in data and not data.get("back_order") and owed - self.change > 0:
            self._refuse_to_owe(owed)
        return data

    def _asks_for(self, movement: StockMovement) -> bool:
        """Whether it is the same form again, of which nothing is left to do.

        The ledger knows no back-order. Where that is not (any more) as the form says, somebody
        typed something else, or switched it since: either way it is to be looked at.
        """
        data = self.cleaned_data
        asked = (self.instance.pk, self.change, self.moves_as, data.get("reason"))
        done = (movement.stock_item_id, movement.on_hand_change, movement.kind, movement.reason)
        return asked == done and data.get("back_order") == self.instance.back_order

    @property
    def moves_as(self) -> Kind:
        is_received = self.cleaned_data.get("kind") == Kind.RECEIVED
        return Kind.RECEIVED if is_received else Kind.ADJUSTED

    def _check_change(self, data: dict[str, Any]) -> None:
        units = self.instance.on_hand + self.change
        if units < 0:
            self.add_error("on_hand", _("Fewer are on hand by now than you take away."))
        elif units >= 2**31:
            self.add_error("on_hand", _("That is more than the stock room can count."))
        if data.get("kind") == Kind.RECEIVED and self.change < 0:
            self.add_error(
                "kind", _("What is received adds units. Choose “Adjusted” to take some away.")
            )
        if not data.get("reason"):
            self.add_error("reason", _("Please say why: it stays in the history."))

    def _refuse_to_owe(self, owed: int) -> None:
        if owed > 0:
            text = _("Orders wait for %(owed)d units: back-order can end when those have come.")
            self.add_error("back_order", ValidationError(text, params={"owed": owed}))
        else:
            text = _("%(allocated)d units belong to orders: no fewer can be on hand.")
            params = {"allocated": self.instance.allocated}
            self.add_error("on_hand", ValidationError(text, params=params))

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
class StockItemAdmin(ModelAdmin[StockItem]):
    form = StockForm
    list_display = ("sku", "product", "options", "on_hand", "allocated", "available", "back_order")
    list_display_links = ("sku",)
    list_filter = (AvailableFilter, ("back_order", BooleanRadioFilter))
    list_per_page = 50
    list_select_related = ("variant__product",)
    ordering = ("variant__product__name", "variant__position", "pk")
    search_fields = ("variant__sku", "variant__product__name")
    search_help_text = _("Search by SKU or product")
    readonly_fields = ("sku", "product", "options", "allocated", "left")
    actions = None

    def get_queryset(self, request: HttpRequest) -> QuerySet[StockItem]:
        return super().get_queryset(request).annotate(units=F("on_hand") - F("allocated"))

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        may_change = self.has_change_permission(request, obj)
        asked = ("kind", "reason", "key") if may_change else ()
        return [
            (None, {"fields": ("sku", "product", "options", "allocated", "left")}),
            (_("Change"), {"fields": ("on_hand", *asked, "back_order")}),
        ]

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> StockItem | None:
        """Locked while it is changed: what the form checks is what the movement finds."""
        if request.method == "POST" and object_id.isdecimal():
            locked = StockItem.objects.select_for_update().filter(pk=object_id)
            list(locked.values_list("pk"))
        return super().get_object(request, object_id, from_field)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        key = form.cleaned_data["key"]
        with counted(Ending(), key) as ending:
            if form.former:
                ending.outcome = "replayed"
                obj.was_there = True
            else:
                self._save(request, obj, form, key)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """A second click is no change."""
        return None if _was_there(obj) else super().log_change(request, obj, message)

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        """As after any change, but a second click is not told that it changed something."""
        if not _was_there(obj):
            return super().response_change(request, obj)
        messages.info(request, _("This form was sent before: nothing was changed again."))
        return self.response_post_save_change(request, obj)

    def _save(self, request: HttpRequest, obj: StockItem, form: Any, key: Any) -> None:
        if "back_order" in form.changed_data and obj.back_order:
            obj.save(update_fields=["back_order"])
        if form.change:
            cause = Cause(
                Mover.STAFF,
                request.user,  # type: ignore[arg-type]  # whoever is here is signed in
                reason=form.cleaned_data["reason"],
                key=key,
            )
            move = receive_stock if form.moves_as == Kind.RECEIVED else adjust_stock
            move({obj.variant_id: form.change}, cause)
        if "back_order" in form.changed_data and not obj.back_order:  # now that the units are here
            obj.save(update_fields=["back_order"])

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        item = kwargs.get("obj")
        if item is not None:
            url = reverse("admin:shop_stockmovement_changelist")
            context |= {
                "movements": [_told(movement) for movement in latest_movements(item)],
                "all_movements": f"{url}?stock_item={item.pk}" if item.sequence > SHOWN else "",
            }
        return super().render_change_form(request, context, *args, **kwargs)

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

    @display(  # type: ignore[untyped-decorator]  # Unfold has no types
        description=_("available"),
        ordering="units",
        label={"out": "danger", "low": "warning", "in": "default"},
    )
    def available(self, item: StockItem) -> tuple[str, str]:
        return stock_label(item.balance)

    @admin.display(description=_("available"))
    def left(self, item: StockItem) -> str:
        """On the item's own page, which knows no coloured labels."""
        return stock_label(item.balance)[1]


def _was_there(item: Any) -> bool:
    """Whether the form that made this object was sent before. No column."""
    return getattr(item, "was_there", False)


def _told(movement: StockMovement) -> dict[str, Any]:
    """A row of the history as the page shows it."""
    return {
        "at": movement.created_at,
        "kind": movement.get_kind_display(),
        "on_hand": signed_units(movement.on_hand_change),
        "allocated": signed_units(movement.allocated_change),
        "on_hand_after": movement.on_hand_after,
        "allocated_after": movement.allocated_after,
        "who": mover_label(movement),
        "why": reason_label(movement),
        "order": order_link(movement),
    }
