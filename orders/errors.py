"""What can go wrong with an order. Errors carry data; views write the sentence."""

from shop.errors import ShopError


class EmptyCart(ShopError):
    """Nothing to order: the cart is empty, expired, or was ordered in another tab."""


class NotForSale(ShopError):
    """A line that has no price in this currency or is not on sale any more."""

    def __init__(self, sku: str, name: str) -> None:
        super().__init__(sku)
        self.sku = sku
        self.name = name


class WrongStatus(ShopError):
    """The order's status does not allow this step (any more)."""

    def __init__(self, number: str, status: str, wanted: str) -> None:
        super().__init__(number, status, wanted)
        self.number = number
        self.status = status
        self.wanted = wanted
