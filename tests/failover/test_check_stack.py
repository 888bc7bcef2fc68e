"""`manage.py failover check` on three regions: whole, and with parts of them frozen."""

import json
import os
import signal
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

import psutil
import pytest
from pytest_django import Settings

from failover.services import all_checks
from storage import control
from tests.failover.test_check import run
from tests.stack import Stack, wait_until

type Found = dict[tuple[str, str], list[dict[str, Any]]]
"""By id and region."""

LIVE = {
    "DJANGO_SETTINGS_MODULE": "settings.local",
    "DATABASE_NAME": "anyport",
    "ANYPORT_NAMESPACE": "anyport",
    "REDIS_DB": "0",
}

pytestmark = pytest.mark.django_db


def check(*words: str) -> tuple[int, Found]:
    """Of the live shop; a busy machine is given more time than an operator's."""
    code, output, _ = run("check", "--json", "--limit", "20", *words, **LIVE)
    found: Found = defaultdict(list)
    for finding in json.loads(output)["checks"]:
        found[finding["check"], finding["region"]].append(finding)
    return code, found


def bad(found: Found) -> dict[tuple[str, str], str]:
    return {
        key: finding["status"]
        for key, findings in found.items()
        for finding in findings
        if finding["status"] != "ok"
    }


@contextmanager
def frozen(*pids: int) -> Iterator[None]:
    """Stopped with all that they have started."""
    processes = [
        process
        for pid in pids
        for process in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True))
    ]
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in processes:
            process.resume()


def wait_whole() -> Found:
    """Until nothing is amiss: what an earlier test did to the stack may not have healed yet."""
    latest: list[Found] = []

    def whole() -> bool:
        code, found = check()
        latest.append(found)
        return code == 0

    try:
        wait_until(whole, 240, "check is ok")
    except AssertionError:
        raise AssertionError(bad(latest[-1])) from None
    return latest[-1]


def test_a_whole_stack_is_0_and_every_check_of_every_region_was_made() -> None:
    found = wait_whole()

    assert {id for id, _ in found} == set(all_checks())
    for region in ("taiwan", "tokyo", "singapore"):
        of_region = {id for id, where in found if where == region}
        assert of_region >= {
            *("postgres.role", "redis.node", "redis.sentinel", "s3.round-trip", "s3.elsewhere"),
            *("sessions.elsewhere", "sessions.keys", "secrets.same", "region.ready"),
            *("region.view", "jobs.workers", "clock.skew"),
        }
    (synchronous,) = found["postgres.synchronous", "taiwan"]
    assert "ANY 1 (" in synchronous["detail"]
    assert "quorum" in synchronous["detail"]


def test_a_drained_region_a_dead_worker_and_a_frozen_web_are_1_and_named(
    stack: Stack, settings: Settings
) -> None:
    settings.ANYPORT_NAMESPACE = "anyport"
    told = {"since": "2026-11-29T22:00:00+00:00", "by": "mei", "why": "new disks"}
    before = control.read("drained").data
    control.change("drained", lambda data: {**data, "singapore": told})
    try:
        with frozen(stack.pid("worker", "tokyo"), stack.pid("web", "tokyo")):
            code, output, _ = run(
                "check", "--json", "--limit", "10", "--only", "region,jobs", **LIVE
            )
    finally:
        control.change("drained", lambda data: before)

    found: Found = defaultdict(list)
    for finding in json.loads(output)["checks"]:
        found[finding["check"], finding["region"]].append(finding)
    problems = bad(found)
    assert code == 1
    assert (
        problems.items()
        >= {
            ("region.drained", "singapore"): "degraded",
            ("region.ready", "tokyo"): "degraded",
            ("region.view", "tokyo"): "degraded",
        }.items()
    )
    assert "failing" not in problems.values()
    (drained,) = found["region.drained", "singapore"]
    assert "by mei: new disks" in drained["detail"]
    assert "failover undrain singapore" in drained["advice"]


def test_a_frozen_worker_is_the_only_one_named(stack: Stack) -> None:
    wait_whole()  # a worker takes tasks again some seconds after its region was drained
    with frozen(stack.pid("worker", "tokyo")):
        code, found = check("--only", "jobs.workers,jobs.any")

    assert (code, bad(found)) == (1, {("jobs.workers", "tokyo"): "degraded"})


def test_without_workers_no_task_is_done(stack: Stack) -> None:
    with frozen(*(stack.pid("worker", region) for region in stack.regions)):
        code, output, _ = run("check", "--json", "--limit", "10", "--only", "jobs", **LIVE)

    states = {each["check"]: each["status"] for each in json.loads(output)["checks"]}
    assert (code, states["jobs.any"], states["jobs.round-trip"]) == (2, "failing", "degraded")


def test_a_frozen_standby_is_1(stack: Stack) -> None:
    wait_whole()
    writer = stack.roles["postgres"]
    other = next(region for region in stack.regions if region != writer)
    postmaster = stack.pid("postgres", other)

    os.kill(postmaster, signal.SIGSTOP)  # alone: what streams and serves goes on
    try:
        code, output, _ = run("check", "--json", "--limit", "10", "--only", "postgres", **LIVE)
    finally:
        os.kill(postmaster, signal.SIGCONT)

    report = json.loads(output)
    (lost,) = (
        f for f in report["checks"] if f["check"] == "postgres.role" and f["region"] == other
    )
    assert (code, report["status"], lost["status"]) == (1, "degraded", "degraded")
    assert lost["seconds"] < 10 + 10  # it was bounded, give or take a busy machine


def test_a_role_that_is_not_told_of_standbys_learns_what_to_grant(stack: Stack) -> None:
    plain = LIVE | {"DATABASE_USER": "plain", "DATABASE_PASSWORD": "plain"}
    with stack.pg_admin(stack.roles["postgres"]) as server:
        server.execute("CREATE ROLE plain LOGIN PASSWORD 'plain'")
        try:
            server.execute("GRANT SELECT ON django_migrations TO plain")
            words = ("--json", "--limit", "20", "--only", "postgres.synchronous")
            code, output, _ = run("check", *words, **plain)
        finally:
            server.execute("DROP OWNED BY plain")
            server.execute("DROP ROLE plain")

    (found,) = json.loads(output)["checks"]
    assert (code, found["status"]) == (1, "degraded")
    assert found["advice"].endswith("GRANT pg_monitor TO plain;")


def test_commits_that_no_standby_confirms_are_2(stack: Stack) -> None:
    wait_whole()
    standbys = [region for region in stack.regions if region != stack.roles["postgres"]]
    receivers = [
        process.pid
        for region in standbys
        for process in psutil.Process(stack.pid("postgres", region)).children()
        if "walreceiver" in " ".join(process.cmdline())
    ]
    assert len(receivers) == len(standbys)
    with stack.writer() as connection, frozen(*receivers):
        write = Thread(
            target=connection.execute, args=["CREATE TABLE IF NOT EXISTS check_waits (id int)"]
        )
        write.start()
        wait_until(lambda: _waiting(stack) > 0, 30, "the commit waits")
        code, found = check("--only", "postgres.synchronous")
    write.join(30)
    with stack.writer() as connection:
        connection.execute("DROP TABLE IF EXISTS check_waits")

    ((problem,),) = found.values()
    assert (code, problem["status"]) == (2, "failing")
    assert "commits wait, one for" in problem["detail"]


def _waiting(stack: Stack) -> int:
    with stack.pg_admin(stack.roles["postgres"]) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE wait_event = 'SyncRep' AND query_start < clock_timestamp() - interval '1.5 s'"
        ).fetchone()
    assert row is not None
    return int(row[0])
