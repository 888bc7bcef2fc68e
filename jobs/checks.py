"""Operators' checks of jobs: a task is done, and each region has a worker that answers."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, Final

from django.conf import settings

from jobs.celery import app
from regions.checkup import (
    Answer,
    Check,
    Degraded,
    Finding,
    Probe,
    State,
    conclusion,
    findings_of,
    patience,
    probes,
)
from regions.regions import all_regions
from storage.checks.redis import new_key, primary_client

_TASKS: Final = "E-mails, reports and clean-ups wait; ordering goes on."

ROUND_TRIP: Final = Check(
    "jobs.round-trip",
    "a task that is sent is done by some worker",
    impact=_TASKS,
    advice="See jobs.workers. If workers answer, the queue is long: it is worked off by itself.",
    worst=State.DEGRADED,
    rank=5,
    after=("redis.primary", "jobs.any"),
    deep=False,
)
ANY: Final = Check(
    "jobs.any",
    "some region has a worker",
    impact=_TASKS,
    advice="If Redis has just got another primary, ask again in 10 s: workers are reconnecting."
    " Else start a worker (celery -A jobs worker) and read its log.",
    rank=3,
    after=("redis.primary",),
    deep=False,
)
WORKERS: Final = Check(
    "jobs.workers",
    "each region has a worker that answers and takes tasks",
    impact="None: the other regions' workers do its jobs.",
    advice="Read the log of that region's worker, and start it again.",
    worst=State.DEGRADED,
    rank=4,
    after=("redis.primary", "jobs.any", "region.drained"),
    deep=False,
)


class _AllAnswered(Exception):
    pass


@probes
def jobs() -> Iterator[Probe]:
    yield Probe(ROUND_TRIP, f"queue {settings.CELERY_TASK_DEFAULT_QUEUE}", _echo)
    yield Probe(ANY, "all regions", _ask_workers)


def _echo() -> Answer:
    key, wait = new_key(), patience(0.75)
    app.send_task("jobs.tasks.echo", args=[key], expires=wait, retry=False)
    with primary_client(socket_timeout=wait + 0.5) as client:
        answer: Any = client.blpop([key], timeout=wait)
    if answer is None:
        raise Degraded(f"not done within {wait:g} s")
    return Answer(f"done by a worker of {answer[1]}")


def _ask_workers() -> Answer:
    """Every worker says which region it is of. Ends as soon as all regions are heard of."""
    heard: set[str] = set()
    taking: set[str] = set()
    silence = patience(0.5)  # after the last answer, until no more are awaited

    def hear(reply: dict[str, Any]) -> None:
        for told in reply.values():
            region, _, idle = str(told).partition(" ")
            heard.add(region)
            if not idle:
                taking.add(region)
        if heard >= {region.name for region in all_regions()}:
            raise _AllAnswered

    with suppress(_AllAnswered):
        app.control.broadcast("region", reply=True, timeout=silence, callback=hear)
    if not heard:
        raise RuntimeError("no worker answers")
    return Answer(f"of {', '.join(sorted(heard))}", {"heard": heard, "taking": taking})


@conclusion(WORKERS, needs=[ANY])
def workers(findings: Sequence[Finding]) -> Iterator[Finding]:
    for finding in findings_of(ANY, findings):
        for region in all_regions() if "heard" in finding.data else ():
            if region.name in finding.data["taking"]:
                yield WORKERS.ok("worker", "takes tasks", region=region.name)
            elif region.name in finding.data["heard"]:
                yield WORKERS.problem("worker", "answers, and takes no tasks", region=region.name)
            else:
                yield WORKERS.problem("worker", "no worker answers", region=region.name)
