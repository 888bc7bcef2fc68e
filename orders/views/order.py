"""An order's page, and finding it again."""

from http import HTTPStatus
from uuid import uuid4

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from orders.errors import TooManyTries, WrongStatus
from orders.forms import OrderLookupForm
from orders.invoice import invoice_url
from orders.mail_links import opens
from orders.models import Order
from orders.numbers import read_number
from orders.queries import (
    find_order,
    is_returnable,
    look_up_order,
    may_change,
    order_steps,
    remember_order,
    with_lines,
)
from shop.privacy import private_page
from shop.views.throttled import too_many_requests


@require_http_methods(["GET", "HEAD", "POST"])
@private_page
def order_lookup(request: HttpRequest) -> HttpResponse:
    """Number and e-mail open an order to this browser."""
    form = OrderLookupForm(request.POST if request.method == "POST" else None)
    if not form.is_valid():
        status = HTTPStatus.UNPROCESSABLE_ENTITY if form.errors else HTTPStatus.OK
        return render(request, "orders/lookup.html", {"form": form}, status=status)
    number = read_number(form.cleaned_data["number"])
    email = form.cleaned_data["email"]
    try:
        found = look_up_order(request, number, email=email) if number else None
    except TooManyTries as error:
        return too_many_requests(request, retry_after=error.seconds)
    if found is None:
        return _not_found(request, form)
    remember_order(request, found.number)
    return redirect(found)


@require_safe
@private_page
def order(request: HttpRequest, number: str) -> HttpResponse:
    """Confirmation and status in one; `?partial=status` is the part that changes."""
    canonical = read_number(number)
    found = find_order(request, canonical) if canonical else None
    if found is None:
        return _not_found(request, OrderLookupForm(initial={"number": number[:60]}))
    if found.number != number:
        return redirect(found)
    theirs = may_change(request, found.number) is not None
    context = {
        "order": found,
        "steps": order_steps(found),
        "bank": settings.SHOP_BANK_ACCOUNT,
        "may_change": theirs,
        "may_return": theirs and is_returnable(found),
        "pay_key": uuid4(),
    }
    if request.GET.get("partial") == "status":
        return render(request, "orders/order.html#status", context)
    context["order"] = with_lines(Order.objects.all()).get(pk=found.pk)
    return render(request, "orders/order.html", context)


@require_safe
@private_page
def mail_link(request: HttpRequest, number: str, ticket: str) -> HttpResponse:
    """Let this browser change the order from now on. Mail scanners open links, too: that is all.

    Its address is a password: so nothing is shown under it, and no other server is told of it.
    """
    found = Order.objects.filter(number=read_number(number)).first()
    if found and opens(found, ticket):
        remember_order(request, found.number, placed=True)
        response: HttpResponse = redirect(found)
    else:
        context = {"form": OrderLookupForm(initial={"number": number[:60]}), "link_ended": True}
        response = render(request, "orders/lookup.html", context, status=HTTPStatus.NOT_FOUND)
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


@require_safe
@private_page
def invoice(request: HttpRequest, number: str) -> HttpResponse:
    """The PDF, from its bucket, for whoever may see the order's page."""
    canonical = read_number(number)
    found = find_order(request, canonical) if canonical else None
    if found is None:
        return _not_found(request, OrderLookupForm(initial={"number": number[:60]}))
    try:
        return redirect(invoice_url(found))
    except WrongStatus:  # cancelled, and the page says so
        return redirect(found)


def _not_found(request: HttpRequest, form: OrderLookupForm) -> HttpResponse:
    """One answer for an unknown number, a foreign order and a wrong e-mail."""
    context = {"form": form, "not_found": True}
    return render(request, "orders/lookup.html", context, status=HTTPStatus.NOT_FOUND)
