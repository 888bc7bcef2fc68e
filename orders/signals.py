"""What orders do when somebody signs up."""

from typing import Any

from allauth.account.signals import user_signed_up
from django.dispatch import receiver
from django.http import HttpRequest

from orders.queries import SESSION_PLACED
from orders.services.submit import adopt_orders
from shop.models import Customer


@receiver(user_signed_up)
def adopt_guest_orders(request: HttpRequest, user: Customer, **kwargs: Any) -> None:
    adopt_orders(customer=user, numbers=request.session.get(SESSION_PLACED, []))
