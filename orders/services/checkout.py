"""Placing an order: stock, order and an empty cart in one transaction."""

from collections.abc import Callable
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import get_language

from orders.delivery import delivery_price
from orders.errors import CartChanged, EmptyCart, NotForSale, TotalChanged
from orders.gateways import gateway_of
from orders.mails import queue_mail
from orders.models import Order, OrderLine, OrderStatusChange
from orders.services.payments import HOLD, write_payment
from shop.models import Cart, CartLine, Customer, Price
from shop.money import Money
from shop.services.stock import Cause, Mover, allocate_stock


@dataclass(frozen=True)
class OrderDetails:
    """What the shopper tells at checkout, validated by a form or the API's schema."""

    email: str
    name: str
    line1: str
    line2: str
    city: str
    postcode: str
    country: str
    delivery_method: str
    payment_method: str
    currency: str


@dataclass(frozen=True)
class Shown:
    """What the shopper saw before they ordered; None is what they were not shown."""

    cart_version: int | None = None
    subtotal: Money | None = None
    total: Money | None = None
    """With delivery."""
    unseen: bool = False
    """They saw no price at all, so that none can be charged."""


@transaction.atomic
def place_order(
    *,
    cart: Cart | None,
    customer: Customer | None,
    details: OrderDetails,
    shown: Shown,
    settle: Callable[[Order], object] | None = None,
) -> Order:
    """Turn the cart into an order. `settle` is called with it before its stock is taken.

    Call it inside `idempotent(...)`. Raises EmptyCart, NotForSale, OutOfStock; CartChanged and
    TotalChanged when it would not hold or cost what was `shown`, or nothing was; then nothing has
    changed.
    The cart is read under its lock, so that a second tab finds it empty. The prices need none:
    what is written into the order is what was compared with what the shopper saw, and a price
    that changes while the order is written is that of the next order.
    """
    cart = lock_cart(cart) if cart else None
    lines = list(cart.lines.select_related("variant__product")) if cart else []
    if cart is None or not lines:
        raise EmptyCart
    if shown.cart_version not in (None, cart.version):
        raise CartChanged(cart.version)
    priced = _price_lines(lines, details.currency)
    subtotal = sum((price * line.quantity for line, price in priced), Money(0, details.currency))
    delivery = delivery_price(details.delivery_method, subtotal)
    as_shown = shown.subtotal in (None, subtotal) and shown.total in (None, subtotal + delivery)
    if shown.unseen or not as_shown:
        raise TotalChanged(subtotal, subtotal + delivery)
    order = _write_order(priced, subtotal, delivery, customer, details)
    cart.lines.all().delete()
    Cart.objects.filter(pk=cart.pk).update(version=F("version") + 1, updated_at=Now())
    if settle:
        settle(order)
    # Last: whoever wants the same units waits from here until the commit.
    cause = Cause(Mover.SHOPPER, customer, order=order.number)
    allocate_stock({line.variant_id: line.quantity for line in lines}, cause)
    return order


def lock_cart(cart: Cart) -> Cart | None:
    """As it is now and stays until the transaction ends; None if it is gone."""
    return Cart.objects.select_for_update().filter(pk=cart.pk).first()


def _price_lines(lines: list[CartLine], currency: str) -> list[tuple[CartLine, Money]]:
    prices = {
        price.variant_id: price.money
        for price in Price.objects.filter(
            variant__in=[line.variant_id for line in lines], currency=currency
        )
    }
    for line in lines:
        variant = line.variant
        on_sale = variant.is_active and variant.product.is_active
        if line.variant_id not in prices or not on_sale:
            raise NotForSale(variant.sku, variant.product.name)
    return [(line, prices[line.variant_id]) for line in lines]


def _write_order(
    priced: list[tuple[CartLine, Money]],
    subtotal: Money,
    delivery: Money,
    customer: Customer | None,
    details: OrderDetails,
) -> Order:
    hold = HOLD[Order.Payment(details.payment_method)]
    order = Order.objects.create(
        customer=customer,
        email=details.email,
        name=details.name,
        line1=details.line1,
        line2=details.line2,
        city=details.city,
        postcode=details.postcode,
        country=details.country,
        currency=details.currency,
        delivery_method=details.delivery_method,
        payment_method=details.payment_method,
        subtotal_amount=subtotal.amount,
        delivery_amount=delivery.amount,
        total_amount=(subtotal + delivery).amount,
        expires_at=timezone.now() + hold if hold else None,
        region=settings.ANYPORT_REGION,
        language=get_language() or settings.LANGUAGE_CODE,
    )
    OrderLine.objects.bulk_create(
        OrderLine(
            order=order,
            variant=line.variant,
            sku=line.variant.sku,
            name=line.variant.product.name,
            options=line.variant.options,
            quantity=line.quantity,
            unit_amount=price.amount,
            total_amount=(price * line.quantity).amount,
        )
        for line, price in priced
    )
    OrderStatusChange.objects.create(order=order, to_status=order.status, actor=customer)
    write_payment(order=order, gateway=gateway_of(details.payment_method))
    queue_mail(order, "confirmation")
    return order
