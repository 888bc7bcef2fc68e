"""Why this region should get no requests now: because another one would serve them better.

Functions register with `@readiness` and say why, or None. They are asked in each `/health/ready`,
once a second by each front door, so they only look at what a thread of this process has found out
(storage.drain, regions.peers). A shared store that is away is no reason: it is away for all.
"""

from collections.abc import Callable
from typing import Final

type Reason = Callable[[], str | None]

_registered: Final[list[Reason]] = []


def readiness(reason: Reason) -> Reason:
    _registered.append(reason)
    return reason


def why_not_ready() -> str | None:
    """The first reason that there is."""
    return next((why for ask in _registered if (why := ask())), None)
