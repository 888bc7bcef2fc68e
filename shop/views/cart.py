"""The cart: plain forms first, the same partials for htmx."""

from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe
from django_htmx.middleware import HtmxDetails

from shop.errors import UnknownSku
from shop.forms import AddItemForm, SetQuantityForm
from shop.models import Cart
from shop.preferences import current_currency
from shop.privacy import private_page
from shop.queries import price_cart
from shop.services.cart import (
    add_to_cart,
    find_cart,
    forget_lost_cart,
    remember_count,
    set_quantity,
)


def _page(
    request: HttpRequest,
    cart: Cart | None,
    *,
    problem: str = "",
    sku: str = "",
    status: int = HTTPStatus.OK,
) -> HttpResponse:
    """The cart as it is, or for htmx its partial; `problem` says what was wrong with `sku`."""
    context: dict[str, Any] = {
        "expired": cart is None and forget_lost_cart(request),
        "cart_count": remember_count(request, cart),
        "cart": price_cart(cart, current_currency(request)),
        "problem": problem,
        "problem_sku": sku,
    }
    fragment = _fragment(request)
    if fragment and status >= HTTPStatus.BAD_REQUEST:
        status = HTTPStatus.UNPROCESSABLE_ENTITY  # the one error that our htmx shows in place
    return render(request, f"shop/cart.html{fragment}", context, status=status)


def _fragment(request: HttpRequest) -> str:
    """Which part of the page htmx asked for: the cart's lines, or a word that an item is in it."""
    htmx: HtmxDetails = request.htmx  # type: ignore[attr-defined]  # set by django-htmx
    if not htmx or htmx.boosted or htmx.history_restore_request:
        return ""
    return "#update" if htmx.target == "cart" else "#added"


def _first_error(form: AddItemForm | SetQuantityForm) -> str:
    return str(next(iter(form.errors.values()))[0])


@require_safe
@private_page
def cart(request: HttpRequest) -> HttpResponse:
    return _page(request, find_cart(request))


@require_POST
@private_page
def cart_items(request: HttpRequest) -> HttpResponse:
    """Add units of a SKU."""
    form = AddItemForm(request.POST)
    sku = request.POST.get("sku", "")
    if not form.is_valid():
        problem, status = _first_error(form), HTTPStatus.UNPROCESSABLE_ENTITY
        return _page(request, find_cart(request), problem=problem, sku=sku, status=status)
    try:
        mine = add_to_cart(request, **form.cleaned_data)
    except UnknownSku:
        problem = _("We do not sell this item (any more).")
        return _page(request, find_cart(request), problem=problem, status=HTTPStatus.NOT_FOUND)
    if _fragment(request):
        return _page(request, mine, sku=sku)
    remember_count(request, mine)
    return redirect("shop:cart")


@require_POST
@private_page
def cart_item(request: HttpRequest, sku: str) -> HttpResponse:
    """Make a line hold another quantity; 0 removes it."""
    mine = find_cart(request)
    form = SetQuantityForm(request.POST)
    if not form.is_valid():
        problem, status = _first_error(form), HTTPStatus.UNPROCESSABLE_ENTITY
        return _page(request, mine, problem=problem, sku=sku, status=status)
    try:
        if mine is None:
            raise UnknownSku(sku)
        set_quantity(cart=mine, sku=sku, quantity=form.cleaned_data["quantity"])
    except UnknownSku:
        problem = _("This item is not in your cart any more.")
        return _page(request, mine, problem=problem, status=HTTPStatus.NOT_FOUND)
    if _fragment(request):
        return _page(request, mine, sku=sku)
    remember_count(request, mine)
    return redirect("shop:cart")
