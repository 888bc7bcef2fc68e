"""The order list and the order page."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesCheckboxFilter
from unfold.decorators import display

from orders.admin.filters import NeedsFilter, PlacedFilter
from orders.admin.labels import STATUS_COLOURS, status_label
from orders.admin.steps import MOST_AT_ONCE, STEPS, Step, may_take, steps_of, take_step, tell
from orders.models import Order, OrderLine, OrderStatusChange
from shop.admin.base import ModelAdmin, PartOf, SaveChanged, TabularInline

ADDRESS = ("email", "name", "line1", "line2", "city", "postcode", "country")


class LineInline(PartOf, TabularInline[OrderLine, Order]):
    model = OrderLine
    extra = 0
    verbose_name_plural = _("what was bought")
    fields = readonly_fields = ("sku", "name", "option_text", "quantity", "price", "total")

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


@admin.register(Order)
class OrderAdmin(SaveChanged, ModelAdmin[Order]):
    list_display = (
        "number_text",
        "state",
        "placed",
        "who",
        "total_money",
        "payment_method",
        "region_title",
    )
    list_display_links = ("number_text",)
    list_filter = (
        NeedsFilter,
        ("status", ChoicesCheckboxFilter),
        ("placed_at", PlacedFilter),
        ("payment_method", ChoicesCheckboxFilter),
        ("currency", ChoicesCheckboxFilter),
    )
    list_per_page = 50
    list_select_related = ("customer",)
    show_full_result_count = False
    # No date hierarchy: it asks for every distinct day of every order each time.
    ordering = ("-placed_at", "-pk")
    search_fields = ("number", "email", "name", "lines__sku")
    search_help_text = _("Search by number, e-mail, name or SKU")
    actions = ("mark_paid", "fulfil", "cancel", "refund")
    inlines = (LineInline, HistoryInline)
    fieldsets = (
        (_("Where it goes"), {"fields": ADDRESS}),
        (
            _("What it costs"),
            {"fields": ("subtotal_money", "delivery_money", "total_money", "currency")},
        ),
        (
            _("How it came"),
            {
                "fields": (
                    "customer_link",
                    "payment_method",
                    "delivery_method",
                    "placed_at",
                    "expires_at",
                    "region_title",
                )
            },
        ),
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Order | None = None) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Order | None = None) -> Any:
        """Only where a pending order goes may change; its copy of history may not."""
        pending = obj is not None and obj.status == Order.Status.PENDING
        names = [name for _title, options in self.fieldsets for name in options["fields"]]
        return [name for name in names if not (pending and name in ADDRESS)]

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Order | None:
        """Locked while its address is saved, so that it is still pending when it is written."""
        if request.method == "POST" and object_id.isdecimal():
            list(Order.objects.select_for_update().filter(pk=object_id).values_list("pk"))
        return super().get_object(request, object_id, from_field)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        order = (
            Order.objects.filter(pk=unquote(object_id)).first() if object_id.isdecimal() else None
        )
        pending = order is not None and order.status == Order.Status.PENDING
        if order and request.method == "POST" and not pending:
            messages.warning(
                request,
                _("Nothing was saved: the order is %(status)s now, and its address is final.")
                % {"status": order.get_status_display().lower()},
            )
            return HttpResponseRedirect(request.path)
        context = {
            "steps": steps_of(order) if order and self.has_change_permission(request) else [],
            "status_colour": STATUS_COLOURS[Order.Status(order.status)] if order else "",
            "show_save": pending,
            "show_save_and_continue": pending,
            **(extra_context or {}),
        }
        return super().change_view(request, object_id, form_url, context)

    def get_urls(self) -> Any:
        step = path(
            "<int:pk>/step/<str:name>/",
            self.admin_site.admin_view(self.step_view),
            name="orders_order_step",
        )
        return [step, *super().get_urls()]

    def step_view(self, request: HttpRequest, pk: int, name: str) -> HttpResponse:
        """A button of the order page. Takes the step by POST; asks first where that is kind."""
        step = STEPS.get(name)
        order = Order.objects.filter(pk=pk).first()
        if not self.has_change_permission(request):
            raise PermissionDenied
        if order is None or step is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, str(pk))  # type: ignore[attr-defined,no-any-return]
        back = reverse("admin:orders_order_change", args=[pk])
        asked = step.question is None or "confirmed" in request.POST
        if request.method == "POST" and asked:
            tell(request, take_step(self, request, [order], step), step)
            return HttpResponseRedirect(back)
        return self._ask(request, step, [order], back=back, hidden={})

    @admin.action(permissions=["change"], description=_("Mark as paid"))
    def mark_paid(self, request: HttpRequest, queryset: QuerySet[Order]) -> HttpResponse | None:
        return self._step_many(request, queryset, STEPS["mark_paid"])

    @admin.action(permissions=["change"], description=_("Mark as fulfilled"))
    def fulfil(self, request: HttpRequest, queryset: QuerySet[Order]) -> HttpResponse | None:
        return self._step_many(request, queryset, STEPS["fulfil"])

    @admin.action(permissions=["change"], description=_("Cancel…"))
    def cancel(self, request: HttpRequest, queryset: QuerySet[Order]) -> HttpResponse | None:
        return self._step_many(request, queryset, STEPS["cancel"])

    @admin.action(permissions=["change"], description=_("Mark as refunded…"))
    def refund(self, request: HttpRequest, queryset: QuerySet[Order]) -> HttpResponse | None:
        return self._step_many(request, queryset, STEPS["refund"])

    def _step_many(
        self, request: HttpRequest, queryset: QuerySet[Order], step: Step
    ) -> HttpResponse | None:
        orders = list(queryset.order_by("pk")[: MOST_AT_ONCE + 1])
        if len(orders) > MOST_AT_ONCE:
            messages.error(
                request,
                _("Please choose at most %(most)d orders at once. Nothing was changed.")
                % {"most": MOST_AT_ONCE},
            )
            return None
        if step.question is None or "confirmed" in request.POST:
            tell(request, take_step(self, request, orders, step), step)
            return HttpResponseRedirect(request.get_full_path())
        # The very orders that the page names: what is placed meanwhile is not among them.
        hidden = {"action": step.name, "select_across": "0"}
        return self._ask(request, step, orders, back=request.get_full_path(), hidden=hidden)

    def _ask(
        self,
        request: HttpRequest,
        step: Step,
        orders: list[Order],
        *,
        back: str,
        hidden: dict[str, str],
    ) -> TemplateResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": step.label,
            "opts": self.opts,
            "step": step,
            "ready": [order for order in orders if may_take(order, step)],
            "skipped": [order for order in orders if not may_take(order, step)],
            "back": back,
            "hidden": hidden,
            "checkbox": ACTION_CHECKBOX_NAME,
            "colours": STATUS_COLOURS,
        }
        return TemplateResponse(request, "admin/orders/order/confirm_step.html", context)

    @admin.display(description=_("number"), ordering="number")
    def number_text(self, order: Order) -> SafeString:
        return format_html('<span class="ap-number">{}</span>', order.number)

    @admin.display(description=_("placed"), ordering="placed_at")
    def placed(self, order: Order) -> SafeString:
        when = date_format(timezone.localtime(order.placed_at), "j M Y H:i")
        return format_html('<span class="ap-number">{}</span>', when)

    @admin.display(description=_("region"), ordering="region")
    def region_title(self, order: Order) -> str:
        return order.region.title()

    @admin.display(description=_("customer"), ordering="email")
    def who(self, order: Order) -> SafeString:
        return format_html(
            '<span class="ap-who">{}<small>{}</small></span>', order.name, order.email
        )

    @display(description=_("status"), ordering="status", label=STATUS_COLOURS)  # type: ignore[untyped-decorator]
    def state(self, order: Order) -> tuple[str, str]:
        return status_label(order)

    @admin.display(description=_("total"), ordering="total_amount")
    def total_money(self, order: Order) -> SafeString:
        return money(order.total)

    @admin.display(description=_("subtotal"))
    def subtotal_money(self, order: Order) -> SafeString:
        return money(order.subtotal)

    @admin.display(description=_("delivery"))
    def delivery_money(self, order: Order) -> SafeString:
        return money(order.delivery)

    @admin.display(description=_("customer"))
    def customer_link(self, order: Order) -> str | SafeString:
        if order.customer is None:
            return str(_("Guest"))
        url = reverse("admin:shop_customer_change", args=[order.customer.pk])
        return format_html('<a class="ap-link" href="{}">{}</a>', url, order.customer.email)


def money(amount: object) -> SafeString:
    return format_html('<span class="ap-money">{}</span>', amount)
