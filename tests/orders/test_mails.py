"""What shoppers are told by e-mail: the right words, in their language, exactly once."""

import email
import os
import re
import signal
import socketserver
import subprocess
import sys
from collections.abc import Iterator
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import uuid4

import pytest
from django.core import mail
from django.core.mail import EmailMultiAlternatives
from django.db import connection, transaction
from django.test import Client
from django.utils import translation
from pytest_django.fixtures import Settings

from orders.mails import MAILS, compose, message_id, queue_again, queue_mail
from orders.models import Order, OutboxMessage, Return, ReturnLine, Shipment, ShipmentLine
from orders.outbox import relay
from regions.embedded.plan import REPOSITORY
from shop.models import Variant
from tests.factories import make_order
from tests.orders.test_api import fill_cart, place
from tests.orders.test_invoice import make_ordered

pytestmark = pytest.mark.django_db


def told(order: Order, template: str, *, about: str = "", **context: Any) -> EmailMultiAlternatives:
    """The one mail that is sent."""
    queue_mail(order, template, about=about, **context)
    assert relay() == 1
    (message,) = mail.outbox
    assert isinstance(message, EmailMultiAlternatives)
    return message


def text(message: EmailMultiAlternatives) -> str:
    return str(message.body)


def html(message: EmailMultiAlternatives) -> str:
    ((page, kind),) = message.alternatives
    assert kind == "text/html"
    return str(page)


# --- what they say ------------------------------------------------------------------------------


def test_a_confirmation_says_what_was_ordered_and_how_it_is_paid(settings: Settings) -> None:
    order = make_ordered(2)

    message = told(order, "confirmation")

    assert message.to == ["guest@example.com"]
    assert message.subject == f"Your Anyport order {order.number}"
    url = f"{settings.ANYPORT_URL}/orders/{order.number}/"
    for words in ("1 × Rope Bag (Sand): NT$1,290", "Total: NT$2,660", "Please transfer NT$2,660"):
        assert words in text(message)
    for page in (text(message), html(message)):
        assert url in page
        assert settings.SHOP_BANK_ACCOUNT in page
        assert "1 Harbour Road" in page
        assert "NT$2,660" in page
    assert "\n\n\n" not in text(message)


def test_a_confirmation_asks_for_no_money_that_has_come() -> None:
    order = make_ordered()
    queue_mail(order, "confirmation")
    Order.objects.filter(pk=order.pk).update(status=Order.Status.PAID)

    relay()

    assert "transfer" not in mail.outbox[0].body
    assert "We have your payment and are packing the parcel." in mail.outbox[0].body


def test_a_parcel_is_told_of_with_what_is_in_it() -> None:
    order = make_ordered(2, status=Order.Status.PARTLY_FULFILLED)
    sent, left = order.lines.all()
    parcel = Shipment.objects.create(order=order, tracking="TW 123")
    ShipmentLine.objects.create(shipment=parcel, line=sent, quantity=1)
    order.history.create(to_status=Order.Status.PAID)
    sent.shipped_quantity = 1
    sent.save()

    message = told(order, "shipped", about=str(parcel.pk))

    for page in (text(message), html(message)):
        assert "TW 123" in page
        assert page.count("Rope Bag") == 1
        assert "The rest follows in another parcel." in page
        assert "courier" not in page
    assert left.open_quantity == 1


def test_a_refund_a_cancellation_and_sold_out_goods_are_told_of() -> None:
    order = make_ordered()
    order.history.create(to_status=Order.Status.CANCELLED, note="Not paid in time")

    queue_mail(order, "refunded", about="a", amount=500)
    queue_mail(order, "refunded", about="b", amount=870)
    queue_mail(order, "cancelled")
    queue_mail(order, "stock_gone")

    assert relay() == 4
    bodies = [str(message.body) for message in mail.outbox]
    assert "We have sent back NT$500 " in bodies[0]
    assert "We have sent back NT$870 " in bodies[1]
    assert "nothing will be sent.\n\nNot paid in time\n" in bodies[2]
    assert "We send back all of it, NT$1,370" in bodies[3]


@pytest.mark.parametrize(
    ("state", "words"),
    [(Return.State.RECEIVED, "We have got back"), (Return.State.DECLINED, "We cannot take back")],
)
def test_a_return_is_told_of_with_the_answer(state: str, words: str) -> None:
    order = make_ordered()
    request = Return.objects.create(order=order, state=state, reason="", answer="It is <torn>.")
    ReturnLine.objects.create(request=request, line=order.lines.get(), quantity=1)

    message = told(order, "return_settled", about=str(request.pk))

    assert words in text(message)
    assert "It is <torn>." in text(message)
    assert "It is &lt;torn&gt;." in html(message)


def test_every_mail_is_written_in_every_language() -> None:
    order = make_ordered(name="Bag")
    parcel = Shipment.objects.create(order=order)
    request = Return.objects.create(order=order, reason="")
    about = {"shipped": str(parcel.pk), "return_settled": str(request.pk)}
    written: dict[str, set[str]] = {}
    for language in ("en", "ja", "zh-hant"):
        order.language = language
        for template in MAILS:
            message = OutboxMessage(
                key="k",
                payload={"template": template, "about": about.get(template, ""), "context": {}},
            )
            composed = compose(order, message)
            written.setdefault(template, set()).update(
                (str(composed.subject), text(composed), html(composed))
            )
            assert f'<html lang="{language}">' in html(composed)

    assert {template: len(pages) for template, pages in written.items()} == dict.fromkeys(MAILS, 9)


def test_a_shopper_is_written_to_in_the_language_they_ordered_in(variant: Variant) -> None:
    shopper = Client(headers={"Accept-Language": "ja"})
    fill_cart(shopper, variant, 1)
    place(shopper)

    with translation.override("en"):  # as a worker has it
        relay()

    order = Order.objects.get()
    assert order.language == "ja"
    assert mail.outbox[0].subject == f"Anyport ご注文 {order.number}"


def test_what_a_shopper_wrote_is_no_markup() -> None:
    order = make_ordered(name="<b>Bag</b> & Co", line1="<script>alert(1)</script>")

    message = told(order, "confirmation")

    assert "<script>" not in html(message)
    assert "&lt;b&gt;Bag&lt;/b&gt; &amp; Co" in html(message)
    assert "<b>Bag</b> & Co" in text(message)


# --- exactly one --------------------------------------------------------------------------------


def test_every_message_id_is_one_line_that_a_server_takes(settings: Settings) -> None:
    settings.ANYPORT_URL = "https://shop.example"
    order = make_ordered()
    with transaction.atomic():
        queue_mail(order, "return_settled", about=str(uuid4()))
    first = OutboxMessage.objects.get()
    queue_again(first, key=uuid4())
    second = OutboxMessage.objects.last()
    assert second

    ids = [message_id(first), message_id(second)]

    assert len(second.key) <= 120  # the column's
    assert len(set(ids)) == 2
    for identifier in ids:
        assert re.fullmatch(r"<[A-Za-z0-9.-]+@shop\.example>", identifier)
        assert ".." not in identifier
        sent = EmailMultiAlternatives(headers={"Message-ID": identifier}).message().as_bytes()
        assert email.message_from_bytes(sent, policy=default)["Message-ID"] == identifier


def test_a_mail_is_sent_again_once_for_each_click() -> None:
    order = make_ordered()
    told(order, "confirmation")
    message, click = OutboxMessage.objects.get(), uuid4()

    queue_again(message, key=click)
    queue_again(message, key=click)
    assert relay() == 1
    queue_again(OutboxMessage.objects.last() or message, key=uuid4())
    assert relay() == 1

    identifiers = {sent.extra_headers["Message-ID"] for sent in mail.outbox}
    assert len(identifiers) == len(mail.outbox) == 3


def mail_to_files(settings: Settings, backend: str, directory: Path) -> None:
    settings.MAILERS = {"default": {"BACKEND": backend, "OPTIONS": {"file_path": str(directory)}}}


RELAY: str = """
import os, signal
import django
django.setup()
from django.conf import settings
from django.core.mail import mailers
from orders.outbox import relay

settings.MAILERS = {mailers!r}
backend = type(mailers.default)
send = backend.send_messages

def killed(self, messages):
    send(self, messages)
    os.kill(os.getpid(), signal.SIGKILL)

if {kill}:
    backend.send_messages = killed
print(relay())
"""


def relay_in_a_process(mailers: Any, *, kill: bool) -> int:
    """Its exit code. With `kill` it dies when the mail is delivered, before it can write that."""
    code = RELAY.format(mailers=mailers, kill=kill)
    environment = os.environ | {"DATABASE_NAME": str(connection.settings_dict["NAME"])}
    return subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, env=environment, check=False, timeout=60
    ).returncode


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("backend", "files"),
    [
        ("shop.mailbox.FileBackend", 1),
        ("django.core.mail.backends.filebased.EmailBackend", 2),  # control
    ],
)
def test_a_relay_that_dies_after_it_has_sent_leaves_one_mail(
    settings: Settings, tmp_path: Path, backend: str, files: int
) -> None:
    mail_to_files(settings, backend, tmp_path)
    order = make_ordered()
    with transaction.atomic():
        queue_mail(order, "confirmation")

    assert relay_in_a_process(settings.MAILERS, kill=True) == -signal.SIGKILL
    message = OutboxMessage.objects.get()
    assert (message.done_at, message.attempts) == (None, 1)
    OutboxMessage.objects.update(next_try_at=message.created_at)
    assert relay() == 1

    delivered = [email.message_from_bytes(path.read_bytes()) for path in tmp_path.iterdir()]
    assert [each["Message-ID"] for each in delivered] == [message_id(message)] * files


def test_mails_without_a_name_of_ours_are_a_file_each(settings: Settings, tmp_path: Path) -> None:
    mail_to_files(settings, "shop.mailbox.FileBackend", tmp_path / "new")

    for _ in range(2):
        EmailMultiAlternatives("Choose a new password", "…", to=["a@example.com"]).send()

    paths = list((tmp_path / "new").iterdir())
    assert len(paths) == 2
    assert all(path.suffix == ".eml" for path in paths)


# --- the mail server ----------------------------------------------------------------------------


class MailServer(socketserver.StreamRequestHandler):
    """Enough of SMTP. Recipients' names say how it answers."""

    def handle(self) -> None:
        received: list[EmailMessage] = self.server.received  # type: ignore[attr-defined]  # the handlers' list
        self._say("220 ready")
        while line := self.rfile.readline().decode().strip():
            match line.split(":")[0].upper():
                case "DATA":
                    self._say("354 go on")
                    body = b"".join(iter(self.rfile.readline, b".\r\n"))
                    received.append(email.message_from_bytes(body, policy=default))
                    self._say("250 taken")
                case "RCPT TO" if "nobody@" in line:
                    self._say("550 no such mailbox")
                case "RCPT TO" if "later@" in line:
                    self._say("451 try again later")
                case "RCPT TO" if "frozen@" in line:
                    self.rfile.read()  # until the client hangs up
                    return
                case _:
                    self._say("221 bye" if line.upper() == "QUIT" else "250 so be it")

    def _say(self, line: str) -> None:
        self.wfile.write(line.encode() + b"\r\n")


@pytest.fixture
def received(settings: Settings) -> Iterator[list[EmailMessage]]:
    """What a mail server got, over the wire; it is the shop's."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), MailServer) as server:
        server.received = []  # type: ignore[attr-defined]  # the handlers' list
        Thread(target=server.serve_forever, daemon=True).start()
        options = {"host": "127.0.0.1", "port": server.server_address[1], "timeout": 20}
        backend = "django.core.mail.backends.smtp.EmailBackend"
        settings.MAILERS = {"default": {"BACKEND": backend, "OPTIONS": options}}
        yield server.received  # type: ignore[attr-defined]  # the handlers' list
        server.shutdown()


def test_a_mail_server_gets_text_and_html_under_one_name(received: list[EmailMessage]) -> None:
    order = make_ordered(name="急須")

    queue_mail(order, "confirmation")
    relay()

    (message,) = received
    assert message["Message-ID"] == message_id(OutboxMessage.objects.get())
    assert message["Auto-Submitted"] == "auto-generated"
    parts = [part.get_content_type() for part in message.iter_parts()]
    assert parts == ["text/plain", "text/html"]
    plain = message.get_body(("plain",))
    assert plain is not None
    assert "急須" in plain.get_content()


@pytest.mark.parametrize(
    ("recipient", "dead", "error"),
    [
        ("nobody@example.com", True, "the mail server answers [550]"),
        ("später@example.com", True, "non-ASCII"),
        ("later@example.com", False, "try again later"),
        ("frozen@example.com", False, "timed out"),
    ],
)
def test_a_mail_that_is_not_taken_is_tried_again_where_that_may_help(
    received: list[EmailMessage],
    settings: Settings,
    recipient: str,
    dead: bool,
    error: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    if recipient.startswith("frozen"):
        settings.MAILERS["default"]["OPTIONS"]["timeout"] = 0.5
    queue_mail(make_order(email=recipient), "confirmation")

    assert relay() == 0

    message = OutboxMessage.objects.get()
    assert error in message.error
    assert "example.com" not in message.error + caplog.text
    assert (message.dead_at is not None) == dead
    assert received == []


def test_a_mail_about_what_is_gone_is_given_up() -> None:
    queue_mail(make_order(), "shipped", about=str(uuid4()))

    assert relay() == 0
    assert OutboxMessage.objects.get().dead_at


def test_an_unknown_mail_is_not_queued() -> None:
    with pytest.raises(ValueError, match="no mail is called"):
        queue_mail(make_order(), "advertisement")
