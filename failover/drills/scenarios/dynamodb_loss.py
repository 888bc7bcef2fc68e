"""DynamoDB and S3 are killed and stay away. Redis lives, so shoppers should notice nothing."""

from functools import partial

from failover.drills import Scenario, Wound
from failover.drills.faults import Faults, Part
from failover.drills.operations import Kind


def _strike(faults: Faults) -> Wound:
    aws = Part("aws")
    faults.kill([aws], stay_away=True)
    return Wound("DynamoDB and S3 were killed", partial(faults.start, [aws]))


scenario = Scenario(
    help="DynamoDB and S3 are killed and stay away",
    strike=_strike,
    targets={Kind.READING: 0, Kind.WRITING: 0, Kind.SESSIONS: 0},
)
