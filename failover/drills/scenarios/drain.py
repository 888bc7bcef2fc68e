"""A region is drained under load and let in again: nobody may notice."""

from functools import partial

from failover.drills import Scenario, Wound, draining
from failover.drills.faults import Faults
from failover.drills.operations import Kind


def _strike(faults: Faults) -> Wound:
    region = faults.regions[0]
    draining.take_out(region)
    return Wound(f"{region} was drained", partial(draining.let_in, region))


scenario = Scenario(
    help="a region is drained, and let in again",
    strike=_strike,
    targets={Kind.READING: 0, Kind.WRITING: 0, Kind.SESSIONS: 0},
    lasts=2,
)
