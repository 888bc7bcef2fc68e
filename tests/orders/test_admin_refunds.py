"""Refunds in the admin: asked, confirmed, and sent back once."""

from uuid import uuid4

import pytest
from django.test import Client
from django.utils.translation import override

from orders.admin.whereabouts import money_rows, payments_of
from orders.gateways.base import GatewayRefused, GatewayUnreachable
from orders.gateways.manual import Invoice
from orders.models import Order, Refund
from orders.services.fulfilment import ship_rest
from shop.models import Customer, Variant
from tests.orders.admin_pages import act, confirm, fields, fill, refunds, url
from tests.orders.life import mails, paid, placed, stock
from tests.staff import boss, client_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff() -> Customer:
    return boss()


@pytest.fixture
def client(staff: Customer) -> Client:
    return client_of(staff)


@pytest.fixture
def order(variant: Variant) -> Order:
    """Two bags of 1,290 and delivery, paid."""
    return paid({variant: 2})


def test_a_part_goes_back_once_however_often_it_is_confirmed(
    client: Client, staff: Customer, order: Order
) -> None:
    sent = fill(client, order, "refund", amount="90", reason="a scratch")
    nothing_yet = refunds(order)

    first, second = (confirm(client, order, "refund", sent) for _ in range(2))

    assert nothing_yet == []
    assert first == second == ["NT$90 was sent back."]
    assert refunds(order) == [(90, "done", "a scratch")]
    assert Refund.objects.get().actor == staff
    order.refresh_from_db()
    assert (order.status, order.refunded_amount, mails(order)) == ("paid", 90, ["refunded"])
    assert "−NT$90" in client.get(url(order, "change")).text


def test_the_rest_is_proposed_and_ends_the_order(client: Client, order: Order) -> None:
    confirm(client, order, "refund", fill(client, order, "refund", amount="90", reason="part"))

    sent = fill(client, order, "refund", reason="the rest")
    confirm(client, order, "refund", sent)
    again = confirm(client, order, "refund", sent)

    order.refresh_from_db()
    assert (order.status, order.refunded_amount) == ("refunded", order.total_amount)
    assert sent["amount"] == str(order.total_amount - 90)
    assert again == [f"NT${order.total_amount - 90:,} was sent back."]
    assert len(refunds(order)) == 2


def test_amounts_are_typed_as_they_are_written(client: Client, variant: Variant) -> None:
    order = paid({variant: 2}, currency="USD")

    confirm(
        client, order, "refund", fill(client, order, "refund", amount="0.50", reason="a scratch")
    )

    assert refunds(order) == [(50, "done", "a scratch")]


@pytest.mark.parametrize("amount", ["0", "-1", "1.5", "999999", "", "NaN", "1e400", "x"])
def test_an_amount_that_cannot_go_back_is_asked_for_again(
    client: Client, order: Order, amount: str
) -> None:
    opened = fields(client.get(url(order, "refund")))

    response = client.post(
        url(order, "refund"), opened | {"amount": amount, "reason": "x", "confirmed": "1"}
    )

    assert (response.status_code, refunds(order)) == (422, [])
    assert fields(response)["key"] == opened["key"]


def test_a_form_sent_with_another_amount_is_not_another_refund(
    client: Client, order: Order
) -> None:
    sent = fill(client, order, "refund", amount="90", reason="a scratch")
    confirm(client, order, "refund", sent)

    (said,) = confirm(client, order, "refund", sent | {"amount": "91"})

    assert said.startswith("This page was sent before with something else")
    assert refunds(order) == [(90, "done", "a scratch")]


@pytest.mark.parametrize(
    ("trouble", "said", "state", "left"),
    [
        (GatewayUnreachable("no answer"), "is on its way back", "requested", 90),
        (GatewayRefused("card expired"), "refused to send NT$90 back", "failed", 0),
    ],
)
def test_staff_see_what_the_gateway_says(
    client: Client,
    order: Order,
    monkeypatch: pytest.MonkeyPatch,
    trouble: Exception,
    said: str,
    state: str,
    left: int,
) -> None:
    def refund(self: Invoice, refund: Refund) -> None:
        raise trouble

    monkeypatch.setattr(Invoice, "refund", refund)

    (told,) = confirm(
        client, order, "refund", fill(client, order, "refund", amount="90", reason="a scratch")
    )

    assert said in told
    order.refresh_from_db()
    assert (refunds(order)[0][1], order.refunded_amount) == (state, left)
    assert str(trouble) in client.get(url(order, "change")).text


def test_an_order_without_money_has_no_refund(client: Client, variant: Variant) -> None:
    order = placed({variant: 1})

    opened = client.get(url(order, "refund"))
    sent = {"amount": "1", "reason": "x", "key": str(uuid4())}

    assert (opened.status_code, opened["Location"]) == (302, url(order, "change"))
    assert confirm(client, order, "refund", sent) == ["There is no money to send back."]


def test_several_orders_are_refunded_in_full_and_once(client: Client, variant: Variant) -> None:
    one, other, unpaid = paid({variant: 1}), paid({variant: 1}), placed({variant: 1})
    cash = placed({variant: 1}, payment_method="cash_on_delivery")
    ship_rest(order=cash)
    chosen = (one, other, unpaid, cash)

    first = act(client, "refund", *chosen, confirmed="1")
    second = act(client, "refund", *chosen, confirmed="1")

    assert first == [
        f"2 orders are refunded now: {one.number}, {other.number}.",
        f"{unpaid.number}, {cash.number}: there is no money to send back.",
    ]
    assert second[0] == f"{one.number}, {other.number} were refunded already: nothing changed."
    assert [amount for amount, _, _ in refunds(one)] == [one.total_amount]
    assert (stock(variant), mails(one)) == ((9, 1), ["refunded"])
    with override("ja"):
        assert [row.details for row in money_rows(payments_of(one)) if row.is_back] == ["全額返金"]


def test_a_refund_that_failed_is_tried_again_under_another_key(
    client: Client, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Invoice, refund: Refund) -> None:
        raise GatewayRefused("card expired")

    with monkeypatch.context() as patch:
        patch.setattr(Invoice, "refund", refuse)
        first = act(client, "refund", order, confirmed="1")
    act(client, "refund", order, confirmed="1")

    assert first == [
        f"{order.number}: the refund is under way. The order's page shows how it ends."
    ]
    assert [state for _, state, _ in refunds(order)] == ["failed", "done"]
