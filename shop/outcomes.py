"""How requests ended that take effect once, however often they are sent: counted and logged here.

    with counted(Ending(), key) as ending:
        …the effect…
        ending.outcome = "replayed"  # it was there already: a duplicate

The API's requests, checkout and staff's forms all end here, so that one figure tells of all.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from prometheus_client import Counter

logger = logging.getLogger(__name__)

OUTCOMES: Final = Counter(
    "orders_idempotency", "Requests with an idempotency key, by how they ended.", ["outcome"]
)  # done, declined, replayed, replayed_by_redis, running, reused, failed


@dataclass
class Ending:
    outcome: str = "done"


@contextmanager
def counted[E: Ending](
    ending: E, key: object, *, declined: type[Exception] | tuple[()] = ()
) -> Iterator[E]:
    """Count and log what `ending.outcome` is when the block ends.

    An error that passes is `declined` if it is one of those, or else its own `outcome`, or failed.
    `key` names the request: its idempotency key, or what it asks for where that happens but once
    (`cancel AP-…`). What was simply done is not logged: orders and movements tell of it.
    """
    try:
        yield ending
    except BaseException as error:
        decided = isinstance(error, declined)
        ending.outcome = "declined" if decided else getattr(error, "outcome", "failed")
        raise
    finally:
        OUTCOMES.labels(ending.outcome).inc()
        if ending.outcome != "done":
            logger.info("idempotency: %s key %s", ending.outcome, key)
