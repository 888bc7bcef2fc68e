"""One region's watcher: looks once a second, says what it sees and, as leader, decides."""

import logging
import os
import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Event
from time import monotonic
from typing import Final

from failover.promotion.record import Record, now
from failover.providers.base import Provider
from failover.watching.deeds import Demoter, Promoter
from failover.watching.leadership import Leadership
from failover.watching.probe import Probe, Sight
from failover.watching.verdict import Policy, View, judge
from failover.watching.views import Publisher, Reader
from regions.regions import all_regions
from regions.servers import ProviderError
from storage.control import Conflict, ControlUnreachable
from storage.leases import LeasesUnreachable

logger = logging.getLogger("failover.watch")

EVERY: Final = 1.0
"""Seconds between two looks."""
GRACE: Final = 10.0
"""Seconds that a watcher which never saw a writer waits before it says that there is none."""


@dataclass
class Watcher:
    region: str
    provider: Provider
    policy: Policy
    _said: str = ""

    def __post_init__(self) -> None:
        self._probe = Probe()
        self._publisher = Publisher(self.region)
        self._leadership = Leadership(f"{self.region} {socket.gethostname()} {os.getpid()}")
        self._promoter = Promoter(self.region, self.provider)
        self._demoter = Demoter(self.region, self.provider)
        self._reader: Reader | None = None
        """Of the leader; a new one knows nothing until it has seen views change."""
        self._began = monotonic()
        self._addresses = {region.name: self._address(region.name) for region in all_regions()}

    def _address(self, region: str) -> tuple[str, int] | None:
        try:
            return self.provider.address(region)
        except ProviderError:
            return None

    def run(self, stop: Event) -> None:
        while not stop.is_set():
            began = monotonic()
            self.look()
            stop.wait(max(0.1, began + EVERY - monotonic()))
        self._leadership.resign()

    def look(self) -> None:
        sight = self._probe.ask()
        view = self._view(sight)
        try:
            self._publisher.publish(view)
            if self._leadership.renew():
                self._decide()
            else:
                self._reader = None
                self._say("follows the leader")
            if view.writer_region != self.region and not self._promoter.busy:
                self._demoter.begin()
        except (ControlUnreachable, Conflict, LeasesUnreachable) as error:
            self._reader = None
            self._say(f"DynamoDB does not answer, so nothing is decided: {type(error).__name__}")

    def _view(self, sight: Sight) -> View:
        seen = self._probe.last_success
        missing_for = monotonic() - (self._began + GRACE if seen is None else seen)
        by_address = {address: region for region, address in self._addresses.items()}
        return View(
            self.region,
            now(),
            sight.writes,
            by_address.get(sight.address) if sight.address else None,
            0.0 if sight.writes else max(0.0, missing_for),
            self._probe.failures,
            sight.problem,
        )

    def _decide(self) -> None:
        if self._reader is None:
            self._reader = Reader([region.name for region in all_regions()])
            self._say("leads")
        views, promotion, watch = self._reader.read()
        if watch.data.get("paused"):
            self._say(f"paused by {watch.data.get('by')}: {watch.data.get('why')}")
            return
        if self._promoter.busy:
            return
        record = Record.of(dict(promotion.data)) if promotion.version else None
        if record and record.underway:
            self._say(f"the promotion to {record.target or 'the furthest'} is not finished")
            self._promoter.begin(record)
            return
        verdict = judge(views, self.policy, since_promoted(record))
        self._say(verdict.why)
        if verdict.promote:
            self._promoter.begin()

    def _say(self, what: str) -> None:
        """A line in the log for each change of mind."""
        if what != self._said:
            logger.info("watch: %s", what)
            self._said = what


def since_promoted(record: Record | None) -> float | None:
    """Seconds since a server was promoted, by the clocks of two regions: only for patience.

    None where that never was: one that was refused has promoted nobody, and is tried again.
    """
    if record is None or not record.finished or "promote" not in record.done:
        return None
    return max(0.0, (datetime.now(UTC) - datetime.fromisoformat(record.finished)).total_seconds())
