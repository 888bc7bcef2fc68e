"""The link in a guest's mail: it opens their order to whoever reads the mail, to nobody else."""

import re
import time
from collections.abc import Callable
from datetime import timedelta
from http import HTTPStatus

import pytest
from django.core import mail
from django.core.mail import EmailMultiAlternatives
from django.core.signing import TimestampSigner, b62_encode
from django.db import transaction
from django.test import Client
from pytest_django.fixtures import Settings

from orders.mail_links import AGE, mail_link
from orders.mails import MAILS, compose, queue_mail
from orders.models import Order, OutboxMessage, Return
from orders.outbox import relay
from orders.queries import SESSION_ORDERS, SESSION_PLACED
from orders.services.fulfilment import ship_rest
from orders.views import order as order_view
from shop.models import Variant
from tests.orders.life import line_ids, paid, placed, steps
from tests.shopper import forms_of

pytestmark = pytest.mark.django_db(transaction=True)

LINK = re.compile(r'http[^\s"]+/mail/[^\s"]+')


@pytest.fixture
def order(variant: Variant) -> Order:
    return placed({variant: 3})


def mails_of(order: Order) -> list[EmailMultiAlternatives]:
    """All that are waiting, sent."""
    relay()
    return [each for each in mail.outbox if isinstance(each, EmailMultiAlternatives)]


def links_in(message: EmailMultiAlternatives) -> list[str]:
    """One in the text, one in the HTML."""
    return LINK.findall(str(message.body)) + LINK.findall(str(message.alternatives[0][0]))


def path_of(link: str, settings: Settings) -> str:
    assert link.startswith(settings.ANYPORT_URL)
    return link.removeprefix(settings.ANYPORT_URL)


def rights(client: Client) -> tuple[list[str], list[str]]:
    """Orders that this browser may read, and those that it may change."""
    return client.session.get(SESSION_ORDERS, []), client.session.get(SESSION_PLACED, [])


def test_a_guest_returns_what_came_after_their_session_had_ended(
    variant: Variant, settings: Settings
) -> None:
    order = paid({variant: 3})
    ship_rest(order=order)
    link = links_in(mails_of(order)[-1])[0]
    browser = Client()  # which knows nothing of the order

    opened = browser.get(path_of(link, settings))
    page = browser.get(opened["Location"])
    url = f"{order.get_absolute_url()}return/"
    (form,) = [form for form in forms_of(browser.get(url).text) if "key" in form.fields]
    wish = form.fields | {f"line_{line_ids(order)[0]}": "2", "reason": "Too small"}
    browser.post(url, wish)

    assert (opened.status_code, opened["Location"]) == (302, order.get_absolute_url())
    assert f'href="{url}"' in page.text
    assert Return.objects.get().lines.get().quantity == 2


def test_a_guest_cancels_on_another_device(order: Order, settings: Settings) -> None:
    browser = Client()
    browser.get(path_of(mail_link(order), settings))

    browser.post(f"{order.get_absolute_url()}cancel/")

    assert steps(order) == [("cancelled", "As you asked")]


def test_number_and_email_still_only_show_it(order: Order) -> None:
    """The control: the same without the link."""
    browser = Client()
    browser.post("/orders/", {"number": order.number, "email": order.email})

    browser.post(f"{order.get_absolute_url()}cancel/")

    assert (steps(order), rights(browser)) == ([], ([order.number], []))


def test_a_mail_scanner_that_opens_every_link_changes_nothing(
    order: Order, settings: Settings
) -> None:
    scanner, path = Client(), path_of(mail_link(order), settings)

    answers = [scanner.head(path), scanner.get(path, follow=True), scanner.post(path)]

    order.refresh_from_db()
    assert [answer.status_code for answer in answers] == [302, 200, 405]
    assert (order.status, steps(order), Return.objects.count()) == ("pending", [], 0)
    assert rights(scanner) == ([order.number], [order.number])  # its own session's, and so
    assert rights(Client()) == ([], [])  # nobody else's


def test_the_link_is_told_to_no_other_page(order: Order, settings: Settings) -> None:
    """Neither a good one nor a bad one."""
    path = path_of(mail_link(order), settings)

    for answer in (Client().get(path), Client().get(f"{path[:-3]}/")):
        assert answer["Referrer-Policy"] == "no-referrer"
        assert answer["Cache-Control"] == "private, no-store"


def earlier(age: timedelta) -> Callable[[TimestampSigner], str]:
    return lambda _signer: b62_encode(int(time.time() - age.total_seconds()))


def signed_before(order: Order, age: timedelta) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TimestampSigner, "timestamp", earlier(age))
        return mail_link(order)


def of_another_order(order: Order, variant: Variant) -> str:
    other = placed({variant: 1})
    return mail_link(other).replace(other.number, order.number)


def to_another_address(order: Order, variant: Variant) -> str:
    link = mail_link(order)
    Order.objects.update(email="right@example.com")
    return link


def of_another_purpose(order: Order, variant: Variant) -> str:
    value = f"{order.number} {order.email}"
    ticket = TimestampSigner(sep=".", salt="other").sign(value).removeprefix(f"{value}.")
    return re.sub(r"mail/.*", f"mail/{ticket}/", mail_link(order))


BAD: list[Callable[[Order, Variant], str]] = [
    lambda order, _: signed_before(order, AGE + timedelta(minutes=1)),
    lambda order, _: mail_link(order)[:-3] + "/",
    lambda order, _: re.sub(r"mail/\w+", "mail/zzzzzz", mail_link(order)),
    lambda order, _: mail_link(order).replace(order.number, "AP-0000-0000-0000"),
    of_another_order,
    to_another_address,
    of_another_purpose,
]


@pytest.mark.parametrize("link", BAD)
def test_a_link_that_is_none_says_what_to_do_and_opens_nothing(
    order: Order, variant: Variant, settings: Settings, link: Callable[[Order, Variant], str]
) -> None:
    browser = Client()

    answer = browser.get(path_of(link(order, variant), settings))

    assert answer.status_code == HTTPStatus.NOT_FOUND
    assert "This link has ended, or a part of it is missing." in answer.text
    assert 'name="email"' in answer.text  # as for whoever has lost it
    assert rights(browser) == ([], [])


def test_whose_signature_is_not_looked_at_opens_every_order(
    order: Order, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control."""
    monkeypatch.setattr(order_view, "opens", lambda order, ticket: True)
    browser = Client()

    browser.get(path_of(mail_link(order)[:-3] + "/", settings))

    assert rights(browser) == ([order.number], [order.number])


def test_a_link_is_good_until_its_last_day_and_under_a_former_secret(
    order: Order, settings: Settings
) -> None:
    link = signed_before(order, AGE - timedelta(hours=1))
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another one"
    browser = Client()

    assert browser.get(path_of(link, settings)).status_code == HTTPStatus.FOUND


def test_confirmation_and_parcel_carry_it_in_every_language(variant: Variant) -> None:
    order = paid({variant: 1})
    ship_rest(order=order)
    with transaction.atomic():
        for template in MAILS.keys() - {"confirmation", "shipped", "return_settled"}:
            queue_mail(order, template)
    told = set()
    for language in ("en", "ja", "zh-hant"):
        order.language = language
        for message in OutboxMessage.objects.all():
            composed = compose(order, message)
            carries = message.payload["template"] in ("confirmation", "shipped")
            assert len(links_in(composed)) == (2 if carries else 0)
            told |= set(re.findall(rf"{LINK.pattern}\n(.+)", str(composed.body)))
    assert (len(told), all(str(AGE.days) in sentence for sentence in told)) == (3, True)
