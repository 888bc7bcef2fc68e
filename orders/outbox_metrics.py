"""How the outbox is doing, asked when Prometheus asks."""

import logging
from collections.abc import Iterator
from typing import Final, NamedTuple

from django.db import connection
from prometheus_client import REGISTRY
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

logger = logging.getLogger(__name__)

_ASK: Final = """
SELECT count(*) FILTER (WHERE dead_at IS NULL),
       coalesce(extract(epoch FROM statement_timestamp() - min(created_at)
                FILTER (WHERE dead_at IS NULL)), 0),
       count(*) FILTER (WHERE dead_at IS NOT NULL)
  FROM orders_outboxmessage
 WHERE (done_at IS NULL AND dead_at IS NULL) OR dead_at IS NOT NULL
"""
"""Each side of the OR is a partial index: messages that are done are not looked at."""


_GAUGES: Final = {
    "orders_outbox_waiting": "Outgoing messages that are not done.",
    "orders_outbox_oldest_seconds": "Age of the oldest of these; 0 without any.",
    "orders_outbox_dead": "Outgoing messages that were given up.",
}


class Figures(NamedTuple):
    waiting: int
    oldest: float
    """Seconds since the one that waits longest was written; 0 without any."""
    dead: int


def figures() -> Figures:
    """What stands in the database. Raises DatabaseError."""
    with connection.cursor() as cursor:
        cursor.execute(_ASK)
        waiting, oldest, dead = cursor.fetchone()
    return Figures(waiting, float(oldest), dead)


class OutboxCollector(Collector):
    """In no process's memory: whichever is asked tells the same."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        values: tuple[float, ...]
        try:
            values = figures()
        except Exception as error:  # whatever it is, the other metrics are answered
            logger.warning("the outbox cannot be counted: %s", error)
            values = (float("nan"),) * len(_GAUGES)
        for (name, text), value in zip(_GAUGES.items(), values, strict=True):
            yield GaugeMetricFamily(name, text, value=float(value))

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """The names alone: whoever asks for others by name costs the database nothing."""
        for name, text in _GAUGES.items():
            yield GaugeMetricFamily(name, text)


def register() -> None:
    """Once a process, when the app is ready."""
    REGISTRY.register(OutboxCollector())
