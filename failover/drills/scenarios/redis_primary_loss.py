"""The Redis primary is killed and stays away until the Sentinels have made another one."""

from functools import partial

from failover.drills import Scenario, Wound
from failover.drills.faults import Faults, Part
from failover.drills.operations import Kind


def _strike(faults: Faults) -> Wound:
    primary = Part("valkey", faults.redis_primary())
    faults.kill([primary], stay_away=True)
    return Wound(f"{primary}, the primary, was killed", partial(faults.start, [primary]))


scenario = Scenario(
    help="the Redis primary is killed; the Sentinels promote a replica",
    strike=_strike,
    targets={Kind.READING: 0, Kind.SESSIONS: 5},
    lasts=6,
)
