"""The order list and the order page."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesCheckboxFilter

from orders.admin.bulk import OrderActions
from orders.admin.columns import OrderColumns
from orders.admin.figures import figures_context
from orders.admin.filters import NeedsFilter, PlacedFilter
from orders.admin.inlines import HistoryInline, LineInline
from orders.admin.labels import STATUS_COLOURS
from orders.admin.page_views import page_urls, pages_for
from orders.admin.steps import steps_of
from orders.admin.whereabouts import goods_rows, money_rows, payments_of
from orders.models import Order
from shop.admin.base import SaveChanged

ADDRESS = ("email", "name", "line1", "line2", "city", "postcode", "country")


@admin.register(Order)
class OrderAdmin(SaveChanged, OrderColumns, OrderActions):
    change_list_template = "admin/orders/order/change_list.html"
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
    inlines = (LineInline, HistoryInline)
    fieldsets = (
        (_("Where it goes"), {"fields": ADDRESS}),
        (
            _("What it costs"),
            {
                "fields": (
                    "subtotal_money",
                    "delivery_money",
                    "total_money",
                    "refunded_money",
                    "currency",
                )
            },
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
            **(self._whereabouts(request, order) if order else {"steps": []}),
            "status_colour": STATUS_COLOURS[Order.Status(order.status)] if order else "",
            "show_save": pending,
            "show_save_and_continue": pending,
            **(extra_context or {}),
        }
        return super().change_view(request, object_id, form_url, context)

    def _whereabouts(self, request: HttpRequest, order: Order) -> dict[str, Any]:
        """Money and parcels of the order, and what this person may do with it."""
        payments = payments_of(order)
        steps = steps_of(order, payments)
        return {
            "steps": [step for step in steps if request.user.has_perm(step.permission)],
            "pages": pages_for(request, order),
            "money_rows": list(money_rows(payments)),
            "goods_rows": goods_rows(order),
        }

    def get_urls(self) -> Any:
        view = self.admin_site.admin_view
        return [
            path("export/", view(self.export_view), name="orders_order_export"),
            path("figures/", view(self.figures_view), name="orders_order_figures"),
            path("<int:pk>/step/<str:name>/", view(self.step_view), name="orders_order_step"),
            *page_urls(self),
            *super().get_urls(),
        ]

    def figures_view(self, request: HttpRequest) -> HttpResponse:
        """Orders and takings of the last days."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return TemplateResponse(
            request,
            "admin/orders/order/figures.html",
            {**self.admin_site.each_context(request), **figures_context(request)},
        )
