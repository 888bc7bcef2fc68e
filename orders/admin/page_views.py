"""The views of an order's pages: a form, its confirmation, and the deed."""

from http import HTTPStatus
from typing import Any, Final, cast

from django import forms
from django.contrib import messages
from django.contrib.admin.options import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _

from orders.admin.pages import Page, RefundPage, SettlePage, ShipPage, refusal
from orders.admin.refused import RefusedPage
from orders.admin.resend import ResendPage
from orders.errors import NoUnits, RefundTooLarge, TooManyUnits
from orders.idempotency import KeyReused
from orders.models import Order
from shop.errors import ShopError, StockTooLow
from shop.models import Customer
from shop.outcomes import Ending, counted

PAGES: Final[dict[str, type[Page]]] = {
    page.name: page for page in (ShipPage, RefusedPage, SettlePage, RefundPage, ResendPage)
}

CORRECTABLE: Final = (TooManyUnits, NoUnits, StockTooLow, RefundTooLarge)
"""What another number mends. The form's key is still free: nothing was done."""


def pages_for(request: HttpRequest, order: Order) -> list[Page]:
    """Those that this person may open now."""
    pages = [kind(order) for kind in PAGES.values() if request.user.has_perm(kind.permission)]
    return [page for page in pages if page.is_open]


def page_urls(admin: ModelAdmin[Order]) -> list[URLPattern]:
    """`<pk>/ship/`, `<pk>/refund/`, …"""

    def view(request: HttpRequest, pk: int, name: str) -> HttpResponse:
        return page_view(admin, request, pk, name)

    return [
        path(
            f"<int:pk>/{name}/",
            admin.admin_site.admin_view(view),
            {"name": name},
            name=f"orders_order_{name}",
        )
        for name in PAGES
    ]


def page_view(admin: ModelAdmin[Order], request: HttpRequest, pk: int, name: str) -> HttpResponse:
    """GET: the form. POST: its confirmation, and once that is confirmed, the deed."""
    if not request.user.has_perm(PAGES[name].permission):
        raise PermissionDenied
    order = Order.objects.filter(pk=pk).first()
    if order is None:
        return admin._get_obj_does_not_exist_redirect(request, admin.opts, str(pk))  # type: ignore[attr-defined,no-any-return]  # Django's own, not in its stubs
    page = PAGES[name](order)
    if request.method != "POST":
        if not page.is_open:  # somebody else was faster, or a bookmark is old
            return HttpResponseRedirect(_order_url(page))
        return _show(admin, request, page, page.form())
    try:
        form = page.form(request.POST)
        return _answer(admin, request, page, form)
    except (ShopError, KeyReused) as error:
        messages.error(request, refusal(error))
        return HttpResponseRedirect(_order_url(page))


def _answer(
    admin: ModelAdmin[Order], request: HttpRequest, page: Page, form: forms.Form
) -> HttpResponse:
    if not form.is_valid() or "change" in request.POST:
        return _show(admin, request, page, form)
    if "confirmed" not in request.POST:
        return _show(admin, request, page, form, summary=page.summary(form))
    try:
        return _take(admin, request, page, form)
    except CORRECTABLE as error:
        form.add_error(None, refusal(error))
        return _show(admin, request, page, form)


def _take(
    admin: ModelAdmin[Order], request: HttpRequest, page: Page, form: forms.Form
) -> HttpResponse:
    with counted(Ending(), page.key(form), declined=ShopError) as ending:
        told = page.take(form, cast(Customer, request.user))
        if told.again:
            ending.outcome = "replayed"
        else:
            admin.log_change(request, page.order, told.text)
    messages.add_message(request, told.level, told.text)
    return HttpResponseRedirect(_order_url(page))


def _order_url(page: Page) -> str:
    return reverse("admin:orders_order_change", args=[page.order.pk])


def _show(
    admin: ModelAdmin[Order],
    request: HttpRequest,
    page: Page,
    form: forms.Form,
    *,
    summary: list[tuple[str, str]] | None = None,
) -> TemplateResponse:
    context: dict[str, Any] = {
        **admin.admin_site.each_context(request),
        "title": _("Order %(number)s") % {"number": page.order.number},
        "opts": admin.opts,
        "original": page.order,
        "page": page,
        "form": form,
        "summary": summary,
        "back": _order_url(page),
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.errors else HTTPStatus.OK
    return TemplateResponse(request, "admin/orders/order/page.html", context, status=status)
