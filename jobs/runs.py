"""A slot takes effect once, however often its task is delivered."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError
from celery import Task, shared_task
from django.conf import settings
from django.db import (
    InterfaceError,
    InternalError,
    OperationalError,
    close_old_connections,
    connection,
)
from django.utils import timezone
from redis.exceptions import RedisError

from jobs.models import JobRun

logger = logging.getLogger(__name__)

type Result = dict[str, str | int | float | None]
type Effect = Callable[[datetime], Result]

LEASE: Final = timedelta(minutes=15)
"""A run older than this, by the database's clock, is taken for dead."""
TEMPORARY: Final = (
    OperationalError,
    InterfaceError,
    InternalError,  # a write that reached a demoted server: SQLSTATE 25006
    BotoCoreError,
    ClientError,
    RedisError,
)

_BEGIN = """
INSERT INTO jobs_jobrun (job, slot, attempt, status, region, started_at, result)
VALUES (%(job)s, %(slot)s, %(attempt)s, 'running', %(region)s, now(), '{}')
ON CONFLICT (job, slot) DO UPDATE
   SET attempt = GREATEST(EXCLUDED.attempt, jobs_jobrun.attempt + 1),
       status = 'running', region = EXCLUDED.region, started_at = now(), finished_at = NULL
 WHERE jobs_jobrun.status = 'failed'
    OR (jobs_jobrun.status = 'running' AND jobs_jobrun.started_at < now() - %(lease)s)
RETURNING attempt
"""


class StillRunning(Exception):
    """Another delivery of this slot is at work; it may yet die."""


class Superseded(Exception):
    """This run was taken for dead and another has its slot: its result does not count."""


def run_once(*, job: str, slot: datetime, attempt: int, effect: Effect) -> JobRun | None:
    """Run `effect` for the slot unless that was done. Returns the run, or None if it was.

    The row says "running" before the effect starts and "done" after, so an effect outside the
    database is repeated only if its run died; `effect` must bear that. Its own transactions
    should be conditional, as `change_status` is. Raises StillRunning, Superseded and whatever
    `effect` raises, after marking the run failed.
    """
    mine = begin(job=job, slot=slot, attempt=attempt)
    if mine is None:
        logger.info("%s %s was run already", job, slot.isoformat())
        return None
    try:
        result = effect(slot)
    except Exception:
        finish(mine, JobRun.Status.FAILED, {})
        raise
    finish(mine, JobRun.Status.DONE, result)
    logger.info("%s done: %s", mine, result)
    return mine


def begin(*, job: str, slot: datetime, attempt: int) -> JobRun | None:
    """Make the slot's run this caller's, in one statement. None if it is done already."""
    values: dict[str, Any] = {"job": job, "slot": slot, "attempt": attempt, "lease": LEASE}
    with connection.cursor() as cursor:
        cursor.execute(_BEGIN, values | {"region": settings.ANYPORT_REGION})
        began = cursor.fetchone()
    run = JobRun.objects.get(job=job, slot=slot)
    if began is not None:
        run.attempt = began[0]
        return run
    if run.status == JobRun.Status.DONE:
        return None
    raise StillRunning(str(run))


def finish(run: JobRun, status: JobRun.Status, result: Result) -> None:
    """Close the run. Raises Superseded if it is no longer this attempt's to close."""
    run.status, run.result, run.finished_at = status, result, timezone.now()
    changed = JobRun.objects.filter(
        pk=run.pk, attempt=run.attempt, status=JobRun.Status.RUNNING
    ).update(status=status, result=result, finished_at=run.finished_at)
    if not changed:
        raise Superseded(str(run))


def is_done(*, job: str, slot: datetime) -> bool:
    """For processes without requests or tasks, whose connections nobody else looks after."""
    close_old_connections()
    try:
        return JobRun.objects.filter(job=job, slot=slot, status=JobRun.Status.DONE).exists()
    finally:
        close_old_connections()


def scheduled_job(effect: Effect) -> Task[..., Any]:
    """Make `effect` the Celery task of a schedule entry; it keeps its dotted name.

    Temporary errors are tried again for about an hour; the run's row says how it stands.
    """

    @shared_task(
        name=f"{effect.__module__}.{effect.__name__}",
        bind=True,
        max_retries=40,
    )
    def task(self: Task[..., Any], *, job: str, slot: str, attempt: int) -> None:
        due = datetime.fromisoformat(slot)
        try:
            run_once(job=job, slot=due, attempt=attempt, effect=effect)
        except StillRunning as error:
            raise self.retry(exc=error, countdown=60) from error
        except TEMPORARY as error:
            raise self.retry(exc=error, countdown=min(5 * 2**self.request.retries, 120)) from error

    return task
