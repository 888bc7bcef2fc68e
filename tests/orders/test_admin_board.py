"""The admin's front page."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from jobs.models import JobRun
from orders.models import Order
from shop.money import Money
from tests.factories import make_order, make_product
from tests.staff import boss, clerk, client_of

pytestmark = pytest.mark.django_db

Status = Order.Status


@pytest.fixture
def client() -> Client:
    return client_of(boss())


def board(client: Client) -> Any:
    return client.get(reverse("admin:index")).context


def test_the_front_page_counts_what_needs_somebody(client: Client) -> None:
    make_order(status=Status.PAID, subtotal_amount=1000, delivery_amount=0)
    make_order(status=Status.FULFILLED, subtotal_amount=500, delivery_amount=0)
    make_order(
        status=Status.PAID,
        subtotal_amount=300,
        delivery_amount=0,
        placed_at=timezone.now() - timedelta(days=3),
    )
    make_order(status=Status.CANCELLED, currency="USD")
    make_order(payment_method=Order.Payment.CASH)
    make_order(expires_at=timezone.now() + timedelta(hours=3))
    make_product(stock=2)
    make_product(stock=50)
    JobRun.objects.create(job="sales", slot=timezone.now(), region="tokyo", status="failed")

    context = board(client)

    assert {status.status: status.today for status in context["statuses"]} == {
        "pending": 2,
        "paid": 1,
        "partly_fulfilled": 0,
        "fulfilled": 1,
        "cancelled": 1,
        "refunded": 0,
    }
    assert [(row.today, row.week) for row in context["takings"]] == [
        (Money(1500, "TWD"), Money(1800, "TWD"))
    ]
    counts = ("to_fulfil_count", "unpaid_count", "low_stock_count", "failures", "orders_today")
    assert [context[name] for name in counts] == [3, 1, 1, 1, 5]


def test_the_front_page_asks_the_same_number_of_queries_however_full_it_is(client: Client) -> None:
    counts = []
    board(client)

    for rows in (1, 3):
        for number in range(rows):
            make_order(expires_at=timezone.now() + timedelta(hours=3))
            make_order(status=Status.PAID)
            make_product(stock=1)
            JobRun.objects.create(job=f"{rows}-{number}", slot=timezone.now(), region="tokyo")
        with CaptureQueriesContext(connection) as queries:
            board(client)
        counts.append(len(queries))

    assert counts[0] == counts[1]


def test_the_front_page_shows_only_what_its_reader_may_see() -> None:
    client = client_of(clerk("view_stockitem"))

    context = board(client)

    assert [name in context for name in ("low_stock", "newest", "takings", "runs")] == [
        True,
        False,
        False,
        False,
    ]
