"""Orders as CSV, and the figures of the last days."""

import csv
import io
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from orders.admin import export
from orders.models import Order
from orders.services.refunds import advance_refund, request_refund
from shop.models import Variant
from tests.factories import make_order
from tests.orders.life import paid, placed
from tests.staff import boss, clerk, client_of

pytestmark = pytest.mark.django_db

LIST = "/admin/orders/order/"
EXPORT = f"{LIST}export/"


@pytest.fixture
def client() -> Client:
    return client_of(boss())


def rows(response: Any) -> list[dict[str, str]]:
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    body = b"".join(response.streaming_content)
    assert body.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(body.decode("utf-8-sig"), newline="")))


def emails(response: Any) -> list[str]:
    return [row["email"] for row in rows(response)]


def test_the_chosen_orders_are_exported(client: Client) -> None:
    first, _other, third = (make_order(email=f"{name}@example.com") for name in "abc")

    response = client.post(LIST, {"action": "export", "_selected_action": [third.pk, first.pk]})

    assert response.headers["Content-Disposition"].startswith('attachment; filename="orders-')
    assert emails(response) == ["a@example.com", "c@example.com"]


def test_all_that_the_filters_find_are_exported(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "CHUNK", 2)
    for number in range(5):
        make_order(email=f"{number}@example.com", status=Order.Status.PAID)
    make_order(email="pending@example.com")
    wanted = [f"{number}@example.com" for number in range(5)]

    across = client.post(
        f"{LIST}?status__exact=paid",
        {"action": "export", "_selected_action": ["1"], "select_across": "1", "index": "0"},
    )

    assert emails(across) == wanted
    assert emails(client.get(EXPORT, {"status__exact": "paid"})) == wanted
    assert emails(client.get(EXPORT, {"q": "3@example"})) == ["3@example.com"]
    assert len(rows(client.get(EXPORT))) == 6
    assert client.get(EXPORT, {"nonsense": "1"}).status_code == 302


def test_amounts_are_in_major_units_beside_their_currency(client: Client, variant: Variant) -> None:
    order = paid({variant: 2}, currency="USD", name="陳美玲", delivery_method="express")
    refund = request_refund(
        payment=order.payments.get(), amount=50, reason="", actor=None, key=uuid4()
    )
    advance_refund(refund.pk)

    (row,) = rows(client.get(EXPORT))

    order.refresh_from_db()
    assert (row["currency"], row["subtotal"], row["refunded"]) == ("USD", "25.80", "0.50")
    assert row["total"] == f"{order.total_amount / 100:.2f}"
    assert (row["name"], row["units"], row["lines"]) == ("陳美玲", "2", f"2 × {variant.sku}")
    assert row["placed_utc"] == f"{order.placed_at:%Y-%m-%d %H:%M:%S}"
    assert (row["number"], row["status"]) == (order.number, "paid")


@pytest.mark.parametrize("name", ["=1+2", "+886 2", "-1", "@SUM(A1)", "\tx", "＝1＋2", '=A("x,y")'])
def test_a_name_that_looks_like_a_formula_is_text(client: Client, name: str) -> None:
    make_order(name=name)

    (row,) = rows(client.get(EXPORT))

    assert row["name"] == f"'{name}"


def test_orders_are_read_as_they_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """A chunk and its lines at a time, so that memory does not grow with the number of orders."""
    monkeypatch.setattr(export, "CHUNK", 10)
    for _ in range(25):
        make_order()
    parts = export.csv_lines(Order.objects.all())

    asked, written = [], []
    for _ in range(4):
        with CaptureQueriesContext(connection) as queries:
            written.append(next(parts).count(b"\r\n"))
        asked.append(["LIMIT 10" in query["sql"] for query in queries])
    with CaptureQueriesContext(connection) as queries:
        rest = list(parts)

    assert written == [1, 10, 10, 5]
    assert asked == [[], [True, False], [True, False], [True, False]]
    assert (rest, len(queries)) == ([], 1)


@pytest.mark.parametrize("path", [EXPORT, f"{LIST}figures/"])
def test_only_who_may_see_orders_gets_them(path: str) -> None:
    assert client_of(clerk("view_stockitem")).get(path).status_code == 403
    assert client_of(clerk("view_order")).get(path).status_code == 200
    assert Client().get(path).status_code == 302


# --- Daily figures --------------------------------------------------------------------------------


def test_each_day_names_takings_by_currency_and_leads_to_its_orders(
    client: Client, variant: Variant
) -> None:
    order = paid({variant: 1})
    refund = request_refund(
        payment=order.payments.get(), amount=90, reason="", actor=None, key=uuid4()
    )
    advance_refund(refund.pk)
    paid({variant: 1}, currency="USD")
    old = placed({variant: 1})
    Order.objects.filter(pk=old.pk).update(placed_at=timezone.now() - timedelta(days=20))

    fortnight = client.get(f"{LIST}figures/").context
    month = client.get(f"{LIST}figures/?days=30").context
    today = fortnight["days"][0]

    assert (len(fortnight["days"]), len(month["days"])) == (14, 30)
    assert fortnight["currencies"] == ["TWD", "USD"]
    dollars, us_dollars = today.cells
    assert (dollars.takings.orders, dollars.takings.back.amount) == (1, 90)
    assert dollars.takings.net.amount == order.total_amount - 90
    assert [(sums.orders, sums.net) for sums in month["totals"]] == [
        (2, dollars.takings.net),
        (1, us_dollars.takings.net),
    ]
    listed = client.get(dollars.url).context["cl"].result_list
    assert [each.pk for each in listed] == [order.pk]
    assert client.get(today.url).context["cl"].result_count == 2


def test_figures_ask_once_however_many_orders(client: Client, variant: Variant) -> None:
    counts = []
    client.get(f"{LIST}figures/")
    for count in (1, 3):
        for _ in range(count):
            paid({variant: 1})
        with CaptureQueriesContext(connection) as queries:
            client.get(f"{LIST}figures/")
        counts.append(len(queries))

    assert counts[0] == counts[1]


def test_figures_of_a_shop_without_orders_say_so(client: Client) -> None:
    assert "Nothing was ordered in these days." in client.get(f"{LIST}figures/").text
