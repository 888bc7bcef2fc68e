"""Effects outside the database: written with what they follow from, done after it."""

import pytest
from django.core import mail
from django.db import transaction

from orders.mails import queue_mail
from orders.models import OutboxMessage
from orders.outbox import relay
from tests.factories import make_order

pytestmark = pytest.mark.django_db


def test_a_mail_that_is_queued_twice_is_sent_once() -> None:
    order = make_order()

    queue_mail(order, "confirmation")
    queue_mail(order, "confirmation")

    assert relay() == 1
    assert relay() == 0
    assert [message.to for message in mail.outbox] == [["guest@example.com"]]
