"""What shoppers are told by e-mail: queued with what it tells of, one message each."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from smtplib import SMTPRecipientsRefused
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ObjectDoesNotExist
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from orders.idempotency import KeyReused
from orders.mail_links import AGE as LINK_AGE
from orders.mail_links import mail_link
from orders.models import Order, OrderLine, OutboxMessage, Payment
from orders.outbox import Undeliverable, enqueue, handler
from shop.money import Money

AGAIN: Final = ":again:"
"""In a key: what follows tells the copies that staff sent from each other."""


@dataclass(frozen=True)
class Line:
    """`total` is None where it is not about money."""

    quantity: int
    name: str
    options: str
    total: Money | None = None


def queue_mail(order: Order, template: str, *, about: str = "", **context: Any) -> None:
    """Write down, in the caller's transaction, that the shopper is to be told.

    `about` is what it tells of (a shipment's, refund's or return's id): the same again is the same
    mail. `context` must be JSON: an `amount` is in minor units of the order's currency. Rendered
    when it is sent, in the order's language.
    """
    message = mail_of(order, template, about=about, **context)
    enqueue(stream=message.stream, kind=message.kind, key=message.key, payload=message.payload)


def mail_of(order: Order, template: str, *, about: str = "", **context: Any) -> OutboxMessage:
    """The message that `queue_mail` writes, unsaved: `queue_again` sends what it says."""
    if template not in MAILS:
        raise ValueError(f"no mail is called {template}")
    return OutboxMessage(
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


def queue_again(message: OutboxMessage, *, key: UUID) -> bool:
    """Tell the shopper once more, in the caller's transaction. The same `key` is the same mail.

    It is another message to their mail server, which may drop a copy of the first. False where it
    was queued before; hold the order's lock, or two at once are both told that theirs is new.
    Raises KeyReused where another mail of the order was sent again under the key.
    """
    name = f"{message.key.partition(AGAIN)[0]}{AGAIN}{key}"
    same_key = OutboxMessage.objects.filter(stream=message.stream, key__endswith=f"{AGAIN}{key}")
    names = set(same_key.values_list("key", flat=True))
    if names - {name}:
        raise KeyReused
    is_new = name not in names
    enqueue(stream=message.stream, kind=message.kind, key=name, payload=message.payload)
    return is_new


@handler("mail")
def send_mail(message: OutboxMessage) -> None:
    """Raises Undeliverable for an order that is gone, and an address that nobody can write to."""
    number = message.payload["number"]
    try:
        mail = compose(Order.objects.get(number=number), message)
    except ObjectDoesNotExist as error:
        raise Undeliverable(f"{number}: {error}") from error
    try:
        mail.send()
    except ValueError as error:  # Django cannot make an address of it
        raise Undeliverable(f"{number}: {error}") from error
    except SMTPRecipientsRefused as error:
        codes = [code for code, _ in error.recipients.values()]
        if all(code >= 500 for code in codes):  # "try later" is 4xx
            raise Undeliverable(f"{number}: the mail server answers {codes}") from error
        raise


def compose(order: Order, message: OutboxMessage) -> EmailMultiAlternatives:
    """The mail as it is now to be sent. Raises ObjectDoesNotExist for what it tells of."""
    template = message.payload["template"]
    about = message.payload["about"]
    kind = MAILS[template]
    with translation.override(order.language):
        subject = str(kind.subject) % {"number": order.number}
        context = {
            **_common(order, message.payload["context"]),
            **(_link(order) if kind.opens else {}),
            **kind.context(order, about),
            "about": about,
            "subject": subject,
        }
        mail = EmailMultiAlternatives(
            subject=subject,
            body=_squeeze(render_to_string(f"orders/mail/{template}.txt", context)),
            to=[order.email],
            headers={"Message-ID": message_id(message), "Auto-Submitted": "auto-generated"},
        )
        page = render_to_string(f"orders/mail/{template}.html", context)
        mail.attach_alternative(page, "text/html")
    return mail


def message_id(message: OutboxMessage) -> str:
    """Made from the key, so that a second delivery of the same mail is known for a copy."""
    host = urlsplit(settings.ANYPORT_URL).hostname
    name = re.sub(r"[^A-Za-z0-9-]+", ".", message.key).strip(".")
    return f"<{name}@{host}>"


def _common(order: Order, given: dict[str, Any]) -> dict[str, Any]:
    amount = given.get("amount", order.total_amount)
    return {
        **given,
        "order": order,
        "money": Money(amount, order.currency),
        "payment_due": order.payment_method if _is_due(order) else "",
        "bank": settings.SHOP_BANK_ACCOUNT,
        "home": settings.ANYPORT_URL + "/",
        "url": settings.ANYPORT_URL + order.get_absolute_url(),
        "language": order.language,
    }


def _link(order: Order) -> dict[str, Any]:
    """Fresh in each mail, a copy that staff send again included."""
    return {"url": mail_link(order), "link_days": LINK_AGE.days}


def _is_due(order: Order) -> bool:
    """Whether its money is yet to come. Only what is paid at the door leaves before it is paid."""
    if order.status == Order.Status.PENDING:
        return True
    if order.status not in (Order.Status.PARTLY_FULFILLED, Order.Status.FULFILLED):
        return False
    # Cash that came after its parcel is in the payment alone; old orders have the history alone.
    taken = order.payments.filter(state__in=(Payment.State.CAPTURED, Payment.State.REFUNDED))
    return not (taken.exists() or order.history.filter(to_status=Order.Status.PAID).exists())


def _confirmation(order: Order, about: str) -> dict[str, Any]:
    lines = order.lines.select_related("order")
    return {
        "lines": [Line(line.quantity, line.name, line.option_text, line.total) for line in lines]
    }


def _shipped(order: Order, about: str) -> dict[str, Any]:
    parcel = order.shipments.get(pk=about)
    return {
        "parcel": parcel,
        # The courier of the first asks for the whole sum.
        "is_first": not order.shipments.filter(shipped_at__lt=parcel.shipped_at).exists(),
        "lines": _units(parcel.lines.values_list("line", "quantity"), order),
        "rest_follows": any(line.open_quantity for line in order.lines.all()),
    }


def _return_settled(order: Order, about: str) -> dict[str, Any]:
    request = order.returns.get(pk=about)
    return {
        "request": request,
        "lines": _units(request.lines.values_list("line", "quantity"), order),
    }


def _units(units: Iterable[tuple[int, int]], order: Order) -> list[Line]:
    lines: dict[int, OrderLine] = order.lines.in_bulk()
    return [Line(count, lines[pk].name, lines[pk].option_text) for pk, count in units]


def _cancelled(order: Order, about: str) -> dict[str, Any]:
    step = order.history.filter(to_status=Order.Status.CANCELLED).last()
    return {"reason": step.note if step else ""}


def _nothing_more(order: Order, about: str) -> dict[str, Any]:
    return {}


def _squeeze(text: str) -> str:
    """One empty line at most between paragraphs, whatever the template's branches left."""
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


@dataclass(frozen=True)
class Mail:
    subject: Promise
    context: Callable[[Order, str], dict[str, Any]]
    """Of the order and `about`; raises ObjectDoesNotExist."""
    opens: bool = False
    """Whether its link lets the reader cancel the order or send something back."""


MAILS: Final[dict[str, Mail]] = {
    "confirmation": Mail(_("Your Anyport order %(number)s"), _confirmation, opens=True),
    "shipped": Mail(_("On its way: your Anyport order %(number)s"), _shipped, opens=True),
    "refunded": Mail(_("Money back for your Anyport order %(number)s"), _nothing_more),
    "stock_gone": Mail(_("Sold out: your Anyport order %(number)s"), _nothing_more),
    "cancelled": Mail(_("Cancelled: your Anyport order %(number)s"), _cancelled),
    "return_settled": Mail(_("Your return of Anyport order %(number)s"), _return_settled),
}
