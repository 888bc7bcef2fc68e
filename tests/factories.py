"""Rows for tests: plain functions, every value with a default that surprises nobody."""

from itertools import count
from typing import Any

from orders.models import Order
from shop.models import Cart, CartLine, Category, Customer, Price, Product, Variant
from shop.models.catalogue import CURRENCIES
from shop.services.stock import Cause, Mover, open_stock

_numbers = count(1)


def make_customer(**fields: Any) -> Customer:
    return Customer.objects.create_user(
        fields.pop("email", f"customer{next(_numbers)}@example.com"),
        fields.pop("password", "harbour-light"),
        **fields,
    )


def make_order(**fields: Any) -> Order:
    """A pending order of 1000 + 80 TWD, without lines."""
    subtotal = fields.pop("subtotal_amount", 1000)
    delivery = fields.pop("delivery_amount", 80)
    values = {
        "email": "guest@example.com",
        "name": "Mei Lin",
        "line1": "1 Harbour Road",
        "city": "Taipei",
        "postcode": "100",
        "country": "TW",
        "currency": "TWD",
        "delivery_method": Order.Delivery.STANDARD,
        "payment_method": Order.Payment.INVOICE,
        "region": "taiwan",
    }
    return Order.objects.create(
        **values | fields,
        subtotal_amount=subtotal,
        delivery_amount=delivery,
        total_amount=subtotal + delivery,
    )


def make_category(**fields: Any) -> Category:
    values = {"name": "Bags", "slug": f"bags-{next(_numbers)}"}
    return Category.objects.create(**values | fields)


def make_product(*, stock: int = 10, amount: int = 1290, **fields: Any) -> Product:
    """A product on sale with one variant."""
    values = {"name": "Rope Bag", "slug": f"rope-bag-{next(_numbers)}"}
    if "category" not in fields:
        fields["category"] = make_category()
    product = Product.objects.create(**values | fields)
    make_variant(product, stock=stock, amount=amount)
    return product


def make_variant(
    product: Product, *, stock: int = 10, amount: int = 1290, **fields: Any
) -> Variant:
    """A variant with so many units, priced with the same number in every currency."""
    values = {"sku": f"RB-{next(_numbers)}", "options": {"Colour": "Sand"}}
    variant = Variant.objects.create(product=product, **values | fields)
    Price.objects.bulk_create(
        Price(variant=variant, currency=currency, amount=amount) for currency, _ in CURRENCIES
    )
    open_stock({variant.pk: stock}, Cause(Mover.SYSTEM, reason="test"))
    return variant


def make_cart(units: dict[Variant, int], **fields: Any) -> Cart:
    cart = Cart.objects.create(**fields)
    for variant, quantity in units.items():
        CartLine.objects.create(cart=cart, variant=variant, quantity=quantity)
    return cart
