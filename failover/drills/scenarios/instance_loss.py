"""A web process is killed in the middle of its requests, and restarted by whoever watches it."""

from failover.drills import Scenario, Wound
from failover.drills.faults import Faults, Part
from failover.drills.operations import Kind


def _strike(faults: Faults) -> Wound:
    victim = Part("web", faults.regions[0])
    faults.kill([victim])
    return Wound(f"{victim} was killed; what watches over it starts it again")


scenario = Scenario(
    help="a web process is killed; its supervisor restarts it",
    strike=_strike,
    targets={Kind.READING: 0, Kind.WRITING: 0, Kind.SESSIONS: 0},
)
