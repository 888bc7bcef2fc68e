"""What the schedule asks of orders. Each runs once a slot, in whichever region is free."""

from datetime import datetime

from celery import shared_task

from jobs.runs import Result, scheduled_job
from orders.idempotency import delete_expired_records
from orders.outbox import delete_done, follow_nudge, relay
from orders.reports import write_sales_report
from orders.services.gateway_calls import delete_old_events
from orders.services.payments import complete_open
from orders.services.status import cancel_expired_orders
from shop.services.cart import delete_stale_carts


@scheduled_job
def clean_up_orders(slot: datetime) -> Result:
    """Hourly: what nobody needs any more goes.

    Each step takes a bounded batch; the next hour takes the next.
    """
    return {
        "carts": delete_stale_carts(),
        "idempotency_records": delete_expired_records(),
        "outbox_messages": delete_done(),
        "gateway_events": delete_old_events(),
    }


@scheduled_job
def cancel_unpaid(slot: datetime) -> Result:
    """Every five minutes: unpaid orders past their hold give their stock back."""
    return {"cancelled": cancel_expired_orders()}


@scheduled_job
def report_sales(slot: datetime) -> Result:
    """Daily at 02:00 UTC: yesterday's sales, as they stood at the slot's time."""
    return {"key": write_sales_report(as_of=slot)}


@scheduled_job
def relay_outbox(slot: datetime) -> Result:
    """Every minute: e-mails and whatever else is due. What a nudge should have done, mostly is."""
    return {"done": relay()}


@scheduled_job
def complete_payments(slot: datetime) -> Result:
    """Every minute: asks gateways again for what a crash or a lost message left open."""
    return {**complete_open()}


@shared_task
def relay_now() -> None:
    """A nudge: something was written to the outbox just now. May be lost, or come twice."""
    follow_nudge()
