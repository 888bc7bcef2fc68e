"""Orders in the admin, through Django's test client."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from orders.models import Order, OrderLine, OrderStatusChange
from realtime.models import Event
from shop.models import Customer, StockItem
from shop.services.stock import Cause, Mover, adjust_stock, allocate_stock
from tests.factories import make_order, make_product
from tests.staff import boss, clerk, client_of

pytestmark = pytest.mark.django_db

LIST = "/admin/orders/order/"
Status = Order.Status


@pytest.fixture
def staff() -> Customer:
    return boss()


@pytest.fixture
def client(staff: Customer) -> Client:
    return client_of(staff)


def order_with_stock(**fields: Any) -> tuple[Order, StockItem]:
    """An order of two of ten units."""
    variant = make_product(stock=10).variants.get()
    order = make_order(**fields)
    allocate_stock({variant.pk: 2}, Cause(Mover.SHOPPER, order=order.number))
    OrderLine.objects.create(
        order=order,
        variant=variant,
        sku=variant.sku,
        name="Rope Bag",
        quantity=2,
        unit_amount=500,
        total_amount=1000,
    )
    return order, variant.stock


def ledger(item: StockItem) -> list[tuple[str, int, int, str, str]]:
    rows = item.movements.order_by("sequence")
    columns = ("kind", "on_hand_change", "allocated_change", "mover", "order_number")
    return list(rows.values_list(*columns))


def act(client: Client, name: str, *orders: Order, **more: Any) -> Any:
    """Choose an action in the list, as the browser posts it."""
    data = {"action": name, "_selected_action": [order.pk for order in orders]}
    return client.post(LIST, data | more)


def status_of(order: Order) -> str:
    return Order.objects.values_list("status", flat=True).get(pk=order.pk)


def units(item: StockItem) -> tuple[int, int]:
    item.refresh_from_db()
    return item.on_hand, item.allocated


def told(response: Any, client: Client) -> list[str]:
    page = client.get(response["Location"])
    return [str(message) for message in page.context["messages"]]


@pytest.mark.parametrize(
    ("action", "before", "after", "stock"),
    [
        ("mark_paid", Status.PENDING, Status.PAID, (10, 2)),
        ("fulfil", Status.PAID, Status.FULFILLED, (8, 0)),
        ("cancel", Status.PENDING, Status.CANCELLED, (10, 0)),
        ("refund", Status.PAID, Status.REFUNDED, (10, 0)),
    ],
)
def test_action_moves_the_order_with_stock_history_and_event(
    client: Client, staff: Customer, action: str, before: str, after: str, stock: tuple[int, int]
) -> None:
    order, item = order_with_stock(status=before)

    response = act(client, action, order, confirmed="1")

    assert response.status_code == 302
    assert (status_of(order), units(item)) == (after, stock)
    change = OrderStatusChange.objects.get(order=order)
    assert (change.from_status, change.to_status, change.actor) == (before, after, staff)
    assert Event.objects.get().payload == {"number": order.number, "status": after}
    entry = LogEntry.objects.get()
    assert (entry.object_id, entry.user) == (str(order.pk), staff)


def test_action_over_mixed_statuses_moves_some_and_says_why_not_the_others(client: Client) -> None:
    pending, paid, cancelled = (
        make_order(status=status) for status in (Status.PENDING, Status.PAID, Status.CANCELLED)
    )

    response = act(client, "mark_paid", pending, paid, cancelled, confirmed="1")

    assert [status_of(order) for order in (pending, paid, cancelled)] == [
        Status.PAID,
        Status.PAID,
        Status.CANCELLED,
    ]
    assert told(response, client) == [
        f"{pending.number} is paid now.",
        f"{paid.number} was paid already: nothing changed.",
        f"{cancelled.number} was left alone: it is cancelled, which cannot become paid.",
    ]


def test_action_twice_takes_effect_once(client: Client) -> None:
    order, item = order_with_stock(status=Status.PAID)

    first, second = (told(act(client, "fulfil", order, confirmed="1"), client) for _ in range(2))

    assert first == [f"{order.number} is fulfilled now."]
    assert second == [f"{order.number} was fulfilled already: nothing changed."]
    assert units(item) == (8, 0)
    assert OrderStatusChange.objects.count() == 1


@pytest.mark.parametrize("action", ["mark_paid", "fulfil", "cancel", "refund"])
def test_actions_ask_before(client: Client, action: str) -> None:
    waits = action in ("mark_paid", "cancel")
    ready = make_order(status=Status.PENDING if waits else Status.PAID)
    done = make_order(status=Status.CANCELLED)

    response = act(client, action, ready, done)

    assert response.status_code == 200
    assert (response.context["ready"], response.context["skipped"]) == ([ready], [done])
    assert status_of(ready) == ready.status
    assert not OrderStatusChange.objects.exists()


def test_too_many_orders_at_once_are_refused(client: Client) -> None:
    orders = [make_order() for _ in range(201)]

    response = client.post(
        LIST,
        {
            "action": "mark_paid",
            "_selected_action": [orders[0].pk],
            "select_across": "1",
            "index": "0",
        },
        follow=True,
    )

    assert "at most 200 orders" in response.text
    assert set(Order.objects.values_list("status", flat=True)) == {Status.PENDING}


# --- The order page ---------------------------------------------------------------------------


def step(client: Client, order: Order, name: str, **data: Any) -> Any:
    return client.post(reverse("admin:orders_order_step", args=[order.pk, name]), data)


def test_a_button_of_the_page_takes_the_step(client: Client) -> None:
    order, item = order_with_stock()

    response = step(client, order, "mark_paid")

    assert response["Location"] == reverse("admin:orders_order_change", args=[order.pk])
    assert (status_of(order), units(item)) == (Status.PAID, (10, 2))


def test_the_cancel_button_asks_and_then_cancels(client: Client) -> None:
    order, item = order_with_stock()

    asked = step(client, order, "cancel")
    before = status_of(order)
    step(client, order, "cancel", confirmed="1")

    assert (asked.status_code, before) == (200, Status.PENDING)
    assert (status_of(order), units(item)) == (Status.CANCELLED, (10, 0))


@pytest.mark.parametrize("name", ["mark_paid", "cancel"])
def test_following_a_steps_link_changes_nothing(client: Client, name: str) -> None:
    order = make_order()

    response = client.get(reverse("admin:orders_order_step", args=[order.pk, name]))

    assert (response.status_code, status_of(order)) == (200, Status.PENDING)


def test_a_step_that_does_not_exist_leads_back(client: Client) -> None:
    order = make_order()

    unknown, missing = (
        step(client, order, "burn"),
        client.post(reverse("admin:orders_order_step", args=[10**9, "cancel"])),
    )

    assert (unknown.status_code, missing.status_code) == (302, 302)


def test_an_invoice_is_paid_before_it_is_sent(client: Client) -> None:
    order, item = order_with_stock(status=Status.PENDING, payment_method=Order.Payment.INVOICE)

    act(client, "fulfil", order, confirmed="1")

    assert (status_of(order), units(item)) == (Status.PENDING, (10, 2))


def test_cash_on_delivery_is_sent_before_it_is_paid(client: Client) -> None:
    order, item = order_with_stock(status=Status.PENDING, payment_method=Order.Payment.CASH)

    act(client, "fulfil", order, confirmed="1")

    assert (status_of(order), units(item)) == (Status.FULFILLED, (8, 0))


def test_the_page_offers_the_steps_that_the_status_allows(client: Client) -> None:
    offered = {
        status: [
            step.name
            for step in client.get(
                reverse("admin:orders_order_change", args=[make_order(status=status).pk])
            ).context["steps"]
        ]
        for status in Status.values
    }

    assert offered == {
        "pending": ["mark_paid", "cancel"],
        "paid": ["refund"],
        "partly_fulfilled": ["refund"],
        "fulfilled": ["refund"],
        "cancelled": [],
        "refunded": [],
    }


ADDRESS = {
    "email": "mei@example.com",
    "name": "Mei Lin",
    "line1": "2 Quay",
    "line2": "",
    "city": "Taipei",
    "postcode": "100",
    "country": "TW",
    "lines-TOTAL_FORMS": 0,
    "lines-INITIAL_FORMS": 0,
    "history-TOTAL_FORMS": 0,
    "history-INITIAL_FORMS": 0,
}


def test_the_address_of_a_pending_order_is_edited_and_its_money_is_not(client: Client) -> None:
    order = make_order()
    url = reverse("admin:orders_order_change", args=[order.pk])

    response = client.post(
        url, ADDRESS | {"total_amount": 1, "status": "paid", "number": "AP-1", "currency": "USD"}
    )

    assert response.status_code == 302
    fresh = Order.objects.get(pk=order.pk)
    assert (fresh.line1, fresh.email) == ("2 Quay", "mei@example.com")
    assert (fresh.total, fresh.status, fresh.number) == (order.total, "pending", order.number)


def test_the_address_of_an_order_that_went_on_is_final(client: Client) -> None:
    order = make_order(status=Status.PAID)
    url = reverse("admin:orders_order_change", args=[order.pk])

    response = client.post(url, ADDRESS)

    assert told(response, client) == [
        "Nothing was saved: the order is paid now, and its address is final."
    ]
    assert Order.objects.get(pk=order.pk).line1 == "1 Harbour Road"


def test_orders_are_neither_added_nor_deleted(client: Client) -> None:
    order = make_order()

    add = client.get(reverse("admin:orders_order_add"))
    delete = client.post(reverse("admin:orders_order_delete", args=[order.pk]), {"post": "yes"})
    act(client, "delete_selected", order, post="yes")

    assert (add.status_code, delete.status_code) == (403, 403)
    assert Order.objects.filter(pk=order.pk).exists()


def test_who_may_only_look_takes_no_step() -> None:
    client = client_of(clerk("view_order"))
    order, item = order_with_stock()

    button = step(client, order, "mark_paid")
    act(client, "mark_paid", order, confirmed="1")
    page = client.get(reverse("admin:orders_order_change", args=[order.pk]))

    assert (button.status_code, page.status_code, page.context["steps"]) == (403, 200, [])
    assert item.variant.sku in page.text
    assert status_of(order) == Status.PENDING


# --- Finding orders ---------------------------------------------------------------------------


def found(client: Client, **query: str) -> list[str]:
    response = client.get(LIST, query)
    assert response.status_code == 200
    return sorted(order.email for order in response.context["cl"].result_list)


def test_orders_are_searched_by_number_email_name_and_sku(client: Client) -> None:
    order, item = order_with_stock(email="mei@example.com", name="Mei Tanaka")
    make_order(email="other@example.com", name="Ken")

    for text in (order.number, order.number.lower(), "mei@", "tanaka", item.variant.sku):
        assert found(client, q=text) == ["mei@example.com"]


def test_orders_are_filtered(client: Client) -> None:
    now = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
    make_order(email="a@example.com", placed_at=now, currency="USD")
    make_order(email="b@example.com", status=Status.PAID, placed_at=now + timedelta(days=3))
    make_order(email="c@example.com", payment_method=Order.Payment.CASH, placed_at=now)
    make_order(
        email="d@example.com",
        expires_at=timezone.now() + timedelta(hours=5),
        placed_at=now - timedelta(days=30),
    )

    a, b, c, d = (f"{letter}@example.com" for letter in "abcd")
    assert found(client, status__exact="paid") == [b]
    assert found(client, currency__exact="USD") == [a]
    assert found(client, payment_method__exact="cash_on_delivery") == [c]
    assert found(client, placed_at_from="2026-03-01", placed_at_to="2026-03-01") == [a, c]
    assert found(client, placed_at_from="2026-03-02") == [b]
    assert found(client, needs="fulfilment") == [b, c]
    assert found(client, needs="payment") == [d]


@pytest.mark.parametrize(
    "day", ["yesterday", "2026-02-30", "9999-12-31", "0001-01-01", "1", "\x00"]
)
def test_a_nonsense_date_filters_nothing(client: Client, day: str) -> None:
    make_order(email="a@example.com")

    assert found(client, placed_at_from=day) == ["a@example.com"]
    assert found(client, placed_at_to=day) == ["a@example.com"]


def test_shipping_is_in_the_ledger_with_who_and_which_order(
    client: Client, staff: Customer
) -> None:
    order, item = order_with_stock(status=Status.PAID)

    act(client, "fulfil", order, confirmed="1")

    assert ledger(item) == [
        ("received", 10, 0, "system", ""),
        ("allocated", 0, 2, "shopper", order.number),
        ("shipped", -2, -2, "staff", order.number),
    ]
    assert item.movements.latest("sequence").actor == staff


def test_an_order_whose_units_have_not_come_is_not_sent(client: Client) -> None:
    order, item = order_with_stock(status=Status.PAID)
    StockItem.objects.update(back_order=True)
    adjust_stock({item.variant_id: -9}, Cause(Mover.STAFF, reason="broken"))

    response = act(client, "fulfil", order, confirmed="1")

    said = f"{order.number} was left alone: only 1 of {item.variant.sku} are on hand."
    assert told(response, client) == [said]
    assert (status_of(order), units(item)) == (Status.PAID, (1, 2))
