"""For how long the shop was away: from the first failure to the first success that lasts."""

from collections.abc import Iterable
from dataclasses import dataclass

from failover.drills.operations import FRONT, SUSTAINED, Kind, Operation


@dataclass(frozen=True)
class Outage:
    began: float
    ended: float
    failures: int
    over: bool = True
    """False where no success followed."""

    @property
    def seconds(self) -> float:
        return self.ended - self.began


def find_outages(operations: Iterable[Operation]) -> list[Outage]:
    """Of operations of one kind at one door, whatever their order.

    Failures with less than `SUSTAINED` seconds between them are one outage. It begins when the
    first of them was asked for, not when it was given up, and ends with the first success after
    the last of them had failed: whoever waits in vain counts as long as they wait.
    """
    ordered = sorted(operations, key=lambda each: each.began)
    rows: list[list[Operation]] = []
    for failure in (each for each in ordered if not each.ok):
        if rows and failure.began <= max(each.ended for each in rows[-1]) + SUSTAINED:
            rows[-1].append(failure)
        else:
            rows.append([failure])
    return [_outage(row, ordered) for row in rows]


def _outage(failures: list[Operation], ordered: list[Operation]) -> Outage:
    last = max(each.ended for each in failures)
    after = [each.ended for each in ordered if each.ok and each.ended >= last]
    return Outage(failures[0].began, min(after, default=last), len(failures), over=bool(after))


def unavailable(operations: Iterable[Operation], door: str = FRONT) -> dict[Kind, list[Outage]]:
    """By kind. An operation counts that had not ended when the fault came, too."""
    at_door = [each for each in operations if each.door == door]
    return {kind: find_outages(each for each in at_door if each.kind is kind) for kind in Kind}
