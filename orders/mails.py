"""What shoppers are told by e-mail: queued with what it tells of, one message each."""

from typing import Any, Final

from django.core.mail import EmailMultiAlternatives
from django.utils import translation

from orders.models import Order, OutboxMessage
from orders.outbox import enqueue, handler

TEMPLATES: Final = (
    "confirmation",
    "shipped",
    "refunded",
    "stock_gone",
    "cancelled",
    "return_settled",
)


def queue_mail(order: Order, template: str, *, about: str = "", **context: Any) -> None:
    """Write down, in the caller's transaction, that the shopper is to be told.

    `about` is what it tells of (a shipment's, refund's or return's id): the same again is the same
    mail. `context` must be JSON. Rendered when it is sent, in the order's language.
    """
    if template not in TEMPLATES:
        raise ValueError(f"no mail is called {template}")
    enqueue(
        stream=f"order:{order.number}",
        kind="mail",
        key=f"mail:{template}:{order.number}:{about}",
        payload={
            "template": template,
            "number": order.number,
            "about": str(about),
            "context": context,
        },
    )


@handler("mail")
def send_mail(message: OutboxMessage) -> None:
    order = Order.objects.get(number=message.payload["number"])
    with translation.override(order.language):
        body = f"{order.number}: {message.payload['template']}"
        EmailMultiAlternatives(
            subject=f"Anyport {order.number}", body=body, to=[order.email]
        ).send()
