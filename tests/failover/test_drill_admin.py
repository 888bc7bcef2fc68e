"""Drills in the admin: listed, and their reports opened by those who may see them."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import httpx
import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from failover.drills.account import Account
from failover.drills.keep import keep
from failover.drills.operations import FRONT, Kind, Operation, Outcome
from failover.drills.outages import unavailable
from failover.drills.results import Result, State
from failover.models import DrillRun
from regions.regions import region
from shop.models import Customer
from storage import control
from storage.buckets import bucket_name
from storage.clients import s3

pytestmark = pytest.mark.django_db


def held() -> Result:
    """A drill that missed a target, kept."""
    failed = Operation(Kind.READING, "page", FRONT, 1, 3, Outcome.FAILED, 503, "tokyo")
    result = Result("region-loss", "0123456789ab", datetime(2026, 11, 29, tzinfo=UTC), State.MISSED)
    result.operations, result.outages = [failed], {FRONT: unavailable([failed])}
    result.account, result.told, result.ended = Account(acknowledged=7), "tokyo was killed", 10
    result.judge()
    keep(result)
    return result


def staff(*names: str) -> Client:
    person = Customer.objects.create_user("ops@example.com", is_staff=True)
    person.user_permissions.set(Permission.objects.filter(codename__in=names))
    client = Client()
    client.force_login(person)
    return client


def test_drill_is_listed_with_what_it_missed() -> None:
    held()

    page = staff("view_drillrun").get("/admin/failover/drillrun/").text

    assert "region-loss" in page
    assert "Target missed" in page
    assert "2.00 s, 0.00 s, 0.00 s" in page
    assert "reading did not come back" in page


def test_report_is_opened_at_a_signed_address() -> None:
    result = held()
    address = f"/admin/failover/drillrun/{result.id}/report/"

    answer = staff("view_drillrun").get(address)

    assert answer.status_code == 302
    report = httpx.get(answer["Location"], timeout=20)
    assert (report.status_code, report.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "tokyo was killed" in report.text
    run = DrillRun.objects.get()
    kept = s3(region(run.region)).get_object(
        Bucket=bucket_name("backups", region(run.region)),
        Key=run.report.replace(".html", ".json"),
    )
    everything = json.load(kept["Body"])
    assert everything["account"]["acknowledged"] == 7
    assert [row[everything["columns"].index("what")] for row in everything["log"]] == ["page"]
    assert httpx.get(answer["Location"].partition("?")[0], timeout=20).status_code == 403


def test_report_is_refused_to_staff_without_the_permission() -> None:
    result = held()

    answer = staff("view_order").get(f"/admin/failover/drillrun/{result.id}/report/")

    assert answer.status_code == 403


def test_kept_again_it_is_one_drill_and_the_last_one_that_status_reads() -> None:
    result = held()
    keep(result)
    keep(replace(result, id="never", state=State.NOT_RUN))

    assert DrillRun.objects.filter(state=State.MISSED).count() == 1
    last = control.read("drill").data
    assert (last["id"], last["passed"], last["summary"]) == (
        result.id,
        False,
        "reading did not come back",
    )
    assert last["failed"] == ["region-loss"]
    keep(replace(result, misses=[], state=State.PASSED))
    assert control.read("drill").data["failed"] == []
