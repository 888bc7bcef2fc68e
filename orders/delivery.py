"""What delivery costs, by method and currency, in minor units."""

from dataclasses import dataclass
from typing import Final

from orders.models import Order
from shop.money import Money

PRICES: Final[dict[str, dict[str, int]]] = {
    Order.Delivery.STANDARD: {"TWD": 80, "JPY": 400, "SGD": 450, "USD": 350},
    Order.Delivery.EXPRESS: {"TWD": 250, "JPY": 1200, "SGD": 1400, "USD": 1100},
}
FREE_FROM: Final[dict[str, int]] = {"TWD": 3000, "JPY": 15000, "SGD": 13000, "USD": 10000}
"""Standard post is free from this subtotal."""


def delivery_price(method: str, subtotal: Money) -> Money:
    """Raises KeyError for an unknown method."""
    amount = PRICES[method][subtotal.currency]
    if method == Order.Delivery.STANDARD and subtotal.amount >= FREE_FROM[subtotal.currency]:
        amount = 0
    return Money(amount, subtotal.currency)


@dataclass(frozen=True)
class DeliveryQuote:
    """A method with its price, and what the whole order costs with it."""

    method: str
    label: str
    price: Money
    total: Money


def delivery_quotes(subtotal: Money) -> list[DeliveryQuote]:
    return [
        DeliveryQuote(method.value, str(method.label), price, subtotal + price)
        for method in Order.Delivery
        for price in [delivery_price(method, subtotal)]
    ]
