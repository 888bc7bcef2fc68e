"""What is done with several orders at once, and the steps that the order page shares with it."""

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet, prefetch_related_objects
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from orders.admin.export import csv_response
from orders.admin.labels import STATUS_COLOURS
from orders.admin.steps import MOST_AT_ONCE, STEPS, Step, may_take, take_step, tell
from orders.models import Order
from shop.admin.base import ModelAdmin


class OrderActions(ModelAdmin[Order]):
    """Mix in: the list's actions. Each order is a transaction of its own."""

    actions = ("mark_paid", "fulfil", "cancel", "refund", "export")

    @admin.action(permissions=["change"], description=_("Mark as paid…"))
    def mark_paid(self, request: HttpRequest, queryset: QuerySet[Order]) -> HttpResponse | None:
        return self._step_many(request, queryset, STEPS["mark_paid"])

    @admin.action(permissions=["change"], description=_("Mark as fulfilled…"))
    def fulfil(self, request: HttpRequest, queryset: QuerySet[Order]) -> HttpResponse | None:
        return self._step_many(request, queryset, STEPS["fulfil"])

    @admin.action(permissions=["change"], description=_("Cancel…"))
    def cancel(self, request: HttpRequest, queryset: QuerySet[Order]) -> HttpResponse | None:
        return self._step_many(request, queryset, STEPS["cancel"])

    @admin.action(permissions=["refund"], description=_("Refund in full…"))
    def refund(self, request: HttpRequest, queryset: QuerySet[Order]) -> HttpResponse | None:
        return self._step_many(request, queryset, STEPS["refund"])

    @admin.action(permissions=["view"], description=_("Export as CSV"))
    def export(self, request: HttpRequest, queryset: QuerySet[Order]) -> HttpResponseBase:
        """The orders chosen, or all that the list's filters find."""
        return csv_response(queryset)

    def has_refund_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("orders.add_refund")

    def export_view(self, request: HttpRequest) -> HttpResponseBase:
        """All that the list's filters find, those in the address."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            found = self.get_changelist_instance(request).get_queryset(request)
        except IncorrectLookupParameters:
            return HttpResponseRedirect(reverse("admin:orders_order_changelist"))
        return csv_response(found)

    def step_view(self, request: HttpRequest, pk: int, name: str) -> HttpResponse:
        """A button of the order page. Takes the step by POST; asks first where that is kind."""
        step = STEPS.get(name)
        order = Order.objects.filter(pk=pk).first()
        if not request.user.has_perm(step.permission if step else "orders.change_order"):
            raise PermissionDenied
        if order is None or step is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, str(pk))  # type: ignore[attr-defined,no-any-return]  # Django's own, not in its stubs
        back = reverse("admin:orders_order_change", args=[pk])
        asked = not step.asks_for_one or "confirmed" in request.POST
        if request.method == "POST" and asked:
            tell(request, take_step(self, request, [order], step), step)
            return HttpResponseRedirect(back)
        return self._ask(request, step, [order], back=back, hidden={})

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
        if "confirmed" in request.POST:
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
        prefetch_related_objects(orders, "payments")
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
