"""Money that waits, asked when Prometheus asks."""

import logging
from collections.abc import Iterator
from typing import Final, NamedTuple

from django.db import connection
from prometheus_client import REGISTRY
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

logger = logging.getLogger(__name__)

_ASK: Final = """
SELECT greatest(extract(epoch FROM statement_timestamp() - min(next_try_at)), 0),
       count(*) FILTER (WHERE failure <> '')
  FROM (SELECT next_try_at, failure FROM orders_payment WHERE next_try_at IS NOT NULL
         UNION ALL
        SELECT next_try_at, failure FROM orders_refund WHERE next_try_at IS NOT NULL) AS open
"""
"""Each side is a partial index: what is settled, or waits for staff alone, is not looked at."""

_ASK_OWED_BACK: Final = """
SELECT count(DISTINCT payment.id)
  FROM orders_refund AS refund
  JOIN orders_payment AS payment ON payment.id = refund.payment_id
  JOIN orders_order AS sale ON sale.id = payment.order_id
 WHERE refund.state = 'failed' AND payment.state = 'captured'
   AND payment.refunded_amount < payment.amount AND sale.status IN ('cancelled', 'refunded')
"""
"""By the few refunds that failed: money for an order that is gone is refunded as it comes."""


_GAUGES: Final = {
    "orders_payments_overdue_seconds": (
        "How long the payment or refund that is due first has waited for the completer."
    ),
    "orders_payments_failing": (
        "Open payments and refunds whose gateway did not answer, or declined, the last time."
    ),
    "orders_payments_owed_back": (
        "Payments of orders that are gone whose refund failed: staff are to send them back."
    ),
}


class Figures(NamedTuple):
    overdue: float
    """Seconds that the one that is due first has waited; 0 when none is due."""
    failing: int
    owed_back: int


def figures() -> Figures:
    """What stands in the database. Raises DatabaseError."""
    with connection.cursor() as cursor:
        cursor.execute(_ASK)
        overdue, failing = cursor.fetchone()
        cursor.execute(_ASK_OWED_BACK)
        (owed_back,) = cursor.fetchone()
    return Figures(float(overdue), failing, owed_back)


class PaymentCollector(Collector):
    """In no process's memory: whichever is asked tells the same."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        values: tuple[float, ...]
        try:
            values = figures()
        except Exception as error:  # whatever it is, the other metrics are answered
            logger.warning("open payments cannot be counted: %s", error)
            values = (float("nan"),) * len(_GAUGES)
        for (name, text), value in zip(_GAUGES.items(), values, strict=True):
            yield GaugeMetricFamily(name, text, value=float(value))

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """The names alone: whoever asks for others by name costs the database nothing."""
        for name, text in _GAUGES.items():
            yield GaugeMetricFamily(name, text)


def register() -> None:
    """Once a process, when the app is ready."""
    REGISTRY.register(PaymentCollector())
