"""A cart with its prices and stock."""

from dataclasses import dataclass

from django.db.models import Prefetch

from shop.models import Cart, Price, ProductImage, Variant
from shop.money import Money


@dataclass(frozen=True)
class PricedLine:
    """A cart line as the shopper sees it. `price` is None where the currency has none."""

    variant: Variant
    quantity: int
    price: Money | None
    available: int
    back_order: bool = False

    @property
    def total(self) -> Money | None:
        return self.price * self.quantity if self.price else None

    @property
    def sellable(self) -> bool:
        return (
            self.price is not None
            and self.variant.is_active
            and self.variant.product.is_active
            and (self.back_order or self.quantity <= self.available)
        )

    @property
    def later(self) -> int:
        """Units on back-order: they are sent when they have come."""
        return max(self.quantity - self.available, 0) if self.back_order else 0


@dataclass(frozen=True)
class PricedCart:
    """A cart in a currency. `total` counts lines that have a price."""

    lines: list[PricedLine]
    total: Money
    version: int

    @property
    def units(self) -> int:
        return sum(line.quantity for line in self.lines)

    @property
    def sellable(self) -> bool:
        return bool(self.lines) and all(line.sellable for line in self.lines)


def price_cart(cart: Cart | None, currency: str) -> PricedCart:
    """The cart's lines with today's prices and stock, in four queries however long it is."""
    if cart is None:
        return PricedCart([], Money(0, currency), 0)
    lines = []
    total = Money(0, currency)
    rows = cart.lines.select_related("variant__product", "variant__stock").prefetch_related(
        Prefetch("variant__prices", Price.objects.filter(currency=currency)),
        Prefetch("variant__images", ProductImage.objects.order_by("position", "pk")),
        Prefetch("variant__product__images", ProductImage.objects.order_by("position", "pk")),
    )
    for row in rows:
        price = next((price.money for price in row.variant.prices.all()), None)
        stock = getattr(row.variant, "stock", None)
        line = PricedLine(
            row.variant,
            row.quantity,
            price,
            stock.available if stock else 0,
            back_order=bool(stock and stock.back_order),
        )
        if line.total:
            total += line.total
        lines.append(line)
    return PricedCart(lines, total, cart.version)
