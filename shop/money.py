"""Money: an integer of minor units and an ISO 4217 currency."""

from dataclasses import dataclass
from typing import Final

EXPONENTS: Final[dict[str, int]] = {"TWD": 0, "JPY": 0, "SGD": 2, "USD": 2}
"""Digits after the decimal point, as prices are written in the shop.

ISO 4217 gives the New Taiwan dollar two, but its cents left circulation: prices have none.
"""
SYMBOLS: Final[dict[str, str]] = {"TWD": "NT$", "JPY": "¥", "SGD": "S$", "USD": "US$"}


@dataclass(frozen=True, order=True)
class Money:
    """An amount in minor units. Adding another currency raises ValueError."""

    amount: int
    currency: str

    def __add__(self, other: "Money") -> "Money":
        if other.currency != self.currency:
            raise ValueError(f"cannot add {other.currency} to {self.currency}")
        return Money(self.amount + other.amount, self.currency)

    def __mul__(self, quantity: int) -> "Money":
        return Money(self.amount * quantity, self.currency)

    def __str__(self) -> str:
        """`NT$1,290`, `US$42.00`."""
        exponent = EXPONENTS[self.currency]
        whole, cents = divmod(self.amount, 10**exponent)
        digits = f"{whole:,}" + (f".{cents:0{exponent}}" if exponent else "")
        return f"{SYMBOLS[self.currency]}{digits}"

    def as_json(self) -> dict[str, int | str]:
        """The API's shape: `{amount, currency}`."""
        return {"amount": self.amount, "currency": self.currency}
