"""The writer's region is cut off from the others and from AWS; the front door still reaches it.

The worst region to cut: its PostgreSQL believes to be the writer, and its web processes answer.
What they acknowledged must be there afterwards, and what they cannot know they must not claim.
"""

from failover.drills import Scenario, Wound
from failover.drills.faults import Faults


def _strike(faults: Faults) -> Wound:
    region = faults.writer()
    faults.cut(region)
    return Wound(f"{region}, the writer's region, was cut off", faults.heal)


scenario = Scenario(
    help="the writer's region is cut off from the others and from AWS, but not from shoppers",
    strike=_strike,
    lasts=5,
    needs=lambda faults: faults.why_not_cut(),
)
