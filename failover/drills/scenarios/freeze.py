"""PostgreSQL's writer is frozen with all its backends, and thawed when another has its place.

Worse than a death: its connections stay open and answer nothing, and afterwards it goes on where
it stopped, not knowing that it was replaced. It must not carry out a write of anybody then.
"""

from functools import partial

from failover.drills import Scenario, Wound
from failover.drills.faults import Faults, Part


def _strike(faults: Faults) -> Wound:
    writer = Part("postgres", faults.writer())
    faults.freeze([writer])
    return Wound(f"{writer}, the writer, was frozen", partial(faults.thaw, [writer]))


scenario = Scenario(
    help="the PostgreSQL writer is frozen (SIGSTOP), and thawed after it was replaced",
    strike=_strike,
)
