"""The writer moves to the next region, planned: nothing is killed, and nothing may be lost."""

from failover.drills import Scenario, Wound
from failover.drills.faults import FaultFailed, Faults
from failover.drills.operations import Kind
from failover.promotion.errors import Refused, Unfinished
from failover.promotion.machine import Request, promote
from failover.providers import provider
from regions.servers import ProviderError
from storage.leases import LeasesUnreachable, LeaseTaken


def _strike(faults: Faults) -> Wound:
    old = faults.writer()
    regions = list(faults.regions)
    target = regions[(regions.index(old) + 1) % len(regions)]
    try:
        promote(Request(target, by="drill"), provider(), lambda step, found, seconds: None)
    except (Refused, Unfinished, ProviderError, LeasesUnreachable, LeaseTaken) as error:
        raise FaultFailed(f"{target} was not promoted: {error}") from error
    return Wound(f"the writer moved from {old} to {target}")


scenario = Scenario(
    help="the writer moves to the next region, as planned by an operator",
    strike=_strike,
    targets={Kind.WRITING: 5},
    lasts=1,
)
