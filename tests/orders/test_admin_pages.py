"""An order's pages in the admin: asked, confirmed, done once, and only by who may."""

import re
from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from orders.models import Order, OutboxMessage, Return, Shipment
from orders.services.fulfilment import request_return, ship, ship_rest
from orders.services.payments import complete_open
from orders.services.status import cancel_expired_orders, change_status
from shop.models import Customer, StockItem, Variant
from tests.orders.admin_pages import act, confirm, fields, fill, refunds, url
from tests.orders.life import line_ids, lines, mails, paid, placed, stock
from tests.staff import boss, clerk, client_of

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


# --- Parcels --------------------------------------------------------------------------------------


def test_a_parcel_leaves_once_however_often_it_is_confirmed(
    client: Client, staff: Customer, order: Order, variant: Variant
) -> None:
    (line,) = line_ids(order)
    sent = fill(client, order, "ship", **{f"line_{line}": "1", "tracking": "TW123"})
    before = stock(variant)

    first, second = (confirm(client, order, "ship", sent) for _ in range(2))

    assert (before, stock(variant), lines(order)) == ((10, 2), (9, 1), [(2, 1, 0)])
    assert first == ["The parcel is written down. Some of the order has not left yet."]
    assert second == first
    parcel = Shipment.objects.get()
    assert (parcel.tracking, parcel.actor, mails(order)) == ("TW123", staff, ["shipped"])
    assert "TW123" in client.get(url(order, "change")).text


def test_what_is_open_is_proposed_and_more_is_refused(
    client: Client, order: Order, variant: Variant
) -> None:
    (line,) = line_ids(order)
    sent = fill(client, order, "ship")
    ship(order=order, units={line: 1}, key=uuid4())  # a colleague was faster

    response = client.post(url(order, "ship"), sent | {"confirmed": "1"})

    assert sent[f"line_{line}"] == "2"
    assert response.status_code == 422
    assert f"2 of {variant.sku} are too many: 1 are left." in response.text
    assert lines(order) == [(2, 1, 0)]


def test_units_that_have_not_come_stay(client: Client, variant: Variant) -> None:
    StockItem.objects.filter(variant=variant).update(back_order=True)
    order = paid({variant: 12})

    response = client.post(url(order, "ship"), fill(client, order, "ship") | {"confirmed": "1"})

    assert response.status_code == 422
    assert f"Only 10 of {variant.sku} are on hand" in response.text


def test_the_confirmation_leads_back_to_the_form_with_what_was_typed(
    client: Client, order: Order
) -> None:
    sent = fill(client, order, "ship", tracking="TW123")

    back = client.post(url(order, "ship"), sent | {"change": "1"})

    assert fields(back).items() >= {"tracking": "TW123", "key": sent["key"]}.items()
    assert not Shipment.objects.exists()


# --- Returns --------------------------------------------------------------------------------------


@pytest.fixture
def asked(order: Order) -> Return:
    ship_rest(order=order)
    return request_return(
        order=order, units={line_ids(order)[0]: 1}, reason="too small", key=uuid4()
    )


def test_a_return_is_settled_once(
    client: Client, order: Order, asked: Return, variant: Variant
) -> None:
    sent = fill(client, order, "settle", outcome="sellable", answer="Thank you")

    first, second = (confirm(client, order, "settle", sent) for _ in range(2))
    (other,) = confirm(client, order, "settle", sent | {"outcome": "declined"})

    assert first == second == ["The return is settled, and its units are on sale again."]
    assert other == "Somebody else has settled this return, and otherwise."
    assert (stock(variant), lines(order)) == ((9, 0), [(2, 2, 1)])
    assert mails(order) == ["shipped", "return_settled"]
    assert "“too small” – Thank you" in client.get(url(order, "change")).text


@pytest.mark.parametrize(
    ("outcome", "back", "state"), [("broken", 1, "received"), ("declined", 0, "declined")]
)
def test_what_is_not_sold_again_stays_off_the_shelf(
    client: Client,
    order: Order,
    asked: Return,
    variant: Variant,
    outcome: str,
    back: int,
    state: str,
) -> None:
    confirm(client, order, "settle", fill(client, order, "settle", outcome=outcome))

    asked.refresh_from_db()
    assert (asked.state, stock(variant), lines(order)) == (state, (8, 0), [(2, 2, back)])


def test_a_form_for_the_return_of_another_order_settles_nothing(
    client: Client, order: Order, asked: Return, variant: Variant
) -> None:
    other = paid({variant: 1})
    sent = {"request": str(asked.pk), "outcome": "sellable"}

    confirm(client, other, "settle", sent)

    asked.refresh_from_db()
    assert asked.state == "requested"


# --- Mails ----------------------------------------------------------------------------------------


def test_a_mail_is_sent_again_once_for_each_form(client: Client, order: Order) -> None:
    parcel = ship_rest(order=order, tracking="TW123")
    page = client.get(url(order, "resend")).text
    sent = fill(client, order, "resend", mail=f"shipped:{parcel.pk}")

    first, second = (confirm(client, order, "resend", sent) for _ in range(2))
    confirm(client, order, "resend", fill(client, order, "resend", mail="confirmation:"))

    assert first == second == [f"The mail is on its way to {order.email}."]
    again = OutboxMessage.objects.filter(key__contains=":again:").order_by("pk")
    assert [(each.payload["template"], each.payload["about"]) for each in again] == [
        ("shipped", str(parcel.pk)),
        ("confirmation", ""),
    ]
    assert re.findall(r"<option value=\"(\w+):", page) == ["confirmation", "shipped"]
    assert "Parcel sent: TW123" in page


def test_another_mail_under_a_form_that_was_sent_is_refused(client: Client, order: Order) -> None:
    parcel = ship_rest(order=order)
    sent = fill(client, order, "resend", mail=f"shipped:{parcel.pk}")
    confirm(client, order, "resend", sent)

    told = confirm(client, order, "resend", sent | {"mail": "confirmation:"})

    again = OutboxMessage.objects.filter(key__contains=":again:")
    assert [each.payload["template"] for each in again] == ["shipped"]
    assert told[0].startswith("This page was sent before with something else")


@pytest.mark.parametrize("outbox_forgot", [False, True])
@pytest.mark.parametrize(
    ("is_gone", "offered_mails"),
    [
        (True, ["confirmation:", "refunded:", "cancelled:", "stock_gone:"]),
        (False, ["confirmation:", "confirmation:reinstated"]),
    ],
)
def test_what_late_money_made_the_shop_write_is_sent_again(
    client: Client,
    variant: Variant,
    is_gone: bool,
    offered_mails: list[str],
    outbox_forgot: bool,
) -> None:
    late = placed({variant: 6})
    Order.objects.filter(pk=late.pk).update(expires_at=timezone.now() - timedelta(minutes=1))
    cancel_expired_orders()
    if is_gone:
        placed({variant: 5})
    act(client, "mark_paid", late, confirmed="1")
    complete_open()
    if outbox_forgot:
        OutboxMessage.objects.all().delete()

    page = client.get(url(late, "resend")).text
    told = confirm(client, late, "resend", fill(client, late, "resend", mail=offered_mails[-1]))

    found = re.findall(r"<option value=\"(\w+:(?:reinstated)?)", page)
    assert (found, told) == (offered_mails, [f"The mail is on its way to {late.email}."])


def test_a_mail_that_the_order_never_called_for_is_not_sent(client: Client, order: Order) -> None:
    opened = fields(client.get(url(order, "resend")))

    response = client.post(url(order, "resend"), opened | {"mail": "stock_gone:", "confirmed": "1"})

    assert response.status_code == 422
    assert not OutboxMessage.objects.filter(key__contains=":again:").exists()


# --- Who may, and when ----------------------------------------------------------------------------


def offered(client: Client, order: Order) -> list[str]:
    page = client.get(url(order, "change"))
    context = page.context
    for each in context["pages"]:
        assert f'href="{url(order, each.name)}"' in page.text
    return [each.name for each in (*context["steps"], *context["pages"])]


def test_the_page_offers_what_the_order_allows(client: Client, variant: Variant) -> None:
    unpaid = placed({variant: 1})
    cash = placed({variant: 1}, payment_method="cash_on_delivery")
    done = paid({variant: 1})
    before = offered(client, done)
    ship_rest(order=done)
    request_return(order=done, units={line_ids(done)[0]: 1}, reason="x", key=uuid4())

    assert offered(client, unpaid) == ["mark_paid", "cancel", "resend"]
    assert offered(client, cash) == ["mark_paid", "cancel", "ship", "resend"]
    assert before == ["ship", "refund", "resend"]
    assert offered(client, done) == ["settle", "refund", "resend"]
    ship_rest(order=cash)
    assert offered(client, cash) == ["mark_paid", "refused", "resend"]  # or not


@pytest.mark.parametrize("is_gone", [False, True])
def test_a_transfer_that_came_too_late_is_marked_as_paid_or_sent_back(
    client: Client, variant: Variant, is_gone: bool
) -> None:
    late, cancelled = placed({variant: 6}), placed({variant: 1})
    Order.objects.filter(pk=late.pk).update(expires_at=timezone.now() - timedelta(minutes=1))
    cancel_expired_orders()
    change_status(order=cancelled, to="cancelled")
    if is_gone:
        placed({variant: 5})
    late.refresh_from_db()
    before = offered(client, late)

    told = act(client, "mark_paid", late, confirmed="1")

    late.refresh_from_db()
    assert (before, offered(client, cancelled)) == (["mark_paid", "resend"], ["resend"])
    assert "mark_paid" not in offered(client, late)
    if is_gone:
        text = f"{late.number}: the units were sold meanwhile. Please send the money back."
        assert (late.status, told) == ("cancelled", [text])
    else:
        assert (late.status, told) == ("paid", [f"{late.number} is paid now."])


NAMES = ("ship", "refused", "refund", "settle", "resend")


@pytest.mark.parametrize(
    ("permissions", "allowed"),
    [
        (("view_order",), ()),
        (("view_order", "add_refund"), ("refund",)),
        (("view_order", "change_order"), ("ship", "resend")),
    ],
)
def test_who_may_not_sees_no_button_and_finds_the_page_closed(
    order: Order, permissions: tuple[str, ...], allowed: tuple[str, ...]
) -> None:
    client = client_of(clerk(*permissions))

    shown = offered(client, order)
    answers = {
        name: {client.get(url(order, name)).status_code, client.post(url(order, name)).status_code}
        for name in NAMES
    }

    assert [name for name in shown if name in NAMES] == list(allowed)
    permitted = {"refund"} if "add_refund" in permissions else set()
    permitted |= {"ship", "refused", "settle", "resend"} if "change_order" in permissions else set()
    assert {name for name in NAMES if 403 not in answers[name]} == permitted
    assert (refunds(order), Shipment.objects.count()) == ([], 0)


def test_money_is_not_sent_back_by_who_may_only_change_orders(order: Order) -> None:
    client = client_of(clerk("view_order", "change_order"))

    act(client, "refund", order, confirmed="1")
    button = client.post(
        reverse("admin:orders_order_step", args=[order.pk, "refund"]), {"confirmed": "1"}
    )

    assert (button.status_code, refunds(order)) == (403, [])


@pytest.mark.parametrize("name", NAMES)
def test_an_order_that_is_not_there_leads_to_the_front_page(client: Client, name: str) -> None:
    missing = reverse(f"admin:orders_order_{name}", args=[10**9])

    assert client.get(missing)["Location"] == reverse("admin:index")


def test_each_deed_is_in_the_orders_admin_history(client: Client, order: Order) -> None:
    confirm(client, order, "refund", fill(client, order, "refund", amount="90", reason="part"))

    entry = LogEntry.objects.get()
    assert (entry.object_id, entry.change_message) == (str(order.pk), "NT$90 was sent back.")


def test_the_page_asks_as_often_for_three_of_each(client: Client, variant: Variant) -> None:
    counts = []
    for parts in (1, 3):
        order = paid({variant: 4})
        for _ in range(parts):
            ship(order=order, units={line_ids(order)[0]: 1}, key=uuid4())
            confirm(client, order, "refund", fill(client, order, "refund", amount="1", reason="x"))
        with CaptureQueriesContext(connection) as queries:
            client.get(url(order, "change"))
        counts.append(len(queries))

    assert counts[0] == counts[1]
