"""One drill from beginning to end: whole, load, steady, fault, available again, healed, account."""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from uuid import uuid4

from django.db import DatabaseError, connections

from failover.drills import Scenario, Wound, draining
from failover.drills.account import Account, settle
from failover.drills.cast import await_database, goods
from failover.drills.faults import FaultFailed, Faults
from failover.drills.load import Load, gathered
from failover.drills.operations import FRONT, Operation
from failover.drills.outages import unavailable
from failover.drills.results import Mark, Result, State

logger = logging.getLogger(__name__)

WHOLE_LIMIT: Final = 180.0
"""Seconds for everything to run and follow again."""
STEADY_LIMIT: Final = 60.0
BUSY: Final = 4
"""Times as patient are shoppers where the machine has other work to do."""


@dataclass(frozen=True)
class Course:
    """How a drill is run."""

    front: str
    direct: Mapping[str, str]
    """Each region's own address."""
    shoppers: int = 12
    steady: float = 1.5
    """Seconds without any failure before the fault."""
    lasts: float | None = None
    """Seconds of the fault; the scenario's own where None."""
    recovery: float = 60
    """Seconds that are waited for shoppers to be served: while the fault lasts, and after it."""
    busy: bool = False
    """The machine has other work to do: shoppers are more patient, and seconds are only told."""


@dataclass
class Drill:
    """Of one scenario, once."""

    name: str
    scenario: Scenario
    faults: Faults
    course: Course
    tell: Callable[[str, Load | None], None] = lambda phase, load: None
    """Called several times a second with what is going on."""
    marks: list[Mark] = field(default_factory=list)
    phase: str = ""
    load: Load | None = None
    split_brain: list[str] = field(default_factory=list)

    def run(self) -> Result:
        """Whatever happens, everything is healed again. Raises nothing of ours."""
        result = Result(
            self.name,
            uuid4().hex[:12],
            datetime.now(UTC),
            State.NOT_RUN,
            self.course.shoppers,
            self.course.busy,
            self.scenario.targets,
        )
        try:
            if missing := self.scenario.needs(self.faults):
                result.told = missing
                return result
            self._enter("waiting until everything is whole")
            draining.let_in_what_a_drill_left()
            self.faults.wait_whole(WHOLE_LIMIT)
            with (
                goods() as stock,
                gathered(
                    self.course.front,
                    self.course.direct,
                    self.course.shoppers,
                    stock,
                    BUSY if self.course.busy else 1,
                ) as self.load,
            ):
                result.told = self._shop_and_break(self.load)
                operations = list(self.load.log.operations)
                self._enter("comparing every operation with the database")
                await_database()
                doors = {FRONT: self.course.front, **self.course.direct}
                account = settle(self.load, stock, doors)
                self._write(result, self.load, account, operations)
        except (FaultFailed, DatabaseError) as problem:
            result.state, result.told = State.BROKEN, str(problem).strip()
        except Exception as problem:  # one of many repeats: it is counted, and the others go on
            logger.exception("the drill %s broke", self.name)
            result.state, result.told = State.BROKEN, repr(problem)
        finally:
            connections.close_all()
        return result

    # --- The course of it ------------------------------------------------------------------------

    def _shop_and_break(self, load: Load) -> str:
        """What was broken. Raises FaultFailed."""
        limit = self.course.recovery
        connections.close_all()  # ours would end with the writer, and a promotion of ours on it
        with load.going_on():
            self._await_steady(load)
            self._mark("fault")
            wound = self._strike()
            try:
                struck = time.monotonic()
                self._enter(f"{wound.told}: waiting for shoppers to be served")
                lasts = self.course.lasts if self.course.lasts is not None else self.scenario.lasts
                self._last_until(struck + lasts)
                if not load.log.wait_sustained(struck, limit, tick=self._tick):
                    self._mark("not served again while it lasted")
            finally:
                self._mark("healing")
                self._enter("healing")
                wound.heal()
                self._watch_writers()
                self.faults.wait_whole(WHOLE_LIMIT)
            self._mark("whole")
            self._enter("shoppers shop")
            if not load.log.wait_sustained(time.monotonic(), limit, tick=self._tick):
                self._mark("not served again")  # which the outages tell: they are not over
        return wound.told

    def _strike(self) -> Wound:
        """Half a blow is healed, too."""
        try:
            return self.scenario.strike(self.faults)
        except BaseException:
            self.faults.wait_whole(WHOLE_LIMIT)
            raise

    def _await_steady(self, load: Load) -> None:
        self._enter("shoppers shop")
        steady = self.course.steady
        if not load.log.wait_sustained(load.began, STEADY_LIMIT, seconds=steady, tick=self._tick):
            failed = [each for each in load.log.operations if not each.ok][-3:]
            words = "; ".join(f"{each.what} at {each.door}: {each.note}" for each in failed)
            raise FaultFailed(
                f"the shop is not steady within {STEADY_LIMIT:.0f} s, without any fault of ours. "
                f"Last failures: {words or 'none'}. See `manage.py failover check`."
            )

    def _last_until(self, moment: float) -> None:
        while (left := moment - time.monotonic()) > 0:
            self._tick()
            time.sleep(min(left, 0.2))

    def _watch_writers(self) -> None:
        """Asked of every server by itself: a thawed one may not know that it was replaced."""
        for _ in range(3):
            writers = self.faults.takes_writes()
            if len(writers) > 1:
                self.split_brain.append(f"writes were taken by {' and '.join(sorted(writers))}")
            self._tick()

    def _write(
        self, result: Result, load: Load, account: Account, operations: list[Operation]
    ) -> None:
        struck = next(mark.at for mark in self.marks if mark.text == "fault")
        since = [each for each in operations if each.ended >= struck]
        result.marks, result.account, result.operations = self.marks, account, operations
        result.began, result.ended = load.began, load.ended
        result.share_of_a_core, result.split_brain = load.share_of_a_core, self.split_brain
        result.outages = {door: unavailable(since, door) for door in (FRONT, *self.course.direct)}
        result.judge()

    # --- Telling ---------------------------------------------------------------------------------

    def _enter(self, phase: str) -> None:
        self.phase = phase
        self._tick()

    def _mark(self, text: str) -> None:
        self.marks.append(Mark(time.monotonic(), text))

    def _tick(self) -> None:
        self.tell(self.phase, self.load)
