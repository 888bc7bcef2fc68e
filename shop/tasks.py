"""What the schedule asks of the shop itself."""

from dataclasses import asdict
from datetime import datetime

from jobs.runs import Result, scheduled_job
from sessions_ext.sweep import sweep


@scheduled_job
def sweep_sessions(slot: datetime) -> Result:
    """Every 5 minutes: sessions that only one store has, or has newer, are brought to the other."""
    return asdict(sweep())
