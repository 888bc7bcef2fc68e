"""PostgreSQL's writer is killed with all its backends; its region serves on."""

from functools import partial

from failover.drills import Scenario, Wound
from failover.drills.faults import Faults, Part
from failover.drills.operations import Kind


def _strike(faults: Faults) -> Wound:
    writer = Part("postgres", faults.writer())
    faults.kill([writer], stay_away=True)
    return Wound(f"{writer}, the writer, was killed", partial(faults.start, [writer]))


scenario = Scenario(
    help="the PostgreSQL writer is killed; `watch` promotes",
    strike=_strike,
    targets={Kind.READING: 2, Kind.WRITING: 15},
)
