"""Keeping what a drill found: S3, a row for the admin, and a document for `failover status`."""

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError
from django.db import DatabaseError

from failover.drills.cast import await_database
from failover.drills.html import as_html
from failover.drills.results import Result, State
from failover.models import DrillRun
from regions.regions import Region, local_first
from storage import control
from storage.buckets import bucket_name
from storage.clients import s3

ATTEMPTS: Final = 3


class NotKept(Exception):
    """A store did not take the report. The drill itself is over, and its result stands."""


def keep(result: Result) -> str:
    """Where the report is now. Raises NotKept."""
    for left in reversed(range(ATTEMPTS)):
        try:
            return _keep(result)
        except (BotoCoreError, ClientError, DatabaseError, control.ControlUnreachable) as error:
            if not left:
                raise NotKept(str(error).strip()) from error
            with suppress(DatabaseError):  # the next try says so
                await_database()
    raise AssertionError("it was tried at least once")


def _keep(result: Result) -> str:
    """Harmless to repeat."""
    key = f"drills/{result.started:%Y-%m-%d}/{result.scenario}-{result.id}"
    where = _put_somewhere(f"{key}.html", as_html(result), "text/html; charset=utf-8")
    everything = json.dumps(result.as_json(every_operation=True), ensure_ascii=False)
    _put(where, f"{key}.json", everything, "application/json")
    DrillRun.objects.update_or_create(
        pk=result.id,
        defaults={
            "scenario": result.scenario,
            "state": result.state,
            "started_at": result.started,
            "seconds": result.ended - result.began,
            "summary": result.as_json(),
            "region": where.name,
            "report": f"{key}.html",
        },
    )
    not_run = result.state is State.NOT_RUN
    control.change("drill", lambda old: old if not_run else _document(result, old))
    return f"s3://{bucket_name('backups', where)}/{key}.html"


def _document(result: Result, old: Mapping[str, Any]) -> dict[str, object]:
    failed = {*old.get("failed", ())} - {result.scenario}
    if result.state is not State.PASSED:
        failed.add(result.scenario)
    return {
        "id": result.id,
        "scenario": result.scenario,
        "at": result.started.isoformat(timespec="seconds"),
        "state": result.state,
        "passed": result.as_json()["passed"],
        "summary": "; ".join(result.misses) or result.told,
        "failed": sorted(failed),  # scenarios, each as it was drilled last
    }


def _put_somewhere(key: str, text: str, kind: str) -> Region:
    """In this region's bucket, or in the next one that takes it."""
    here, *others = local_first()
    for where in (here, *others):
        try:
            _put(where, key, text, kind)
        except (BotoCoreError, ClientError):
            if where == others[-1]:
                raise
            continue
        return where
    raise AssertionError("there is no region")


def _put(where: Region, key: str, text: str, kind: str) -> None:
    s3(where).put_object(
        Bucket=bucket_name("backups", where), Key=key, Body=text.encode(), ContentType=kind
    )
