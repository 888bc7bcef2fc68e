"""A shopper's preferences: in the session, so that every region knows them."""

from typing import Final

from django.conf import settings
from django.http import HttpRequest

SESSION_CURRENCY: Final = "currency"


def current_currency(request: HttpRequest) -> str:
    """ISO code the shopper sees prices in."""
    chosen = request.session.get(SESSION_CURRENCY)
    return chosen if chosen in settings.SHOP_CURRENCIES else settings.SHOP_DEFAULT_CURRENCY


def set_currency(request: HttpRequest, currency: str) -> None:
    """Raises ValueError for a currency the shop has no prices in."""
    if currency not in settings.SHOP_CURRENCIES:
        raise ValueError(currency)
    request.session[SESSION_CURRENCY] = currency
