"""Checkout on one page."""

import uuid
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from orders.delivery import delivery_quotes
from orders.forms import CheckoutForm, first_values
from orders.idempotency import IdempotencyError, KeyReused, StillRunning, owners_of
from orders.models import Order
from orders.queries import remember_order
from orders.services.checkout import Shown
from orders.services.submit import order_placed_with, submit_checkout
from orders.views.payment import to_payment_page
from shop.errors import ShopError, UnknownSku
from shop.forms import SetQuantityForm
from shop.models import Customer
from shop.preferences import current_currency
from shop.privacy import private_page
from shop.queries import PricedCart, price_cart
from shop.services.cart import find_cart, forget_total, remember_count, set_quantity

RETRY_AFTER: Final = 2
"""Seconds after which another press finds the first one ended."""


@require_http_methods(["GET", "HEAD", "POST"])
@private_page
def checkout(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        return _fix(request) if "fix" in request.POST else _submit(request)
    cart = price_cart(find_cart(request), current_currency(request))
    if not cart.sellable:
        if cart.lines:
            messages.warning(request, _("Something in your cart needs a look first."))
        return redirect("shop:cart")
    form = CheckoutForm(initial=first_values(_customer(request)))
    return _page(request, form, cart=cart)


def _submit(request: HttpRequest) -> HttpResponse:
    form = CheckoutForm(request.POST)
    if not form.is_valid():
        stale = form.is_stale
        status = HTTPStatus.BAD_REQUEST if stale else HTTPStatus.UNPROCESSABLE_ENTITY
        return _page(request, form, key=_usable_key(form), status=status)
    try:
        number = submit_checkout(
            owners=owners_of(request),
            key=form.cleaned_data["key"],
            cart=find_cart(request),
            customer=_customer(request),
            details=form.details(currency=current_currency(request)),
            shown=Shown(cart_version=form.shown_version(), total=form.expected()),
            save_address=form.cleaned_data["save_address"],
        )
    except (ShopError, IdempotencyError) as error:
        return _declined(request, form, error)
    if remember_order(request, number, placed=True):
        remember_count(request, find_cart(request))
        forget_total(request)
    if form.cleaned_data["payment_method"] == Order.Payment.CARD:
        return to_payment_page(request, Order.objects.get(number=number))
    response = redirect("orders:order", number)
    response.status_code = HTTPStatus.SEE_OTHER
    return response


def _declined(
    request: HttpRequest, form: CheckoutForm, error: ShopError | IdempotencyError
) -> HttpResponse:
    """The page again with what is in the way. Nothing was ordered by this press.

    The refusal is this key's answer for good, so the page has a new one: to press again is to
    ask again.
    """
    if isinstance(error, StillRunning):
        return _still_running(request)
    if isinstance(error, KeyReused):
        placed = order_placed_with(owners=owners_of(request), key=form.cleaned_data["key"])
        status = HTTPStatus.UNPROCESSABLE_ENTITY
        return _page(request, form, error=error, placed=placed, status=status)
    return _page(request, form, error=error, status=HTTPStatus.CONFLICT)


def _still_running(request: HttpRequest) -> HttpResponse:
    """A page whose button sends exactly the same again: that is safe, the key is the same."""
    fields = [item for item in request.POST.items() if item[0] != "csrfmiddlewaretoken"]
    context = {"fields": fields}
    status = HTTPStatus.CONFLICT
    response = render(request, "orders/still_running.html", context, status=status)
    response.headers["Retry-After"] = str(RETRY_AFTER)
    return response


def _fix(request: HttpRequest) -> HttpResponse:
    """Change a line as the page offered, and keep what was typed."""
    quantity, _space, sku = request.POST["fix"].partition(" ")
    wanted = SetQuantityForm({"quantity": quantity})
    cart = find_cart(request)
    if cart and wanted.is_valid():
        with suppress(UnknownSku):  # another tab removed it
            set_quantity(cart=cart, sku=sku, quantity=wanted.cleaned_data["quantity"])
        remember_count(request, cart)
    form = CheckoutForm(initial=request.POST.dict())
    return _page(request, form, key=_usable_key(CheckoutForm(request.POST)))


def _page(
    request: HttpRequest,
    form: CheckoutForm,
    *,
    cart: PricedCart | None = None,
    key: uuid.UUID | None = None,
    error: ShopError | IdempotencyError | None = None,
    placed: str | None = None,
    status: int = HTTPStatus.OK,
) -> HttpResponse:
    cart = cart or price_cart(find_cart(request), current_currency(request))
    context: dict[str, Any] = {
        "form": form,
        "key": key or uuid.uuid4(),
        "cart": cart,
        "quotes": delivery_quotes(cart.total),
        "error": error,
        "error_kind": type(error).__name__ if error else "",
        "placed": placed,
    }
    return render(request, "orders/checkout.html", context, status=status)


def _usable_key(form: CheckoutForm) -> uuid.UUID | None:
    form.is_valid()
    return form.cleaned_data.get("key")


def _customer(request: HttpRequest) -> Customer | None:
    return request.user if isinstance(request.user, Customer) else None
