"""Everything of a region is killed at once and stays away. It is not the writer's region."""

from functools import partial

from failover.drills import Scenario, Wound
from failover.drills.faults import Faults
from failover.drills.operations import Kind


def _strike(faults: Faults) -> Wound:
    keep = {faults.writer(), faults.redis_primary()}
    region = next(region for region in faults.regions if region not in keep)
    parts = faults.parts_of(region)
    faults.kill(parts, stay_away=True)
    told = f"{region} was killed: {', '.join(part.name for part in parts)}"
    return Wound(told, partial(faults.start, parts))


scenario = Scenario(
    help="everything of a region that holds no primary is killed and stays away",
    strike=_strike,
    targets={Kind.READING: 2, Kind.WRITING: 2, Kind.SESSIONS: 2},
)
