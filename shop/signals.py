"""What the shop does when somebody logs in, or sets another password."""

from typing import Any

from allauth.account.signals import password_changed, password_reset, password_set
from django.contrib.auth.signals import user_logged_in
from django.dispatch import receiver
from django.http import HttpRequest

from shop.models import Customer
from shop.services.cart import merge_guest_cart, remember_count
from shop.services.sessions import end_former_sessions


@receiver(user_logged_in)
def join_carts(sender: Any, request: HttpRequest, user: Customer, **kwargs: Any) -> None:
    """The guest's cart joins the customer's.

    Raises DatabaseError. The log-in then fails, and with it the session is left as it was: the
    guest keeps it, and the cart that it names.
    """
    cart = merge_guest_cart(session=request.session, customer=user)
    remember_count(request, cart)


@receiver([password_changed, password_reset, password_set])
def end_sessions(sender: Any, request: HttpRequest, user: Customer, **kwargs: Any) -> None:
    end_former_sessions(request, user_id=user.pk)
