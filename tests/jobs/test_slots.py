from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from celery.schedules import BaseSchedule, crontab, schedule

from jobs.slots import Slot, claim_slot, latest_slot, mark_sent, seconds_to_next, take_over


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("when", "now", "due"),
    [
        (crontab(minute=0), "2026-11-22T21:45:10", "2026-11-22T21:00:00"),
        (crontab(minute=0), "2026-11-22T21:00:00", "2026-11-22T21:00:00"),
        (crontab(minute=0, hour=2), "2026-11-22T01:59:59", "2026-11-21T02:00:00"),
        (crontab(minute=0, hour=2), "2026-11-22T02:00:00", "2026-11-22T02:00:00"),
        (crontab(minute="*/20", hour="3,4"), "2026-11-22T04:39:00", "2026-11-22T04:20:00"),
        (crontab(minute=30, hour=23), "2026-03-01T00:10:00", "2026-02-28T23:30:00"),
        (crontab(minute=0, hour=2, day_of_month=1), "2026-11-01T12:00:00", "2026-11-01T02:00:00"),
        (crontab(minute=0, hour=2, day_of_month=1), "2026-11-22T12:00:00", None),
        (crontab(minute=0, day_of_week="sun"), "2026-11-22T10:30:00", "2026-11-22T10:00:00"),
        (crontab(minute=0, hour=0, day_of_week="mon"), "2026-11-22T10:30:00", None),
        (schedule(90), "1970-01-01T00:02:59", "1970-01-01T00:01:30"),
        (schedule(timedelta(seconds=1)), "2026-11-22T10:30:00.999999", "2026-11-22T10:30:00"),
    ],
)
def test_latest_slot_is_the_last_time_due(when: BaseSchedule, now: str, due: str | None) -> None:
    assert latest_slot(when, utc(now)) == (utc(due) if due else None)


def test_schedulers_whose_clocks_differ_name_the_same_slot() -> None:
    clocks = [utc("2026-11-22T02:00:00") + timedelta(seconds=skew) for skew in (0, 1, 29, 3599)]
    tokyo = [clock.astimezone(UTC) for clock in clocks]

    slots = {Slot("report", latest_slot(crontab(minute=0), clock) or clock).key for clock in tokyo}

    assert slots == {"report|2026-11-22T02:00:00Z"}


def test_schedule_without_slots_is_refused() -> None:
    with pytest.raises(TypeError, match="a BaseSchedule has no slots"):
        latest_slot(BaseSchedule(), utc("2026-11-22T02:00:00"))


def test_scheduler_sleeps_to_the_next_slot() -> None:
    now = utc("2026-11-22T10:30:12.500")

    assert seconds_to_next(crontab(minute=0), now) == pytest.approx(47.5)
    assert seconds_to_next(schedule(1), now) == pytest.approx(0.5)


def test_first_claim_stands_whoever_asks_again() -> None:
    slot = Slot(f"job-{uuid4()}", utc("2026-11-22T02:00:00"))

    first = claim_slot(slot, "taiwan")
    second = claim_slot(slot, "tokyo")

    assert (first.owner, first.attempt, first.sent) == ("taiwan", 1, False)
    assert second == first


def test_one_of_two_takes_over_and_the_former_owner_is_told() -> None:
    slot = Slot(f"job-{uuid4()}", utc("2026-11-22T02:00:00"))
    dead = claim_slot(slot, "taiwan")

    winner = take_over(dead, "tokyo")
    loser = take_over(dead, "singapore")
    late = mark_sent(dead)

    assert (winner.owner, winner.attempt) == ("tokyo", 2)
    assert loser == late == winner


def test_claim_that_was_sent_is_not_taken_over() -> None:
    slot = Slot(f"job-{uuid4()}", utc("2026-11-22T02:00:00"))
    seen = claim_slot(slot, "taiwan")
    sent = mark_sent(seen)

    assert sent.sent is True
    assert take_over(seen, "tokyo") == sent
