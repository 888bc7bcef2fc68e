"""Orders that wait for their money, and time that passes, for tests of payments and refunds."""

from datetime import timedelta

from django.db.models import F

from orders.models import Order, OutboxMessage, Payment, Refund
from orders.services.checkout import OrderDetails, Shown, place_order
from orders.services.payments import advance, open_payment
from shop.models import Variant
from tests.bank import NAME, Bank
from tests.factories import make_cart, make_order


def make_payment(order: Order | None = None, *, gateway: str = NAME) -> Payment:
    return open_payment(order=order or make_order(payment_method="card"), gateway=gateway)


def make_captured(bank: Bank, order: Order | None = None) -> Payment:
    """The money of 1080 TWD is here, and the order is paid."""
    payment = advance(make_payment(order).pk)
    bank.pay(payment)
    payment = advance(payment.pk)
    assert (payment.state, payment.order.status) == ("captured", "paid")
    return payment


def place(variant: Variant, units: int = 1, *, method: str = "card") -> Order:
    details = OrderDetails(
        email="mei@example.com",
        name="Mei Lin",
        line1="1 Harbour Road",
        line2="",
        city="Taipei",
        postcode="100",
        country="TW",
        delivery_method=Order.Delivery.STANDARD,
        payment_method=method,
        currency="TWD",
    )
    cart = make_cart({variant: units})
    return place_order(cart=cart, customer=None, details=details, shown=Shown())


def pass_time(**time: float) -> None:
    """For payments and refunds; `hours=2`."""
    passed = timedelta(**time)
    for model in (Payment, Refund):
        model._default_manager.update(
            next_try_at=F("next_try_at") - passed, claimed_until=F("claimed_until") - passed
        )


def mails(order: Order) -> list[str]:
    """What the shopper is told, in order; `confirmation` excepted."""
    messages = OutboxMessage.objects.filter(kind="mail", payload__number=order.number)
    told = [str(message.payload["template"]) for message in messages.order_by("pk")]
    return [template for template in told if template != "confirmation"]


def history(order: Order) -> list[str]:
    """Statuses that the order went through."""
    return list(order.history.values_list("to_status", flat=True))
