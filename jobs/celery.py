"""The Celery application: `celery -A jobs worker`, `celery -A jobs beat`."""

import os
from typing import Any

from celery import Celery
from celery.signals import beat_init

from jobs.broker import LastResort

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings.production")

app = Celery("anyport")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.steps["worker"].add(LastResort)
app.steps["consumer"].add("jobs.drained.Drained")


@beat_init.connect
def follow_drains(**_: Any) -> None:
    from storage import drain  # noqa: PLC0415 (after the settings)

    drain.follow(every=2.0, wait=True)
