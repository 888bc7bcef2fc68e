"""Counters for operators, in prometheus_client's default registry, and a line in the log for each
refusal."""

import logging
from collections.abc import Callable
from typing import Final

from prometheus_client import Counter, Gauge

logger = logging.getLogger("django.security.sessions_ext")

LOADS: Final = Counter("sessions_loads", "Sessions asked for, by who answered.", ["source"])
SAVES: Final = Counter("sessions_saves", "Sessions saved, by where first.", ["store"])
MERGED: Final = Counter("sessions_conflicts_merged", "Saves that met another request's changes.")
REFUSED: Final = Counter("sessions_envelopes_refused", "Stored values not opened.", ["reason"])
REPAIRED: Final = Counter("sessions_repaired", "Copies completed from the other store.", ["store"])
UNCOPIED: Final = Counter("sessions_copies_failed", "Saves that DynamoDB did not get yet.")
STALE: Final = Counter(
    "sessions_stale_loads", "Loads older than the browser's version, as nobody had a newer one."
)
LIVE: Final = Gauge("sessions_live", "Live sessions in Redis, of all regions.")
UNAVAILABLE: Final = Counter("sessions_unavailable", "Times that nobody who knows answered.")

LOADED: Final = {
    source: LOADS.labels(source)
    for source in ("replica", "primary", "dynamodb", "fallback", "nobody")
}
"""By source. A label that is looked up each time costs more than the counting."""
SAVED: Final = {store: SAVES.labels(store) for store in ("redis", "dynamodb")}

for _counter, _labels in (
    (REFUSED, ("malformed", "tampered", "unknown-key", "bomb")),
    (REPAIRED, ("redis", "dynamodb")),
):
    for _label in _labels:
        _counter.labels(_label)  # 0 until then: a rate needs a first value


def totals() -> dict[str, float]:
    """What this process has counted so far, by name and label."""
    return {
        "/".join((sample.name, *sample.labels.values())): sample.value
        for counter in (LOADS, SAVES, MERGED, REFUSED, REPAIRED, UNCOPIED, STALE, UNAVAILABLE)
        for metric in counter.collect()
        for sample in metric.samples
        if sample.name.endswith("_total")
    }


def refused(reason: str, *, digest: str) -> None:
    """A value that is not what we wrote there: counted, and logged without its content."""
    REFUSED.labels(reason).inc()
    logger.warning("session %s: a stored value is refused: %s", digest[:12], reason)


def count_live(count: Callable[[], float]) -> None:
    """The gauge asks when it is read; `count` answers NaN when it cannot tell."""
    LIVE.set_function(count)
