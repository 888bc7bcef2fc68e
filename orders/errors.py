"""What can go wrong with an order. Errors carry data; views write the sentence."""

from dataclasses import asdict
from typing import Any, Final

from shop.errors import OutOfStock, ShopError
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

    def __init__(self, version: int) -> None:
        super().__init__(version)
        self.version = version


class TotalChanged(ShopError):
    """The order would cost something else than the shopper was shown."""

    def __init__(self, subtotal: Money, total: Money) -> None:
        super().__init__(subtotal, total)
        self.subtotal = subtotal
        self.total = total


class WrongStatus(ShopError):
    """The order's status does not allow this step (any more)."""

    def __init__(self, number: str, status: str, wanted: str) -> None:
        super().__init__(number, status, wanted)
        self.number = number
        self.status = status
        self.wanted = wanted


class TooManyUnits(ShopError):
    """More units of a line than can leave, or come back."""

    def __init__(self, sku: str, wanted: int, possible: int) -> None:
        super().__init__(sku, wanted, possible)
        self.sku = sku
        self.wanted = wanted
        self.possible = possible


class NoUnits(ShopError):
    """A parcel, or a return, of nothing."""


class ReturnOpen(ShopError):
    """The order has a return that the shop has not settled yet."""


class ReturnSettled(ShopError):
    """Somebody else settled the return, and otherwise."""

    def __init__(self, state: str) -> None:
        super().__init__(state)
        self.state = state


class PaymentUnderWay(ShopError):
    """The order is being paid by another method, which may take its money any moment."""

    def __init__(self, method: str) -> None:
        super().__init__(method)
        self.method = method


class MethodNotOffered(ShopError):
    """The shop takes no money this way, or not any more."""

    def __init__(self, method: str) -> None:
        super().__init__(method)
        self.method = method


class NothingCaptured(ShopError):
    """There is no money to send back: none was taken, or all of it went back."""


class RefundTooLarge(ShopError):
    """More than is left of what was taken. Refunds under way have gone off it."""

    def __init__(self, wanted: Money, left: Money) -> None:
        super().__init__(wanted, left)
        self.wanted = wanted
        self.left = left


class TooManyTries(ShopError):
    """Too many look-ups failed from this address."""

    def __init__(self, seconds: int) -> None:
        super().__init__(seconds)
        self.seconds = seconds


REFUSALS: Final[dict[str, type[ShopError]]] = {
    error.__name__: error
    for error in (
        EmptyCart,
        NotForSale,
        CartChanged,
        TotalChanged,
        OutOfStock,
        MethodNotOffered,
    )
}
"""Why an order is not made. They are decisions: remembered under the idempotency key."""


def refusal_as_json(error: ShopError) -> dict[str, Any]:
    """What `refusal_of` makes the same error of again. Raises an error that is no refusal."""
    if type(error).__name__ not in REFUSALS:
        raise error
    data = vars(error).items()
    return {
        "refused": type(error).__name__,
        "data": {name: asdict(v) if isinstance(v, Money) else v for name, v in data},
    }


def refusal_of(document: dict[str, Any]) -> ShopError:
    data = document["data"].items()
    return REFUSALS[document["refused"]](
        **{name: Money(**value) if isinstance(value, dict) else value for name, value in data}
    )
