"""The way to a payment, for browsers that an API's client sends."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_safe

from orders.models import Payment
from orders.services.payments import advance
from shop.privacy import private_page


@require_safe
@private_page
def pay_link(request: HttpRequest, number: str, payment_id: UUID) -> HttpResponse:
    """To the gateway's page while something is to be paid, else to the order.

    Whoever knows the payment's id may pay for it: it is a random UUID, and the page beyond shows
    no more than what is to be paid. The order asks for its e-mail.
    """
    get_object_or_404(Payment, pk=payment_id, order__number=number)
    payment = advance(payment_id)
    return redirect(payment.action_url or payment.order)
