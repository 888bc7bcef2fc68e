"""The Celery application: `celery -A jobs worker`, `celery -A jobs beat`."""

import os

from celery import Celery

from jobs.broker import LastResort

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings.production")

app = Celery("anyport")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.steps["worker"].add(LastResort)
