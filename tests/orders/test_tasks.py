from datetime import timedelta
from uuid import uuid4

import pytest
from celery.schedules import crontab
from django.conf import settings
from django.db import connection
from django.utils import timezone

from jobs.models import JobRun
from orders.idempotency import delete_expired_records
from orders.models import GatewayEvent, IdempotencyRecord, Order
from orders.services.gateway_calls import delete_old_events
from orders.tasks import cancel_unpaid, clean_up_orders, complete_payments, report_sales
from shop.models import Cart
from shop.services.cart import delete_stale_carts
from tests.bank import Bank
from tests.factories import make_cart, make_customer, make_order, make_product
from tests.orders.paying import make_payment, pass_time

pytestmark = pytest.mark.django_db(transaction=True)
SLOT = {"job": "clean-up-orders", "slot": "2026-11-22T21:00:00Z", "attempt": 1}
NOTHING = {
    "carts": 0,
    "idempotency_records": 0,
    "outbox_messages": 0,
    "gateway_events": 0,
}


def test_expired_unpaid_orders_and_no_others_are_cancelled_within_five_minutes() -> None:
    past, future = (timezone.now() + timedelta(hours=hours) for hours in (-1, 1))
    expired = make_order(expires_at=past)
    others = [make_order(expires_at=future), make_order(expires_at=None)]
    paid = make_order(expires_at=past, status=Order.Status.PAID)

    entry = settings.CELERY_BEAT_SCHEDULE["cancel-expired-orders"]
    slot = {"job": "cancel-expired-orders", "slot": "2026-11-22T21:05:00Z", "attempt": 1}

    cancel_unpaid.apply(kwargs=slot, throw=True)
    cancel_unpaid.apply(kwargs=slot, throw=True)

    statuses = [Order.objects.get(pk=order.pk).status for order in (expired, *others, paid)]
    assert statuses == ["cancelled", "pending", "pending", "paid"]
    assert JobRun.objects.get().result == {"cancelled": 1}
    assert (entry["task"], entry["schedule"]) == (cancel_unpaid.name, crontab(minute="*/5"))


def test_cleanup_deletes_carts_nobody_comes_back_to() -> None:
    variant = make_product().variants.get()
    customers = make_cart({}, customer=make_customer())
    guests = {
        (days, bool(units)): make_cart(units)
        for days in (0.9, 1.1, 29, 31)
        for units in ({}, {variant: 1})
    }
    _age(customers, 400)
    for (days, _full), cart in guests.items():
        _age(cart, days)

    clean_up_orders.apply(kwargs=SLOT, throw=True)

    kept = [guests[0.9, False], guests[0.9, True], guests[1.1, True], guests[29, True]]
    assert set(Cart.objects.all()) == {customers, *kept}
    result = JobRun.objects.get().result
    assert result == NOTHING | {"carts": 4}


def test_cleanup_takes_carts_in_batches_the_oldest_first() -> None:
    carts = [make_cart({}) for _ in range(3)]
    for days, cart in enumerate(carts, 40):
        _age(cart, days)

    assert delete_stale_carts(limit=2) == 2
    assert list(Cart.objects.all()) == carts[:1]
    assert delete_stale_carts(limit=2) == 1


def test_cleanup_passes_over_a_cart_that_is_being_changed() -> None:
    cart = make_cart({})
    _age(cart, 40)
    other = connection.copy()

    try:
        other.set_autocommit(False)
        with other.cursor() as cursor:
            cursor.execute("UPDATE shop_cart SET updated_at = now()")
        deleted = delete_stale_carts()
        other.commit()
    finally:
        other.close()

    assert deleted == 0
    assert delete_stale_carts() == 0
    assert Cart.objects.get() == cart


def test_cleanup_deletes_expired_idempotency_records() -> None:
    now = timezone.now()
    ages = (now - timedelta(days=1), now - timedelta(seconds=1), now + timedelta(hours=1))
    records = [
        IdempotencyRecord.objects.create(owner="customer:1", key=uuid4(), expires_at=expires)
        for expires in ages
    ]

    assert delete_expired_records(limit=1) == 1
    assert list(IdempotencyRecord.objects.order_by("pk")) == records[1:]
    clean_up_orders.apply(kwargs=SLOT, throw=True)

    assert IdempotencyRecord.objects.get() == records[2]
    result = JobRun.objects.get().result
    assert result == NOTHING | {"idempotency_records": 1}


def _age(cart: Cart, days: float) -> None:
    """As if it had last been changed so many days ago."""
    then = timezone.now() - timedelta(days=days)
    Cart.objects.filter(pk=cart.pk).update(updated_at=then)


def test_report_task_names_the_file_it_wrote() -> None:
    slot = {"job": "report-sales", "slot": "2026-03-01T02:00:00Z", "attempt": 1}

    report_sales.apply(kwargs=slot, throw=True)

    assert JobRun.objects.get().result == {"key": "reports/sales/2026-02-28.csv"}


def test_payments_are_completed_once_a_minute(bank: Bank) -> None:
    payment = make_payment()
    pass_time(minutes=2)
    entry = settings.CELERY_BEAT_SCHEDULE["complete-payments"]
    slot = {"job": "complete-payments", "slot": "2026-11-22T21:01:00Z", "attempt": 1}

    complete_payments.apply(kwargs=slot, throw=True)

    payment.refresh_from_db()
    assert payment.state == "requires_action"
    assert JobRun.objects.get().result == {"payments": 1, "refunds": 0, "failed": 0}
    assert (entry["task"], entry["schedule"]) == (complete_payments.name, crontab())


def test_cleanup_forgets_webhooks_of_last_month() -> None:
    for days in (29, 31):
        GatewayEvent.objects.create(
            gateway="stripe",
            event_id=f"evt_{days}",
            kind="x",
            received_at=timezone.now() - timedelta(days=days),
        )

    assert [delete_old_events(), delete_old_events()] == [1, 0]

    assert GatewayEvent.objects.get().event_id == "evt_29"
