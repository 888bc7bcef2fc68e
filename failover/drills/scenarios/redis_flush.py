"""Redis loses everything: sessions, cache and queues. Every session has its copy in DynamoDB."""

from failover.drills import Scenario, Wound
from failover.drills.faults import Faults
from failover.drills.operations import Kind


def _strike(faults: Faults) -> Wound:
    faults.flush_redis()
    return Wound("Redis was emptied")


scenario = Scenario(
    help="Redis loses all its keys",
    strike=_strike,
    targets={Kind.READING: 0, Kind.SESSIONS: 5},
)
