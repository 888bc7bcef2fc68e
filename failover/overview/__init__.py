"""How the regions are just now: what `failover status` and the admin's page of regions show.

`take` asks everything at once, each for two seconds at most, and never fails: what does not answer
is shown as such. It changes nothing anywhere; whether things *would* work, `failover check` tries.
"""

from failover.overview.model import Overview
from failover.overview.take import take, take_samples

__all__ = ["Overview", "take", "take_samples"]
