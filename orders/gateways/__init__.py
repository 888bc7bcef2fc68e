"""Who takes the shop's money, by name. `settings.PAYMENT_GATEWAYS` says where each one is.

A payment keeps the name of its gateway: a method that moves to another gateway leaves old
payments where they are.
"""

from typing import Final

from django.conf import settings
from django.utils.module_loading import import_string

from orders.errors import MethodNotOffered
from orders.gateways.base import PaymentGateway

BY_HAND: Final = ("invoice", "cash_on_delivery")
"""Gateways that only staff tell of: their money comes by bank or at the door."""


class UnknownGateway(LookupError):
    """No gateway has this name here."""


def get_gateway(name: str) -> PaymentGateway:
    """Raises UnknownGateway."""
    try:
        made: PaymentGateway = import_string(settings.PAYMENT_GATEWAYS[name])()
    except KeyError:
        raise UnknownGateway(name) from None
    return made


def gateway_of(method: str) -> str:
    """Name of the gateway that takes an order's payment method now. Raises MethodNotOffered."""
    try:
        return str(settings.PAYMENT_METHODS[method])
    except KeyError:
        raise MethodNotOffered(method) from None


def method_of(gateway: str) -> str:
    """The payment method that a gateway takes; its own name where none leads there any more."""
    methods = (method for method, name in settings.PAYMENT_METHODS.items() if name == gateway)
    return str(next(methods, gateway))
