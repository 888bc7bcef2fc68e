"""The way to a payment, for browsers that an API's client sends."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe

from orders.models import Order, Payment
from orders.views.payment import to_order, to_payment_page
from shop.privacy import private_page


@require_safe
@private_page
def pay_link(request: HttpRequest, number: str, payment_id: UUID) -> HttpResponse:
    """To the gateway's page while something is to be paid, else to the order.

    Whoever knows a payment's id may pay for its order: it is a random UUID, and the page beyond
    shows no more than what is to be paid. The order asks for its e-mail.
    A link changes nothing: an order that is (now) paid by hand stays so.
    """
    payments = Payment.objects.select_related("order")
    payment = get_object_or_404(payments, pk=payment_id, order__number=number)
    if payment.order.payment_method != Order.Payment.CARD:
        return to_order(number)
    return to_payment_page(request, payment.order)
