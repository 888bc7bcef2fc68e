"""The writer's whole region is killed and stays away; nobody but `failover watch` does anything."""

from functools import partial

from failover.drills import Scenario, Wound
from failover.drills.faults import Faults
from failover.drills.operations import Kind


def _strike(faults: Faults) -> Wound:
    region = faults.writer()
    parts = faults.parts_of(region)
    faults.kill(parts, stay_away=True)
    told = f"{region}, the writer's region, was killed: {', '.join(part.name for part in parts)}"
    return Wound(told, partial(faults.start, parts))


scenario = Scenario(
    help="everything of the writer's region is killed and stays away; `watch` promotes",
    strike=_strike,
    targets={Kind.READING: 2, Kind.WRITING: 15},
)
