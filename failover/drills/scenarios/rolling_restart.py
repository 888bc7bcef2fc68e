"""Every region's processes are restarted, one region after the other, as a deploy does.

In good order: the region is drained first, each process finishes what it has begun, and the next
region's turn comes when the front door sends requests to this one again.
"""

from failover.drills import Scenario, Wound, draining
from failover.drills.faults import Faults
from failover.drills.operations import Kind

LIMIT = 180.0
STORES = {"postgres", "valkey", "sentinel"}


def _strike(faults: Faults) -> Wound:
    for region in faults.regions:
        parts = [part for part in faults.parts_of(region) if part.name not in STORES]
        with draining.drained(region):
            faults.stop(parts)
            faults.start(parts)
        faults.wait_whole(LIMIT)  # until the front door has seen it, too
    return Wound(f"{', '.join(faults.regions)} were restarted, one after the other")


scenario = Scenario(
    help="all regions' processes are restarted in good order, one region after the other",
    strike=_strike,
    targets={Kind.READING: 0, Kind.WRITING: 0, Kind.SESSIONS: 0},
    lasts=0,
)
