"""What a watcher does beside looking, in threads of their own: promotions, and making an old writer
in its own region follow the new one.

A look that waited for a host which was cut off would come too late for the leader's lease."""

import logging
from concurrent.futures import Future, ThreadPoolExecutor
from time import monotonic
from typing import Final

from failover.promotion import record as records
from failover.promotion.errors import Refused, Unfinished
from failover.promotion.machine import Request, promote
from failover.promotion.record import Record
from failover.promotion.steps import Step
from failover.providers.base import Provider
from regions.servers import ProviderError
from storage.control import ControlUnreachable
from storage.leases import LeasesUnreachable, LeaseTaken

logger = logging.getLogger("failover.watch")

AGAIN_AFTER: Final = 5.0
"""Seconds after a promotion that did not end well until it is tried again."""
OWN_SERVER_EVERY: Final = 5.0
"""Seconds between two questions whether this region's server is an old writer."""


class Promoter:
    """One promotion at a time."""

    def __init__(self, region: str, provider: Provider) -> None:
        self._region, self._provider = region, provider
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="promotion")
        self._running: Future[None] | None = None
        self._not_before = 0.0

    @property
    def busy(self) -> bool:
        return self._running is not None and not self._running.done()

    def begin(self, unfinished: Record | None = None) -> None:
        """Promote whoever is furthest, or take up what somebody left: with the region that they
        chose, as long as it answers."""
        if self.busy or monotonic() < self._not_before:
            return
        request = Request(
            None,
            by=f"watch in {self._region}",
            allow_data_loss=False,
            redis=unfinished.redis if unfinished else False,
            unattended=True,
        )
        self._running = self._pool.submit(self._promote, request)

    def _promote(self, request: Request) -> None:
        try:
            record = promote(request, self._provider, _say)
        except LeaseTaken as taken:
            logger.info("%s is promoting: nothing to do here", taken.owner)
        except (Refused, Unfinished, ProviderError, LeasesUnreachable) as error:
            logger.error("not promoted: %s", error)
        except Exception:
            logger.exception("not promoted")  # and tried again: nobody else will
        else:
            logger.warning("%s is the writer now, generation %d", record.target, record.generation)
            return
        self._not_before = monotonic() + AGAIN_AFTER


class Demoter:
    """Looks every few seconds whether this region's server is a writer that was replaced."""

    def __init__(self, region: str, provider: Provider) -> None:
        self._region, self._provider = region, provider
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="own-server")
        self._running: Future[None] | None = None
        self._asked = monotonic()

    def begin(self) -> None:
        busy = self._running is not None and not self._running.done()
        if busy or monotonic() - self._asked < OWN_SERVER_EVERY:
            return
        self._asked = monotonic()
        self._running = self._pool.submit(self._demote)

    def _demote(self) -> None:
        try:
            demote(self._region, self._provider)
        except (ProviderError, ControlUnreachable) as error:
            logger.info("the server of %s cannot be looked at: %s", self._region, error)
        except Exception:
            logger.exception("the server of %s was not looked at", self._region)


def _say(step: Step, found: str, seconds: float) -> None:
    logger.warning("%s: %s (%.1f s)", step.title, found, seconds)


def demote(region: str, provider: Provider) -> None:
    """Stop this region's server, if it still takes writes beside a later writer elsewhere.

    It was cut off while the other was promoted. Nobody confirms its commits, but whoever reaches
    it first would wait for it in vain. Raises ProviderError and ControlUnreachable.
    """
    writer = records.writer().get("region")
    servers = provider.servers()
    if writer is None or writer == region or not servers[writer].takes_writes:
        return
    if servers[region].takes_writes and servers[writer].timeline > servers[region].timeline:
        fence = provider.fence(region, gently=True)
        logger.warning("%s was the writer before %s: %s", region, writer, fence.detail)
        provider.attach(region, writer)
