"""What the shop does when somebody logs in."""

from typing import Any, Final

from django.conf import settings
from django.contrib.auth.signals import user_logged_in
from django.db import DatabaseError
from django.dispatch import receiver
from django.http import HttpRequest

from shop.models import Customer
from shop.services.cart import SESSION_CART, merge_guest_cart, remember_count

OF_A_LOGIN: Final = ("_auth_user_", "account_")
"""How the names begin that Django and allauth put into a session at log-in."""


@receiver(user_logged_in)
def join_carts(sender: Any, request: HttpRequest, user: Customer, **kwargs: Any) -> None:
    """The guest's cart joins the customer's. Raises DatabaseError; then the guest keeps theirs."""
    try:
        cart = merge_guest_cart(session=request.session, customer=user)
        remember_count(request, cart)
    except DatabaseError:
        _give_session_back(request)
        raise


def _give_session_back(request: HttpRequest) -> None:
    """Put the guest's session back where their browser looks for it, without the log-in.

    The log-in has moved it to a new key, which the browser never learns: an answer of 5xx carries
    no cookie. Nobody can plant a key this way: a key of nothing has led to no cart either.
    """
    key = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
    session = request.session
    if key is None or SESSION_CART not in session:
        return
    kept = type(session)(key)
    kept._session_cache = {  # type: ignore[attr-defined]  # else it looks for what is deleted
        name: value for name, value in session.items() if not name.startswith(OF_A_LOGIN)
    }
    kept.save(must_create=True)
