"""What a shopper may ask of an order that is placed: to cancel it, to send something back."""

from http import HTTPStatus
from typing import Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from django.views.decorators.http import require_http_methods

from orders.errors import NoUnits, ReturnOpen, TooManyUnits, WrongStatus
from orders.forms import ReturnForm
from orders.idempotency import KeyReused
from orders.models import Order
from orders.numbers import read_number
from orders.queries import may_change, with_lines
from orders.services.fulfilment import MAY_COME_BACK, request_return
from orders.services.payments import advance, try_now
from orders.services.status import OPEN_PAYMENT, change_status
from shop.errors import ShopError
from shop.models import Customer
from shop.outcomes import Ending, counted
from shop.privacy import private_page
from shop.services.stock import Cause, Mover

AS_ASKED: Final = gettext_noop("As you asked")
"""A note in the history; the order's page shows it in the reader's language."""


@require_http_methods(["GET", "HEAD", "POST"])
@private_page
def cancel(request: HttpRequest, number: str) -> HttpResponse:
    """Asks first. A second press finds the order cancelled, and says nothing more."""
    order = _theirs(request, number)
    if order is None:
        return redirect("orders:order", number)
    if request.method != "POST" and order.status == Order.Status.PENDING:
        return render(request, "orders/cancel.html", {"order": order})
    if request.method == "POST":
        _cancel(request, order)
    return _see_order(order)


def _cancel(request: HttpRequest, order: Order) -> None:
    actor = request.user if isinstance(request.user, Customer) else None
    cause = Cause(Mover.SHOPPER, actor, reason=AS_ASKED, order=order.number)
    with counted(Ending(), f"cancel {order.number}") as ending:
        try:
            change_status(
                order=order, to=Order.Status.CANCELLED, actor=actor, note=AS_ASKED, cause=cause
            )
        except WrongStatus as error:
            ending.outcome = "replayed" if error.status == Order.Status.CANCELLED else "declined"
    if ending.outcome == "declined":
        messages.warning(request, _("This order cannot be cancelled any more."))
    if ending.outcome != "done":
        return
    for payment in order.payments.filter(state__in=OPEN_PAYMENT):
        try_now(payment, advance)


@require_http_methods(["GET", "HEAD", "POST"])
@private_page
def send_back(request: HttpRequest, number: str) -> HttpResponse:
    """A form with the units that left, until a return waits for its answer."""
    order = _theirs(request, number)
    if order is None or order.status not in MAY_COME_BACK:
        return redirect("orders:order", number)
    order = with_lines(Order.objects.all()).get(pk=order.pk)
    form = ReturnForm(order, request.POST if request.method == "POST" else None)
    if form.is_valid() and _asked(request, order, form):
        return _see_order(order)
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.errors else HTTPStatus.OK
    return render(request, "orders/return.html", {"order": order, "form": form}, status=status)


def _asked(request: HttpRequest, order: Order, form: ReturnForm) -> bool:
    """Whether there is nothing to mend in the form."""
    key = form.cleaned_data["key"]
    try:
        with counted(Ending(), key, declined=ShopError) as ending:
            wish = request_return(
                order=order, units=form.units(), reason=form.cleaned_data["reason"], key=key
            )
            ending.outcome = "replayed" if wish.was_there else "done"
    except (NoUnits, TooManyUnits):
        form.add_error(None, _("Please choose what you want to send back."))
        return False
    except (KeyReused, WrongStatus):
        text = _("This wish was not taken: the order has changed since you opened the form.")
        messages.warning(request, text)
        return True
    except ReturnOpen:
        messages.info(request, _("We have your wish to return something and will answer it."))
        return True
    messages.success(request, _("We have your wish to return something and will answer it."))
    return True


def _theirs(request: HttpRequest, number: str) -> Order | None:
    canonical = read_number(number)
    return may_change(request, canonical) if canonical else None


def _see_order(order: Order) -> HttpResponse:
    response = redirect(order)
    response.status_code = HTTPStatus.SEE_OTHER
    return response
