"""What can go wrong with an order. Errors carry data; views write the sentence."""

from shop.errors import ShopError
from shop.money import Money


class EmptyCart(ShopError):
    """Nothing to order: the cart is empty, expired, or was ordered in another tab."""


class NotForSale(ShopError):
    """A line that has no price in this currency or is not on sale any more."""

    def __init__(self, sku: str, name: str) -> None:
        super().__init__(sku)
        self.sku = sku
        self.name = name


class CartChanged(ShopError):
    """The cart holds something else than the shopper was shown."""


class TotalChanged(ShopError):
    """The order would cost something else than the shopper was shown."""

    def __init__(self, total: Money) -> None:
        super().__init__(total)
        self.total = total


class WrongStatus(ShopError):
    """The order's status does not allow this step (any more)."""

    def __init__(self, number: str, status: str, wanted: str) -> None:
        super().__init__(number, status, wanted)
        self.number = number
        self.status = status
        self.wanted = wanted


class TooManyTries(ShopError):
    """Too many look-ups failed from this address."""

    def __init__(self, seconds: int) -> None:
        super().__init__(seconds)
        self.seconds = seconds
