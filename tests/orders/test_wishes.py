"""What a shopper asks of a placed order: to cancel it, to send something back."""

from http import HTTPStatus
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from orders.models import Order, Return
from orders.queries import SESSION_ORDERS, SESSION_PLACED
from orders.services.fulfilment import ship_rest
from shop.models import Variant
from tests.factories import make_customer, make_product
from tests.orders.life import ledger, line_ids, lines, mails, paid, placed, stock
from tests.orders.outcomes import Outcomes
from tests.shopper import forms_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def variant() -> Variant:
    return make_product().variants.get()


def remember(client: Client, order: Order) -> None:
    session = client.session
    session[SESSION_ORDERS] = session[SESSION_PLACED] = [order.number]
    session.save()


def text_of(response: Any) -> str:
    return str(response.content.decode())


def test_a_pending_order_is_cancelled_after_a_question(client: Client, variant: Variant) -> None:
    order = placed({variant: 3})
    remember(client, order)
    url = f"{order.get_absolute_url()}cancel/"
    page = text_of(client.get(order.get_absolute_url()))

    asked = client.get(url)
    before = Order.objects.get().status
    outcomes = Outcomes()
    pressed = [client.post(url) for _ in range(2)]  # a second press changes nothing

    assert (f'href="{url}"' in page, asked.status_code, before) == (True, HTTPStatus.OK, "pending")
    assert [(answer.status_code, answer["Location"]) for answer in pressed] == [
        (HTTPStatus.SEE_OTHER, order.get_absolute_url())
    ] * 2
    assert outcomes.since() == {"done": 1, "replayed": 1}
    order.refresh_from_db()
    assert (order.status, stock(variant), mails(order)) == ("cancelled", (10, 0), ["cancelled"])
    assert order.payments.get().state == "cancelled"
    assert ledger(order)[-1] == ("released", "shopper", None, "As you asked")  # a guest
    shown = text_of(client.get(order.get_absolute_url()))
    assert "As you asked" in shown
    assert url not in shown


def test_whoever_shops_is_no_staff_in_the_ledger(client: Client, variant: Variant) -> None:
    """Though they may be a clerk, who cancels their own order."""
    clerk = make_customer(is_staff=True)
    order = placed({variant: 3})
    Order.objects.update(customer=clerk)
    client.force_login(clerk)

    client.post(f"{order.get_absolute_url()}cancel/")

    assert ledger(order)[-1] == ("released", "shopper", clerk.pk, "As you asked")


def test_what_is_paid_is_not_cancelled_from_an_old_page(client: Client, variant: Variant) -> None:
    order = paid({variant: 3})
    remember(client, order)
    url = f"{order.get_absolute_url()}cancel/"

    looked, pressed = client.get(url), client.post(url, follow=True)

    assert looked["Location"] == order.get_absolute_url()
    assert "cannot be cancelled any more" in text_of(pressed)
    assert Order.objects.get().status == "paid"


@pytest.mark.parametrize("what", ["cancel", "return"])
def test_only_whoever_placed_it_may_ask(client: Client, variant: Variant, what: str) -> None:
    """Not who knows its number and e-mail, nor staff who may look at every order: they have the
    admin, with its audit trail.
    """
    order = placed({variant: 3})
    if what == "return":
        order = paid({variant: 1})
        ship_rest(order=order)
    clerk = make_customer(is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="view_order"))
    before = order.status
    order.refresh_from_db()

    looks_up, signed_in = Client(), Client()
    looks_up.post("/orders/", {"number": order.number, "email": order.email})
    signed_in.force_login(clerk)

    assert looks_up.session[SESSION_ORDERS] == [order.number]
    for asking in (Client(), looks_up, signed_in):
        url = f"{order.get_absolute_url()}{what}/"
        answers = [asking.get(url), asking.post(url, {"reason": "?"})]
        assert {answer["Location"] for answer in answers} == {order.get_absolute_url()}

    assert Order.objects.get(pk=order.pk).status == before
    assert not Return.objects.exists()


def test_what_left_may_be_sent_back(client: Client, variant: Variant) -> None:
    order = paid({variant: 3})
    ship_rest(order=order)
    remember(client, order)
    url = f"{order.get_absolute_url()}return/"
    assert f'href="{url}"' in text_of(client.get(order.get_absolute_url()))
    (form,) = [form for form in forms_of(text_of(client.get(url))) if "key" in form.fields]
    line = line_ids(order)[0]

    empty = client.post(url, form.fields | {"reason": "Too small"})
    wished = form.fields | {f"line_{line}": "2", "reason": "Too small"}
    outcomes = Outcomes()
    pressed = [client.post(url, wished) for _ in range(2)]

    assert empty.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert "Please choose what you want to send back." in text_of(empty)
    assert {answer["Location"] for answer in pressed} == {order.get_absolute_url()}
    assert outcomes.since() == {"done": 1, "replayed": 1}
    request = Return.objects.get()
    assert (request.reason, request.lines.get().quantity) == ("Too small", 2)
    assert lines(order) == [(3, 3, 0)]
    shown = text_of(client.get(order.get_absolute_url()))
    assert "You asked to return" in shown
    assert url not in shown  # one at a time


def test_another_wish_under_the_same_key_is_not_said_to_be_taken(
    client: Client, variant: Variant
) -> None:
    order = paid({variant: 3})
    ship_rest(order=order)
    remember(client, order)
    url = f"{order.get_absolute_url()}return/"
    (form,) = [form for form in forms_of(text_of(client.get(url))) if "key" in form.fields]
    wished = form.fields | {"reason": "Too small"}
    line = f"line_{line_ids(order)[0]}"
    client.post(url, wished | {line: "2"}, follow=True)

    told = text_of(client.post(url, wished | {line: "1"}, follow=True))

    assert "This wish was not taken" in told
    assert "We have your wish" not in told
    assert Return.objects.get().lines.get().quantity == 2


@pytest.mark.parametrize("units", ["4", "-1", "x", ""])
def test_no_more_comes_back_than_left(client: Client, variant: Variant, units: str) -> None:
    order = paid({variant: 3})
    ship_rest(order=order)
    remember(client, order)
    url = f"{order.get_absolute_url()}return/"
    (form,) = [form for form in forms_of(text_of(client.get(url))) if "key" in form.fields]

    wished = form.fields | {f"line_{line_ids(order)[0]}": units, "reason": "Too small"}
    answer = client.post(url, wished)

    assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert not Return.objects.exists()
