"""A job for tests: a slot every second, and what it did is its JobRun."""

from datetime import datetime

from jobs.runs import Result, scheduled_job


@scheduled_job
def tick(slot: datetime) -> Result:
    return {"second": slot.second}
