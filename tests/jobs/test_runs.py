from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest
from django.db import connection
from django.utils import timezone

from jobs.models import JobRun
from jobs.runs import LEASE, StillRunning, Superseded, begin, finish, run_once
from tests.jobs.ticking import tick

pytestmark = pytest.mark.django_db(transaction=True)

SLOT = datetime(2026, 11, 22, 2, tzinfo=UTC)


def test_second_delivery_does_nothing() -> None:
    effects: list[datetime] = []

    for attempt in (1, 1, 2):
        run_once(job="report", slot=SLOT, attempt=attempt, effect=lambda slot: note(effects, slot))

    run = JobRun.objects.get()
    assert effects == [SLOT]
    assert (run.status, run.attempt, run.result) == (JobRun.Status.DONE, 1, {"count": 1})


def note(effects: list[datetime], slot: datetime) -> dict[str, str | int | float | None]:
    effects.append(slot)
    return {"count": len(effects)}


def test_failed_run_may_be_tried_again() -> None:
    def fail(slot: datetime) -> dict[str, str | int | float | None]:
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        run_once(job="report", slot=SLOT, attempt=1, effect=fail)
    assert JobRun.objects.get().status == JobRun.Status.FAILED
    run = run_once(job="report", slot=SLOT, attempt=1, effect=lambda slot: {})

    assert run is not None
    assert (run.attempt, JobRun.objects.get().status) == (2, JobRun.Status.DONE)


def test_run_at_work_is_left_alone() -> None:
    begin(job="report", slot=SLOT, attempt=1)

    with pytest.raises(StillRunning):
        begin(job="report", slot=SLOT, attempt=2)


def test_dead_run_is_taken_over_and_its_late_result_does_not_count() -> None:
    frozen = begin(job="report", slot=SLOT, attempt=1)
    assert frozen is not None
    JobRun.objects.update(started_at=timezone.now() - LEASE - timedelta(seconds=1))

    second = begin(job="report", slot=SLOT, attempt=1)
    assert second is not None
    with pytest.raises(Superseded):
        finish(frozen, JobRun.Status.DONE, {"by": "frozen"})
    finish(second, JobRun.Status.DONE, {"by": "second"})

    run = JobRun.objects.get()
    assert (run.attempt, run.result) == (2, {"by": "second"})


def test_simultaneous_deliveries_take_effect_once() -> None:
    start = Barrier(8)
    effects: list[datetime] = []

    def deliver(_: int) -> str:
        start.wait(10)
        try:
            run = run_once(
                job="report", slot=SLOT, attempt=1, effect=lambda slot: note(effects, slot)
            )
        except StillRunning:
            return "waits"
        finally:
            connection.close()
        return "ran" if run else "done already"

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(deliver, range(8)))

    assert (effects, outcomes.count("ran"), JobRun.objects.count()) == ([SLOT], 1, 1)


def test_control_without_the_row_every_delivery_takes_effect() -> None:
    start = Barrier(8)
    effects: list[datetime] = []

    def deliver(_: int) -> None:
        start.wait(10)
        note(effects, SLOT)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(deliver, range(8)))

    assert effects == [SLOT] * 8


def test_scheduled_job_is_a_task_of_primitive_arguments() -> None:
    tick.apply(kwargs={"job": "tick", "slot": "2026-11-22T02:00:07Z", "attempt": 1}, throw=True)

    run = JobRun.objects.get()
    assert tick.name == "tests.jobs.ticking.tick"
    assert (run.job, run.slot, run.result) == ("tick", SLOT.replace(second=7), {"second": 7})
