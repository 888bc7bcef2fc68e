"""Settings of the beats and workers that tests start: a schedule with a slot every second."""

from datetime import timedelta

from settings.local import *  # noqa: F403  # settings build on settings
from storage import drain

# moto on a busy machine: nobody is to send a slot again because DynamoDB's answer was late.
DYNAMODB_TIMEOUTS = {"connect_timeout": 5.0, "read_timeout": 15.0}
drain.FIRST_LOOK = 60.0  # type: ignore[misc]  # more than these add up to
CELERY_IMPORTS = ["tests.jobs.ticking"]
CELERY_BEAT_SCHEDULE = {
    "tick": {"task": "tests.jobs.ticking.tick", "schedule": timedelta(seconds=1)}
}
