"""Who may read which order."""

from typing import Final

from django.http import HttpRequest

from orders.models import Order
from shop.models import Customer

SESSION_ORDERS: Final = "orders"
"""Session: numbers of the orders this browser placed or looked up, oldest first."""
REMEMBERED: Final = 50


def remember_order(request: HttpRequest, number: str) -> None:
    """Let this session read the order under its number from now on."""
    known = request.session.get(SESSION_ORDERS, [])
    if number not in known:
        request.session[SESSION_ORDERS] = [*known, number][-REMEMBERED:]


def find_order(request: HttpRequest, number: str, *, email: str = "") -> Order | None:
    """The order, for whoever placed it or knows number and e-mail.

    None for others and for a number that does not exist: the two must look alike.
    """
    if "\x00" in number:  # PostgreSQL has no text with it
        return None
    order = Order.objects.filter(number=number).first()
    if order is None:
        return None
    user = request.user
    theirs = isinstance(user, Customer) and (user.is_staff or order.customer_id == user.pk)
    here = order.number in request.session.get(SESSION_ORDERS, [])
    named = bool(email) and order.email.casefold() == email.strip().casefold()
    return order if theirs or here or named else None
