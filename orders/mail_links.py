"""The link in a shopper's mail, which lets the browser that opens it change the order.

A session lives for a day and a parcel travels for longer: so a guest's right to cancel the order,
or to send something back, must come from somewhere else. Whoever reads the order's mail has it.
The link opens one order, is good for AGE, and ends with a change of the order's e-mail address: a
mail that went astray opens nothing any more once the address is put right.
"""

from datetime import timedelta
from typing import Final

from django.conf import settings
from django.core.signing import BadSignature, TimestampSigner
from django.urls import reverse

from orders.models import Order

AGE: Final = timedelta(days=90)
"""Longer than parcels travel and shoppers may change their mind."""
SALT: Final = "orders.mail_links"


def mail_link(order: Order) -> str:
    """Absolute, and another one each second. Nothing of it is stored."""
    ticket = _signer().sign(_subject(order)).removeprefix(f"{_subject(order)}.")
    return settings.ANYPORT_URL + reverse("orders:mail_link", args=[order.number, ticket])


def opens(order: Order, ticket: str) -> bool:
    """Whether the link with this ticket is one of the order's, and not too old."""
    try:
        _signer().unsign(f"{_subject(order)}.{ticket}", max_age=AGE)
    except BadSignature:
        return False
    return True


def _subject(order: Order) -> str:
    return f"{order.number} {order.email.casefold()}"


def _signer() -> TimestampSigner:
    """Its separator is no part of base64, and nothing that a mail program ends a link at."""
    return TimestampSigner(sep=".", salt=SALT)
