"""One scheduler at a time, in this process, against real DynamoDB and Redis."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from celery import Celery
from celery.schedules import schedule
from django.conf import settings

from jobs import scheduler
from jobs.runs import run_once
from jobs.scheduler import Scheduler
from jobs.slots import Slot, claim_slot, latest_slot
from storage.clients import dynamodb
from storage.redis import redis_primary
from tests.jobs.queue import sent_arguments
from tests.stack import wait_until

HOURLY = timedelta(hours=1)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def job() -> str:
    return f"job-{uuid4()}"


@pytest.fixture
def new_scheduler(job: str) -> Callable[[str], Scheduler]:
    def make(owner: str) -> Scheduler:
        app = Celery("test", set_as_current=False)
        app.config_from_object("django.conf:settings", namespace="CELERY")
        app.conf.beat_schedule = {job: {"task": "tests.jobs.ticking.tick", "schedule": HOURLY}}
        made = Scheduler(app=app)
        made.owner = owner
        return made

    return make


@pytest.fixture
def no_dynamodb(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Nobody listens where DynamoDB was, until the returned function is called."""
    monkeypatch.setattr(settings, "DYNAMODB_ENDPOINT_URL", "http://127.0.0.1:9")
    dynamodb.cache_clear()

    def restore() -> None:
        monkeypatch.undo()
        dynamodb.cache_clear()

    yield restore
    restore()


def sent() -> list[dict[str, Any]]:
    return sent_arguments(redis_primary(), settings.ANYPORT_NAMESPACE)


def tick_until_sent(*beats: Scheduler) -> None:
    """Each has had the chance to send what another one sent already."""

    def ticked() -> list[Any]:
        for beat in beats:
            beat.tick()
        return sent()

    wait_until(ticked, 20, "nothing is sent")


def this_slot(job: str) -> Slot:
    due = latest_slot(schedule(HOURLY), datetime.now(UTC))
    assert due is not None
    return Slot(job, due)


def test_two_schedulers_send_a_slot_once(
    job: str, new_scheduler: Callable[[str], Scheduler]
) -> None:
    taiwan, tokyo = new_scheduler("taiwan"), new_scheduler("tokyo")

    for beat in (taiwan, tokyo, taiwan, tokyo):
        beat.tick()

    assert sent() == [{"job": job, "slot": this_slot(job).time, "attempt": 1}]


def test_scheduler_that_starts_again_remembers_nothing_and_repeats_nothing(
    job: str, new_scheduler: Callable[[str], Scheduler]
) -> None:
    new_scheduler("taiwan").tick()
    new_scheduler("taiwan").tick()

    assert len(sent()) == 1


def test_slot_of_a_scheduler_that_died_before_sending_is_taken_over(
    job: str, new_scheduler: Callable[[str], Scheduler], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler, "UNSENT", 0.2)
    claim_slot(this_slot(job), "dead")
    tokyo = new_scheduler("tokyo")

    tokyo.tick()
    assert sent() == []
    tick_until_sent(tokyo)

    assert sent() == [{"job": job, "slot": this_slot(job).time, "attempt": 2}]


def test_nothing_is_sent_without_a_claim_and_the_slot_waits(
    new_scheduler: Callable[[str], Scheduler], no_dynamodb: Callable[[], None]
) -> None:
    taiwan = new_scheduler("taiwan")

    delay = taiwan.tick()
    assert (sent(), len(taiwan.open)) == ([], 1)
    assert delay <= scheduler.RETRY
    no_dynamodb()
    taiwan.tick()

    assert len(sent()) == 1


def test_claimed_slot_waits_for_the_broker(
    job: str, new_scheduler: Callable[[str], Scheduler]
) -> None:
    taiwan = new_scheduler("taiwan")
    taiwan.app.conf.update(broker_url="redis://127.0.0.1:9/0")

    taiwan.tick()
    assert len(taiwan.open) == 1
    standing = claim_slot(this_slot(job), "anybody")

    assert (standing.owner, standing.sent) == ("taiwan", False)


def test_slot_stays_open_until_it_is_done(
    job: str, new_scheduler: Callable[[str], Scheduler]
) -> None:
    taiwan = new_scheduler("taiwan")

    taiwan.tick()
    taiwan.tick()
    assert len(taiwan.open) == 1
    run_once(job=job, slot=this_slot(job).due, attempt=1, effect=lambda slot: {})
    taiwan.tick()

    assert (len(taiwan.open), len(sent())) == (0, 1)


def test_task_that_the_broker_lost_is_sent_again_by_one(
    job: str, new_scheduler: Callable[[str], Scheduler], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler, "LOST", 0.2)
    beats = [new_scheduler("taiwan"), new_scheduler("tokyo")]
    for beat in beats:
        beat.tick()
    redis_primary().flushdb()

    tick_until_sent(*beats)

    assert sent() == [{"job": job, "slot": this_slot(job).time, "attempt": 2}]
