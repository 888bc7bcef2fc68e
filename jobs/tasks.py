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
def region(state: Any) -> str:
    """Which region a worker is of; `tokyo idle` where it takes no tasks, as one that is drained.

    `app.control.broadcast("region", reply=True)`. While a deploy is under way, others' code asks.
    """
    consumer = state.consumer.task_consumer
    return f"{settings.ANYPORT_REGION}{'' if consumer and consumer.queues else ' idle'}"
