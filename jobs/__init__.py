"""Owns the Celery application, the schedule, its slots and their runs.

Imports storage and regions. Never decides what a job does: apps bring their own tasks.
"""

from jobs.celery import app as celery_app

__all__ = ["celery_app"]
