"""What the counter of keyed requests has counted since a test began."""

from collections import Counter

from shop.outcomes import OUTCOMES


class Outcomes:
    def __init__(self) -> None:
        self._before = self._read()

    def since(self) -> dict[str, int]:
        """Requests by outcome, those that ended meanwhile."""
        return dict(+Counter({k: v - self._before.get(k, 0) for k, v in self._read().items()}))

    def _read(self) -> dict[str, int]:
        metrics = OUTCOMES.collect()
        samples = [each for metric in metrics for each in metric.samples]
        totals = [each for each in samples if each.name == "orders_idempotency_total"]
        return {each.labels["outcome"]: int(each.value) for each in totals}
