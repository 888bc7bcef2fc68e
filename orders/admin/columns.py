"""How an order shows in the list and on its page."""

from django.contrib import admin
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from orders.admin.inlines import money
from orders.admin.labels import STATUS_COLOURS, status_label
from orders.models import Order


class OrderColumns:
    """Mix in: each is a column of the list or a read-only field of the page."""

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

    @display(description=_("status"), ordering="status", label=STATUS_COLOURS)  # type: ignore[untyped-decorator]  # Unfold has no types
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

    @admin.display(description=_("sent back"))
    def refunded_money(self, order: Order) -> SafeString | str:
        return money(order.refunded) if order.refunded_amount else "–"

    @admin.display(description=_("customer"))
    def customer_link(self, order: Order) -> str | SafeString:
        if order.customer is None:
            return str(_("Guest"))
        url = reverse("admin:shop_customer_change", args=[order.customer.pk])
        return format_html('<a class="ap-link" href="{}">{}</a>', url, order.customer.email)
