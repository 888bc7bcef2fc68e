"""What workers do for operators: answer."""

from typing import Any

from celery.worker.control import inspect_command
from django.conf import settings

from jobs.celery import app
from storage.redis import redis_primary

ECHO_LIVES = 10
"""Seconds that an echo waits to be read."""


@app.task(name="jobs.tasks.echo")
def echo(key: str) -> None:
    """Push this region's name to a list that whoever sent the task reads."""
    pipeline = redis_primary().pipeline()
    pipeline.rpush(key, settings.ANYPORT_REGION)
    pipeline.expire(key, ECHO_LIVES)
    pipeline.execute()


@inspect_command()
def region(state: Any) -> dict[str, Any]:
    """Which region a worker is of, and whether it takes tasks: one of a drained region does not.

    `app.control.broadcast("region", reply=True)`.
    """
    consumer = state.consumer.task_consumer
    return {"region": settings.ANYPORT_REGION, "takes_tasks": bool(consumer and consumer.queues)}
