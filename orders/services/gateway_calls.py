"""How a gateway is asked, so that what a crash leaves open is found and no old news is written.

    claim    the row's next `attempt` is this caller's, for CLAIM         (a transaction)
    ask      the gateway, under a key made of the row's id                (outside any)
    record   what it said, only where `attempt` still is this caller's    (a transaction)

Who dies in between leaves a row whose `next_try_at` comes; the completer asks again. Who freezes
past their claim and wakes is refused by `attempt`. Asking twice is harmless: gateways do a thing
once under one key. Why so: docs/decisions/0011-payments.md.
"""

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from django.db import models, transaction
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone
from prometheus_client import Counter

from orders.gateways.base import GatewayRefused, GatewayUnreachable
from orders.models import GatewayEvent, Order
from orders.models.payment import GatewayCall
from orders.redact import without_addresses

logger = logging.getLogger(__name__)

CLAIM: Final = timedelta(seconds=60)
"""Longer than any two calls to a gateway. Whoever takes longer is taken for dead."""
FIRST_PAUSE: Final = timedelta(seconds=10)
LONGEST_PAUSE: Final = timedelta(minutes=10)
AFTER_REFUSAL: Final = timedelta(hours=1)
"""A gateway that declines what must be settled needs a person; the next try is only a habit."""

KEEP: Final = timedelta(days=30)

CALLS: Final = Counter(
    "orders_gateway_calls",
    "Questions to payment gateways, by how they ended.",
    ["gateway", "call", "outcome"],
)  # the state answered, unreachable, refused, error; superseded if it came too late


def pause(attempt: int) -> timedelta:
    """Until a row is looked at again: 10 s after its first attempt, then doubled up to 10 min."""
    doublings = min(max(attempt - 1, 0), 10)
    return min(FIRST_PAUSE * (1 << doublings), LONGEST_PAUSE)


def lock_order(order_id: int) -> Order:
    """As it is now and stays until the transaction ends. Before its payment, refund and stock."""
    return Order.objects.select_for_update(no_key=True).get(pk=order_id)


def take[Row: GatewayCall](row: Row) -> bool:
    """Make the row's next attempt this caller's, unless another's is running. `row` says so then.

    Raises RuntimeError inside a transaction: it would hold its locks while a gateway thinks.
    """
    mine = type(row)._default_manager.filter(pk=row.pk, attempt=row.attempt)
    free = mine.filter(Q(claimed_until=None) | Q(claimed_until__lte=Now()))
    with transaction.atomic(durable=True):
        if not free.update(
            attempt=F("attempt") + 1, claimed_until=Now() + CLAIM, next_try_at=Now() + CLAIM
        ):
            return False
    row.attempt += 1
    return True


def ask[Answer](gateway: str, call: str, question: Callable[[], Answer]) -> Answer:
    """The gateway's answer. Raises GatewayUnreachable, GatewayRefused, RuntimeError (see `take`).

    What a gateway raises beside these is its bug: it passes, and the row is asked again.
    """
    with transaction.atomic(durable=True):  # sends nothing, and raises inside a transaction
        pass
    outcome = "error"
    try:
        answer = question()
        outcome = getattr(answer, "state", "done")
        return answer
    except GatewayUnreachable:
        outcome = "unreachable"
        raise
    except GatewayRefused:
        outcome = "refused"
        raise
    finally:
        CALLS.labels(gateway, call, str(outcome)).inc()


def record(row: GatewayCall, *, gateway: str, wait: timedelta | None, **fields: Any) -> bool:
    """Write down what was answered, and end the claim. False if it is not this caller's any more.

    `wait` is how long the completer leaves the row alone; None where nothing is left to do.
    """
    if fields.get("failure"):
        fields["failure"] = without_addresses(fields["failure"])
    written = _mine(row).update(
        claimed_until=None,
        next_try_at=None if wait is None else Now() + wait,
        updated_at=Now(),
        **fields,
    )
    if fields.get("failure"):
        logger.warning("%s %s: %s", type(row).__name__, row.pk, fields["failure"])
    if not written:
        CALLS.labels(gateway, "record", "superseded").inc()
        logger.warning("%s %s: attempt %s is over", type(row).__name__, row.pk, row.attempt)
    return bool(written)


def delete_old_events(*, limit: int = 1000) -> int:
    """Forget webhooks that came more than KEEP ago; gateways send no copies that late."""
    old = GatewayEvent.objects.filter(received_at__lt=timezone.now() - KEEP)
    found = list(old.order_by("received_at").values_list("pk", flat=True)[:limit])
    GatewayEvent.objects.filter(pk__in=found).delete()
    return len(found)


def _mine(row: GatewayCall) -> models.QuerySet[Any]:
    return type(row)._default_manager.filter(pk=row.pk, attempt=row.attempt)
