from datetime import timedelta

import pytest
from django.utils import timezone

from jobs.models import JobRun
from orders.models import Order
from orders.tasks import clean_up_orders, report_sales
from tests.factories import make_order

pytestmark = pytest.mark.django_db(transaction=True)


def test_cleanup_cancels_expired_unpaid_orders_only() -> None:
    past, future = (timezone.now() + timedelta(hours=hours) for hours in (-1, 1))
    expired = make_order(expires_at=past)
    others = [make_order(expires_at=future), make_order(expires_at=None)]
    paid = make_order(expires_at=past, status=Order.Status.PAID)

    slot = {"job": "clean-up-orders", "slot": "2026-11-22T21:00:00Z", "attempt": 1}
    clean_up_orders.apply(kwargs=slot, throw=True)
    clean_up_orders.apply(kwargs=slot, throw=True)

    statuses = [Order.objects.get(pk=order.pk).status for order in (expired, *others, paid)]
    assert statuses == ["cancelled", "pending", "pending", "paid"]
    assert JobRun.objects.get().result == {"cancelled": 1}


def test_report_task_names_the_file_it_wrote() -> None:
    slot = {"job": "report-sales", "slot": "2026-03-01T02:00:00Z", "attempt": 1}

    report_sales.apply(kwargs=slot, throw=True)

    assert JobRun.objects.get().result == {"key": "reports/sales/2026-02-28.csv"}
