"""Celery beat without a file: many schedulers, one run of each slot (DESIGN §10)."""

import logging
import os
import socket
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from celery import beat
from celery.schedules import BaseSchedule, maybe_schedule
from django.conf import settings

from jobs.runs import is_done
from jobs.slots import (
    CATCH_UP,
    Claim,
    Slot,
    SlotsUnreachable,
    claim_slot,
    latest_slot,
    mark_sent,
    seconds_to_next,
    take_over,
)
from storage import drain

logger = logging.getLogger(__name__)

UNSENT: Final = 30.0
"""Seconds a claim may stay unsent, on the observer's own clock, before another takes it over."""
LOST: Final = 15 * 60.0
"""Seconds a sent task may stay undone before it is sent again: the broker may lose anything."""
LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)
RETRY: Final = 5.0
"""Seconds until a slot that is not settled is looked at again."""


@dataclass(frozen=True)
class Entry:
    """One line of `beat_schedule`."""

    name: str
    task: str
    schedule: BaseSchedule
    kwargs: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)


@dataclass
class OpenSlot:
    """A due slot that this scheduler does not yet know to be done."""

    slot: Slot
    claim: Claim | None = None
    seen_at: float = 0.0
    """When `claim` was first seen as it is, by this process's monotonic clock."""

    def observe(self, claim: Claim) -> Claim:
        if claim != self.claim:
            self.claim, self.seen_at = claim, time.monotonic()
        return claim

    @property
    def unchanged_for(self) -> float:
        """Seconds, so that no two clocks are ever compared."""
        return time.monotonic() - self.seen_at


class Scheduler(beat.Scheduler):
    """One of several, in every region. Holds no state that outlives it.

    For each entry of `beat_schedule` it looks at the latest slot that is due ("latest" is the
    policy for slots missed while nobody was alive), claims it in DynamoDB, and sends the task
    with `job`, `slot` and `attempt`. Nothing is ever sent without a claim. A claim whose owner
    died before it sent, or whose task never ran, is taken over; if that sends twice, jobs.runs
    lets one take effect.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.owner = f"{settings.ANYPORT_REGION}/{socket.gethostname()}/{os.getpid()}"
        self.entries: dict[str, Entry] = {}
        self.latest: dict[str, datetime] = {}
        self.open: dict[str, OpenSlot] = {}
        super().__init__(*args, **kwargs)

    def setup_schedule(self) -> None:
        for name, values in self.app.conf.beat_schedule.items():
            when = maybe_schedule(values["schedule"], app=self.app)
            self.entries[name] = Entry(name, **(values | {"schedule": when}))

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """One look at every entry. Returns the seconds until the next.

        While the region is drained it claims nothing: the other regions' schedulers do.
        """
        if drain.is_drained():
            return RETRY
        now = datetime.now(UTC)
        for entry in self.entries.values():
            self._open_latest(entry, now)
        for due in list(self.open.values()):
            self._settle(due)
        now = datetime.now(UTC)
        waits = [seconds_to_next(entry.schedule, now) for entry in self.entries.values()]
        return min([*waits, RETRY if self.open else 60.0])

    def _open_latest(self, entry: Entry, now: datetime) -> None:
        due = latest_slot(entry.schedule, now)
        if due is None or due <= self.latest.get(entry.name, LONG_AGO):
            return
        self.latest[entry.name] = due
        for key, older in list(self.open.items()):
            if older.slot.job == entry.name and older.claim and older.claim.sent:
                del self.open[key]  # "latest": once sent, nobody sends it again for a newer one
        slot = Slot(entry.name, due)
        self.open[slot.key] = OpenSlot(slot)

    def _settle(self, due: OpenSlot) -> None:
        """Take the slot one step on; forget it when it is known to be done, or too old."""
        try:
            if due.claim is None or not due.claim.sent:
                self._claim_and_send(due)
            elif is_done(job=due.slot.job, slot=due.slot.due):
                del self.open[due.slot.key]
            elif due.unchanged_for > LOST:
                logger.warning("%s was sent and never done: sending again", due.slot.key)
                due.observe(take_over(due.claim, self.owner))
        except SlotsUnreachable as error:
            logger.warning("%s waits: DynamoDB cannot be asked: %s", due.slot.key, error)
        except Exception:  # the broker's clients raise many kinds, none of which may end beat
            logger.warning("%s waits: it could not be settled", due.slot.key, exc_info=True)
        if datetime.now(UTC) - due.slot.due > CATCH_UP:
            logger.error("%s was given up: nobody could run it", due.slot.key)
            self.open.pop(due.slot.key, None)

    def _claim_and_send(self, due: OpenSlot) -> None:
        claim = due.observe(claim_slot(due.slot, self.owner))
        if claim.owner != self.owner and not claim.sent and due.unchanged_for > UNSENT:
            logger.warning("%s: taken over from %s", due.slot.key, claim.owner)
            claim = due.observe(take_over(claim, self.owner))
        if claim.owner == self.owner and not claim.sent:
            self._send(claim)
            due.observe(mark_sent(claim))

    def _send(self, claim: Claim) -> None:
        entry = self.entries[claim.slot.job]
        arguments = {"job": claim.slot.job, "slot": claim.slot.time, "attempt": claim.attempt}
        # One retry, to replace a connection that was lost while idle; after that the slot stays
        # open and the next tick tries again.
        self.app.send_task(
            entry.task,
            kwargs={**entry.kwargs, **arguments},
            retry_policy={"max_retries": 1, "interval_start": 0.1},
            **entry.options,
        )
        logger.info("%s sent, attempt %s", claim.slot.key, claim.attempt)

    @property
    def info(self) -> str:
        return f"    . slots -> {settings.ANYPORT_NAMESPACE}-slots, as {self.owner}"
