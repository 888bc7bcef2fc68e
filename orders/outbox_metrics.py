"""How the outbox is doing, asked when Prometheus asks."""

import logging
from collections.abc import Iterator
from typing import Final

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


class OutboxCollector(Collector):
    """In no process's memory: whichever is asked tells the same."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        try:
            with connection.cursor() as cursor:
                cursor.execute(_ASK)
                waiting, oldest, dead = cursor.fetchone()
        except Exception as error:  # whatever it is, the other metrics are answered
            logger.warning("the outbox cannot be counted: %s", error)
            waiting = oldest = dead = float("nan")
        yield self._gauge("waiting", "Outgoing messages that are not done.", waiting)
        yield self._gauge("oldest_seconds", "Age of the oldest of these; 0 without any.", oldest)
        yield self._gauge("dead", "Outgoing messages that were given up.", dead)

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """So that registering it asks the database nothing."""
        yield from ()

    def _gauge(self, name: str, text: str, value: float) -> GaugeMetricFamily:
        return GaugeMetricFamily(f"orders_outbox_{name}", text, value=float(value))


def register() -> None:
    """Once a process, when the app is ready."""
    REGISTRY.register(OutboxCollector())
