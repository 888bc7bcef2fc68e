import csv
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from orders.models import Order, OrderLine, OrderStatusChange, Payment, Refund
from orders.reports import daily_takings, render_csv, sales_rows, write_sales_report
from orders.services.refunds import advance_refund, request_refund
from orders.services.status import change_status, reinstate
from regions.regions import this_region
from shop.models import Variant
from shop.money import Money
from shop.services.stock import Cause, Mover, allocate_stock
from storage.buckets import bucket_name
from storage.clients import s3
from tests.factories import make_order, make_product
from tests.orders.life import paid, placed

pytestmark = pytest.mark.django_db

DAY = date(2026, 11, 21)
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
SLOT = datetime(2026, 11, 22, 2, tzinfo=UTC)


@pytest.fixture
def variant() -> Variant:
    variant = make_product(stock=100).variants.get()
    Variant.objects.filter(pk=variant.pk).update(sku="RB-1")
    variant.refresh_from_db()
    return variant


def sell(variant: Variant, quantity: int, *, name: str = "Rope Bag", **fields: object) -> Order:
    values: dict[str, object] = {"placed_at": NOON, "subtotal_amount": 500 * quantity}
    order = make_order(**values | fields)
    OrderLine.objects.create(
        order=order,
        variant=variant,
        sku=variant.sku,
        name=name,
        quantity=quantity,
        unit_amount=500,
        total_amount=500 * quantity,
    )
    return order


def test_report_sums_a_day_by_currency_method_and_sku(variant: Variant) -> None:
    sell(variant, 2)
    sell(variant, 1, payment_method=Order.Payment.CASH)
    sell(variant, 3, currency="USD", delivery_amount=350)

    rows = list(sales_rows(day=DAY, as_of=SLOT))

    assert rows == [
        ("total", "TWD", "all", "", 2, 3, "1660", "0"),
        ("payment", "TWD", "cash_on_delivery", "", 1, 1, "580", "0"),
        ("payment", "TWD", "invoice", "", 1, 2, "1080", "0"),
        ("sku", "TWD", "RB-1", "Rope Bag", 2, 3, "1500", ""),
        ("total", "USD", "all", "", 1, 3, "18.50", "0.00"),
        ("payment", "USD", "invoice", "", 1, 3, "18.50", "0.00"),
        ("sku", "USD", "RB-1", "Rope Bag", 1, 3, "15.00", ""),
    ]


def test_day_begins_and_ends_at_midnight_utc(variant: Variant) -> None:
    midnight = datetime(2026, 11, 21, tzinfo=UTC)
    for placed_at in (midnight, midnight + timedelta(days=1, microseconds=-1)):
        sell(variant, 1, placed_at=placed_at)
    for placed_at in (midnight - timedelta(microseconds=1), midnight + timedelta(days=1)):
        sell(variant, 1, placed_at=placed_at)

    total = next(sales_rows(day=DAY, as_of=SLOT))

    assert total[4] == 2


def test_report_made_late_equals_the_one_made_in_time(variant: Variant) -> None:
    cancelled, kept = sell(variant, 1), sell(variant, 2)
    OrderStatusChange.objects.create(
        order=cancelled, to_status=Order.Status.CANCELLED, at=SLOT - timedelta(hours=1)
    )
    in_time = render_csv(sales_rows(day=DAY, as_of=SLOT))

    OrderStatusChange.objects.create(order=kept, to_status=Order.Status.CANCELLED)

    assert render_csv(sales_rows(day=DAY, as_of=SLOT)) == in_time
    assert b"total,TWD,all,,1,2,1080,0\r\n" in in_time


def test_report_lies_in_the_backups_bucket_under_its_day(variant: Variant) -> None:
    sell(variant, 1)

    keys = [write_sales_report(as_of=SLOT), write_sales_report(as_of=SLOT)]

    stored = s3(this_region()).get_object(
        Bucket=bucket_name("backups", this_region()), Key="reports/sales/2026-11-21.csv"
    )
    assert keys == ["reports/sales/2026-11-21.csv"] * 2
    assert stored["Body"].read() == render_csv(sales_rows(day=DAY, as_of=SLOT))


def test_day_without_orders_is_a_report_too() -> None:
    report = render_csv(sales_rows(day=DAY, as_of=SLOT)).decode("utf-8-sig")

    assert report == "section,currency,key,name,orders,units,revenue,refunded\r\n"


@pytest.mark.parametrize("name", ["=1+2", "+1", "-1", "@SUM(A1)", "\tx", '=HYPERLINK("x,y")'])
def test_name_that_looks_like_a_formula_is_disarmed(variant: Variant, name: str) -> None:
    sell(variant, 1, name=name)

    report = render_csv(sales_rows(day=DAY, as_of=SLOT)).decode("utf-8-sig")

    (line,) = [row for row in csv.DictReader(report.splitlines()) if row["section"] == "sku"]
    assert line["name"] == f"'{name}"


def test_names_with_commas_quotes_and_other_scripts_survive(variant: Variant) -> None:
    name = '橫濱 "Lantern", 提灯'
    sell(variant, 1, name=name)

    report = render_csv(sales_rows(day=DAY, as_of=SLOT)).decode("utf-8-sig")

    (line,) = [row for row in csv.DictReader(report.splitlines()) if row["section"] == "sku"]
    assert line["name"] == name


def test_order_cancelled_by_its_service_leaves_the_report(variant: Variant) -> None:
    order = sell(variant, 1)
    allocate_stock({variant.pk: 1}, Cause(Mover.SHOPPER, order=order.number))

    change_status(order=order, to=Order.Status.CANCELLED)
    rows = list(sales_rows(day=DAY, as_of=datetime.now(UTC)))

    assert rows == []


def test_report_names_what_went_back_and_counts_an_order_that_came_back(variant: Variant) -> None:
    kept = paid({variant: 1})
    late = change_status(order=placed({variant: 1}), to=Order.Status.CANCELLED)
    reinstate(order=late)
    payment = kept.payments.get()
    settled = settle_refund(payment, 80)

    day, as_of = timezone.now().astimezone(UTC).date(), timezone.now()
    total = next(iter(sales_rows(day=day, as_of=as_of)))
    before = next(iter(sales_rows(day=day, as_of=settled.updated_at - timedelta(microseconds=1))))

    assert (total[4], total[7], before[7]) == (2, "80", "0")


def test_days_are_summed_by_currency_net_of_refunds(variant: Variant) -> None:
    partly, whole = paid({variant: 1}), paid({variant: 1})
    settle_refund(partly.payments.get(), 100)
    settle_refund(whole.payments.get(), whole.total_amount)
    placed({variant: 1}, payment_method="cash_on_delivery")
    change_status(order=placed({variant: 1}), to=Order.Status.CANCELLED)
    paid({variant: 1}, currency="USD")
    yesterday = paid({variant: 1})
    Order.objects.filter(pk=yesterday.pk).update(placed_at=timezone.now() - timedelta(days=1))
    today = timezone.localdate()

    found = daily_takings(since=timezone.now() - timedelta(days=2))

    total = partly.total
    assert {key: (sums.orders, sums.sold, sums.net.amount) for key, sums in found.items()} == {
        (today, "TWD"): (3, total * 2, total.amount - 100),
        (today, "USD"): (1, Money(1290 + 350, "USD"), 1290 + 350),
        (today - timedelta(days=1), "TWD"): (1, total, total.amount),
    }


def settle_refund(payment: Payment, amount: int) -> Refund:
    refund = request_refund(payment=payment, amount=amount, reason="", actor=None, key=uuid4())
    return advance_refund(refund.pk)
