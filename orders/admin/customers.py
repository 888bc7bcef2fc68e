"""A customer's orders, on the customer's page. Here, because the shop does not know orders."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from orders.models import Order
from shop.admin.base import ReadOnly, TabularInline
from shop.admin.customers import CustomerAdmin
from shop.models import Customer


class OrderInline(ReadOnly, TabularInline[Order, Customer]):
    model = Order
    extra = 0
    per_page = 10
    fields = readonly_fields = ("link", "placed_at", "status", "total_money")

    @admin.display(description=_("number"))
    def link(self, order: Order) -> SafeString:
        url = reverse("admin:orders_order_change", args=[order.pk])
        return format_html('<a class="ap-link" href="{}">{}</a>', url, order.number)

    @admin.display(description=_("total"))
    def total_money(self, order: Order) -> SafeString:
        return format_html('<span class="ap-money">{}</span>', order.total)


@admin.register(Customer)
class CustomerWithOrdersAdmin(CustomerAdmin):
    list_display = ("email", "name", "date_joined", "order_count", "is_staff", "is_active")
    inlines = (*CustomerAdmin.inlines, OrderInline)  # type: ignore[assignment]  # Django takes any inlines

    def get_queryset(self, request: HttpRequest) -> QuerySet[Customer]:
        orders = Order.objects.filter(customer=OuterRef("pk")).order_by().values("customer")
        return (
            super()
            .get_queryset(request)
            .annotate(order_total=Coalesce(Subquery(orders.values(total=Count("pk"))), 0))
        )

    @admin.display(description=_("orders"), ordering="order_total")
    def order_count(self, customer: Any) -> int:
        return int(customer.order_total)
