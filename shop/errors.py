"""What can go wrong in the shop. Errors carry data; views and templates write the sentence."""


class ShopError(Exception):
    """A request the shop understood and must decline."""


class UnknownSku(ShopError):
    def __init__(self, sku: str) -> None:
        super().__init__(sku)
        self.sku = sku


class BadQuantity(ShopError):
    """A quantity outside 0 (remove) … MAX_QUANTITY."""

    def __init__(self, quantity: int) -> None:
        super().__init__(quantity)
        self.quantity = quantity


class CartGone(ShopError):
    """The cart's row was deleted since it was read: joined to a customer's, or cleaned up."""


class OutOfStock(ShopError):
    """Fewer units than asked for. `available` was true at the moment of asking."""

    def __init__(self, sku: str, name: str, available: int) -> None:
        super().__init__(sku, available)
        self.sku = sku
        self.name = name
        self.available = available


class StockTooLow(ShopError):
    """A movement that would leave less than nothing, or less than orders hold."""

    def __init__(self, sku: str, on_hand: int, allocated: int) -> None:
        super().__init__(sku, on_hand, allocated)
        self.sku = sku
        self.on_hand = on_hand
        self.allocated = allocated
