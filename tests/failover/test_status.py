"""`manage.py failover status` of regions that live, are drained, stopped, frozen and cut off."""

import json
import os
import pty
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from io import StringIO
from pathlib import Path
from threading import Event
from typing import Any, Final

import httpx
import pytest
from django.conf import settings
from django.test import override_settings

from failover.actions.status import action
from failover.overview import Overview, take, take_samples
from failover.overview.ask import LIMIT, ask_all
from failover.overview.facts import facts
from failover.overview.instances import with_rate
from failover.overview.model import RegionView, Sample
from failover.overview.notes import errors
from sessions_ext.engine import SessionStore
from settings.env import HostPort
from storage import control
from storage.leases import release, try_acquire
from tests.failover.tables import own_tables
from tests.sessions_ext.outage import dynamodb_gone, forget_clients, redis_gone
from tests.stack import Stack, wait_until

REPOSITORY: Final = Path(__file__).parent.parent.parent
FIGURES: Final = ("Req/s", "5xx/s", "WS", "Code")


@pytest.fixture(autouse=True)
def namespace() -> Iterator[str]:
    with own_tables() as name:
        yield name


def command(*arguments: str) -> list[str]:
    return [sys.executable, "manage.py", "failover", "status", *arguments]


def environment(namespace: str, **changes: str) -> dict[str, str]:
    own = {"ANYPORT_NAMESPACE": namespace, "DJANGO_SETTINGS_MODULE": "settings.local"}
    return os.environ | own | changes


def run(namespace: str, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    """The real command, in a process of its own."""
    return subprocess.run(
        command(*arguments),
        cwd=REPOSITORY,
        env=environment(namespace, **changes),
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


def shown(*, json: bool = False) -> tuple[int, str]:
    """Exit code and output of the action in this process, which is quicker."""
    out = StringIO()
    code = action.run({"json": json, "watch": False}, out)
    return code, out.getvalue()


def shown_well() -> tuple[int, str]:
    """Once nobody answers too late."""
    found: list[tuple[int, str]] = []

    def is_well() -> bool:
        found.append(shown())
        return found[-1][0] == 0

    wait_until(is_well, 60, "all is well")
    return found[-1]


def told() -> dict[str, Any]:
    code, output = shown(json=True)
    report: dict[str, Any] = json.loads(output)
    assert code == report["exit_code"]
    return report


def seen(what: str, wanted: Callable[[Overview], bool]) -> Overview:
    """An overview of which it is true: a busy machine may answer too late at first."""
    found: list[Overview] = []

    def look() -> bool:
        found.append(take())
        return wanted(found[-1])

    wait_until(look, 60, what)
    return found[-1]


def region(overview: Overview, name: str) -> RegionView:
    return next(one for one in overview.regions if one.name == name)


def notes(overview: Overview) -> list[tuple[str, str, str]]:
    """But for the one of different code: see `same_code`."""
    return [
        (note.state.value, note.what, note.advice)
        for note in overview.notes
        if "different code" not in note.what
    ]


@pytest.fixture
def frozen() -> Iterator[str]:
    """An address that accepts connections and never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        yield f"127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def same_code(stack: Stack) -> None:
    """Who works on the code beside a running stack has some processes that started before."""
    if len({one.web.version for one in take().regions}) > 1:
        for name in stack.regions:
            stack.restart("web", name)


# --- All is well -----------------------------------------------------------------------------


@pytest.mark.usefixtures("same_code")
def test_json_of_a_live_stack_is_exact(stack: Stack, namespace: str) -> None:
    def all_was_told() -> subprocess.CompletedProcess[str] | None:
        done = run(namespace, "--json")
        told = json.loads(done.stdout)["regions"].values() if done.returncode == 0 else ()
        counted = [one["web"][what] for one in told for what in ("sockets", "requests_per_second")]
        return done if told and None not in counted else None

    done = wait_until(all_was_told, 180, "all is well, and nobody answers too late")

    assert done is not None
    assert done.stderr == ""
    report = json.loads(done.stdout)

    version = report["regions"]["taiwan"]["web"]["version"]
    timeline = report["regions"]["taiwan"]["postgresql"]["timeline"]
    assert version.startswith("src-")
    assert timeline >= 1
    for one in report["regions"].values():  # what is copied just now may be on its way
        for store in ("postgresql", "redis"):
            if one[store]["lag_bytes"]:
                assert 0 < one[store]["lag_bytes"] < 1_000_000
                one[store]["lag_bytes"] = 0
        one["postgresql"]["lag_seconds"] = one["postgresql"]["lag_seconds"] and 0.0
        one["redis"]["heard_seconds_ago"] = one["redis"]["heard_seconds_ago"] and 0
    assert report == {
        "status": "ok",
        "exit_code": 0,
        "at": report["at"],
        "regions": {
            name: {
                "status": "ok",
                "ready": True,
                "drained": None,
                "web": {
                    "problem": "",
                    "reason": "",
                    "version": version,
                    "requests_per_second": 0.0,
                    "errors_per_second": 0.0,
                    "sockets": 0,
                },
                "postgresql": {
                    "problem": "",
                    "role": "writer" if stack.roles["postgres"] == name else "standby",
                    "timeline": timeline,
                    "receives": stack.roles["postgres"] != name,
                    "lag_bytes": None if stack.roles["postgres"] == name else 0,
                    "lag_seconds": None if stack.roles["postgres"] == name else 0.0,
                },
                "redis": {
                    "problem": "",
                    "role": "primary" if stack.roles["valkey"] == name else "replica",
                    "receives": stack.roles["valkey"] != name,
                    "lag_bytes": None if stack.roles["valkey"] == name else 0,
                    "heard_seconds_ago": None if stack.roles["valkey"] == name else 0,
                },
            }
            for name in stack.regions
        },
        "sessions": report["sessions"],
        "dynamodb": {"problem": ""},
        "writer": None,
        "promotion": None,
        "watch": None,
        "drill": None,
        "leases": [],
        "attention": [],
    }


def test_requests_a_second_are_those_between_two_looks(stack: Stack) -> None:
    def counted() -> tuple[Mapping[str, Sample], Overview] | None:
        """Two looks that Tokyo answered in time."""
        before = take_samples()
        for _ in range(5):
            httpx.get(f"{stack.regions['tokyo']['web']}/no-such-page/", timeout=60)
        overview = take(before)
        return (before, overview) if region(overview, "tokyo").web.rate else None

    found = wait_until(counted, 60, "Tokyo answers two looks")

    assert found is not None
    before, overview = found
    now = overview.samples["tokyo"]
    rate = region(overview, "tokyo").web.rate
    assert rate is not None
    assert rate.requests * (now.at - before["tokyo"].at) == pytest.approx(5)
    assert rate.errors == 0


def test_errors_are_told_a_second_and_need_attention() -> None:
    overview = seen("all answer", lambda one: all(each.web.sample for each in one.regions))
    web = region(overview, "tokyo").web
    assert web.sample is not None
    now = web.sample
    before = replace(now, at=now.at - 10, answered=now.answered - 20, errors=now.errors - 5)

    failing = with_rate(web, before)

    assert failing.rate is not None
    assert [failing.rate.requests, failing.rate.errors] == pytest.approx([2, 0.5])
    regions = [
        replace(one, web=failing if one.name == "tokyo" else one.web) for one in overview.regions
    ]
    (note,) = errors(replace(overview, regions=regions))
    assert note.what == "Tokyo answers 0.5 requests a second with an error."


def test_sessions_that_live_are_counted() -> None:
    before = seen("Redis tells", lambda one: one.sessions is not None).sessions
    session = SessionStore()
    session["colour"] = "blue"
    session.create()

    seen("one more lives", lambda one: one.sessions == (before or 0) + 1)


@pytest.mark.usefixtures("same_code")
def test_the_table_fits_100_columns_and_says_that_all_is_well(stack: Stack) -> None:
    code, output = shown_well()

    lines = output.splitlines()
    assert code == 0
    assert lines[0].startswith("✓ All is well.")
    assert max(map(len, lines)) <= 100
    assert lines[2].split() == ["Region", "PostgreSQL", "TL", "Redis", *FIGURES]
    assert [line.split()[:3] for line in lines[3:6]] == [
        ["Taiwan", "✓", "ready"],
        ["Tokyo", "✓", "ready"],
        ["Singapore", "✓", "ready"],
    ]


# --- What needs attention ------------------------------------------------------------------------


@pytest.mark.usefixtures("same_code")
def test_what_the_regions_agreed_on_is_told(stack: Stack) -> None:
    writer = stack.roles["postgres"]
    since = "2026-11-01T10:00:00+00:00"
    control.change("writer", lambda _: {"region": writer, "generation": 7, "since": since})
    control.change(
        "promotion",
        lambda _: {"target": writer, "started": since, "finished": "2026-11-01T10:00:04+00:00"},
    )
    control.change("drill", lambda _: {"scenario": "switchover", "at": since, "passed": True})
    lease = try_acquire("watch", owner="tokyo/host/1", duration=600)

    code, output = shown_well()

    release(lease)
    text = " ".join(output.split())
    assert code == 0
    assert f"Writer {writer.title()}, generation 7, made so" in text
    assert f"Promotion of {writer.title()}" in text
    assert "took 4.0 s" in text
    assert "Watch led by tokyo/host/1" in text
    assert "Last drill switchover passed" in text
    assert "watch tokyo/host/1 1 renewed" in text
    _, freed = shown_well()
    assert "watch tokyo/host/1 1 free" in " ".join(freed.split())
    assert "nobody watches" in freed


def told_alone() -> dict[str, Any]:
    """As JSON, when nothing but one thing is amiss: a busy machine may answer too late."""
    found: list[dict[str, Any]] = []

    def only_that() -> bool:
        found.append(told())
        return found[-1]["exit_code"] == 1 and len(found[-1]["attention"]) == 1

    wait_until(only_that, 60, "nothing else is amiss")
    return found[-1]


def test_a_drained_region_is_told_with_who_and_why() -> None:
    drain = {"since": "2026-11-01T10:00:00+00:00", "by": "mei", "why": "kernel " + "update " * 30}
    control.change("drained", lambda _: {"tokyo": drain})

    report = told_alone()
    output = wait_until(
        lambda: found if "! drained" in (found := shown()[1]) else "", 60, "it is shown"
    )

    assert (report["status"], report["exit_code"]) == ("degraded", 1)
    assert report["regions"]["tokyo"]["drained"] == drain
    assert report["regions"]["taiwan"]["drained"] is None
    note = report["attention"][0]
    assert note["what"].startswith("Tokyo is drained, by mei: kernel update")
    assert note["advice"] == "manage.py failover undrain tokyo"
    assert max(map(len, output.splitlines())) <= 100


def test_documents_that_need_attention_are_told(stack: Stack) -> None:
    control.change("watch", lambda _: {"paused": True, "by": "ken", "why": "moving racks"})
    control.change(
        "drill",
        lambda _: {
            "scenario": "partition",
            "passed": False,
            "summary": "1 order lost",
            "failed": ["freeze", "partition"],
        },
    )
    control.change("promotion", lambda _: {"target": "tokyo", "step": "fence", "problem": "alas"})
    control.change("writer", lambda _: {"region": "atlantis", "generation": 2})

    overview = seen("all answers", lambda one: len(notes(one)) == 5)

    writer = stack.roles["postgres"].title()
    assert {what: advice for _, what, advice in notes(overview)} == {
        f"{writer} takes writes, but the regions agreed on Atlantis.": "manage.py failover check",
        "A promotion of Tokyo is under way, at step fence. alas": (
            "If it does not go on by itself: manage.py failover promote tokyo"
        ),
        "The watch is paused by ken: nothing is promoted unattended. moving racks": (
            "manage.py failover watch --resume"
        ),
        "The last drill, partition, did not pass: 1 order lost": (
            "manage.py failover drill partition"
        ),
        "Drills that did not pass when they were last held: freeze.": (
            "manage.py failover drill freeze"
        ),
    }


def test_a_lease_that_is_not_renewed_is_told() -> None:
    try_acquire("sweep", owner="taiwan/host/2", duration=0.01)

    overview = seen("all answers", lambda one: len(notes(one)) == 1)

    (lease,) = overview.control.leases
    assert (lease.name, lease.owner, lease.attempt) == ("sweep", "taiwan/host/2", 1)
    assert lease.is_silent
    assert notes(overview)[0][1].startswith("Lease sweep: taiwan/host/2 has not renewed it for")


def test_a_stopped_region_is_told(stack: Stack) -> None:
    stack.stop_process("web", "tokyo")
    try:
        report = told_alone()
    finally:
        stack.start_process("web", "tokyo")

    tokyo = report["regions"]["tokyo"]
    assert (report["exit_code"], tokyo["status"], tokyo["ready"]) == (1, "failing", False)
    assert "refused" in tokyo["web"]["problem"]
    assert tokyo["postgresql"]["problem"] == ""
    assert report["regions"]["taiwan"]["status"] == "ok"
    assert {
        "status": "degraded",
        "what": "Tokyo: no answer from web.",
        "advice": "manage.py failover check --region tokyo",
    } in report["attention"]


def test_a_frozen_region_is_told_and_not_waited_for(stack: Stack) -> None:
    stack.kill_region("singapore", signal.SIGSTOP, stores=True)
    try:
        overview = take()
    finally:
        stack.kill_region("singapore", signal.SIGCONT, stores=True)

    one = region(overview, "singapore")
    assert one.database is not None
    assert one.redis is not None
    assert [part.problem != "" for part in (one.web, one.database, one.redis)] == [True] * 3
    assert ("degraded", "Singapore: no answer from web, PostgreSQL, Redis.") in [
        note[:2] for note in notes(overview)
    ]
    stack.mend()


def test_a_standby_that_is_cut_off_is_told(stack: Stack) -> None:
    standby = next(name for name in stack.regions if name != stack.roles["postgres"])

    def receives(overview: Overview) -> bool:
        database = region(overview, standby).database
        return database is not None and database.receives

    def is_cut_off(overview: Overview) -> bool:
        database = region(overview, standby).database
        return database is not None and not database.problem and not database.receives

    with stack.pg_admin(standby) as server:
        server.execute("ALTER SYSTEM SET primary_conninfo = 'host=127.0.0.1 port=9'")
        server.execute("SELECT pg_reload_conf()")
        try:
            overview = seen("cut off", is_cut_off)
        finally:
            server.execute("ALTER SYSTEM RESET primary_conninfo")
            server.execute("SELECT pg_reload_conf()")
    seen("attached again", receives)

    title = standby.title()
    assert (
        "degraded",
        f"PostgreSQL in {title}: receives nothing from a writer.",
        f"manage.py failover check --region {standby}",
    ) in notes(overview)


def test_without_a_writer_it_says_whom_to_promote(stack: Stack) -> None:
    regions = list(stack.regions)
    hosts = list(settings.DATABASE_HOSTS)
    lost = stack.roles["postgres"]
    hosts[regions.index(lost)] = HostPort("127.0.0.1", 9)
    control.change("writer", lambda _: {"region": lost, "generation": 7})

    with override_settings(DATABASE_HOSTS=hosts):
        overview = seen("the rest answers", lambda one: len(notes(one)) == 2)

    (first, what, advice), other = notes(overview)
    assert (first, what) == (
        "failing",
        "No server takes writes: shoppers browse, and orders wait.",
    )
    standbys = {name for name in regions if name != lost}
    assert advice in {f"manage.py failover promote {name}" for name in standbys}
    assert other[:2] == ("degraded", f"{lost.title()}: no answer from PostgreSQL.")
    assert facts(overview)[0].text == f"none; last it was {lost.title()}, generation 7"


# --- Stores that do not answer ---------------------------------------------------------------


@pytest.fixture
def other_clients() -> Iterator[None]:
    forget_clients()
    yield
    forget_clients()


@pytest.mark.usefixtures("other_clients")
def test_without_dynamodb_the_rest_is_told(stack: Stack) -> None:
    with dynamodb_gone():
        overview = seen("the rest answers", lambda one: len(notes(one)) == 1)
        forget_clients()

    assert "Could not connect" in overview.control.problem
    assert notes(overview) == [
        (
            "failing",
            "DynamoDB does not answer: nobody can say who is drained or leads, and jobs wait.",
            "manage.py failover check",
        )
    ]
    assert [one.state for one in overview.regions] == ["ok"] * 3


@pytest.mark.usefixtures("other_clients")
def test_without_redis_the_rest_is_told(stack: Stack) -> None:
    dead = dict.fromkeys(stack.regions, "redis://127.0.0.1:9")
    with redis_gone(), override_settings(REDIS_REGION_URLS=dead):
        overview = seen("the rest answers", lambda one: len(notes(one)) == 4)
        forget_clients()

    assert overview.sessions is None
    assert {what for _, what, _ in notes(overview)} == {
        "Redis has no primary: sessions go on from DynamoDB, pages are slower.",
        *(f"{name.title()}: no answer from Redis." for name in stack.regions),
    }
    assert [one.state for one in overview.regions] == ["ok"] * 3


def test_everything_frozen_at_once_is_told_without_a_traceback(
    frozen: str, stack: Stack, namespace: str
) -> None:
    def everywhere(scheme: str) -> str:
        return ",".join(f"{name}={scheme}://{frozen}" for name in stack.regions)

    done = run(
        namespace,
        REDIS_SENTINELS=frozen,
        REDIS_REGION_URLS=everywhere("redis"),
        AWS_ENDPOINT_URL=f"http://{frozen}",
        DATABASE_HOSTS=f"{frozen},{frozen},{frozen}",
        ANYPORT_REGION_URLS=everywhere("http"),
        ANYPORT_STATE="/nonexistent",
    )

    assert (done.returncode, done.stderr) == (2, "")
    assert done.stdout.startswith("✗ Something does not work.")
    assert done.stdout.count("no answer from web, PostgreSQL, Redis.") == 3
    assert "Start a PostgreSQL server" in done.stdout
    assert "No region takes requests: every page answers 503." in done.stdout


def test_one_that_never_answers_costs_the_others_nothing() -> None:
    never = Event()

    try:
        answers = ask_all({"hangs": never.wait, "fails": lambda: 1 // 0, "answers": lambda: 7})
    finally:
        never.set()

    assert answers["answers"] == 7
    assert isinstance(answers["fails"], ZeroDivisionError)
    assert str(answers["hangs"]) == f"no answer within {LIMIT:.0f} s"


def test_everything_frozen_is_asked_at_once(frozen: str, stack: Stack) -> None:
    """A look takes one limit, and not one for each of the thirteen questions."""
    nowhere = dict.fromkeys(stack.regions, f"http://{frozen}")
    host, _, port = frozen.partition(":")
    with override_settings(
        ANYPORT_REGION_URLS=nowhere,
        REDIS_REGION_URLS=dict.fromkeys(stack.regions, f"redis://{frozen}"),
        DATABASE_HOSTS=[(host, int(port))] * 3,
    ):
        began = os.times().elapsed
        overview = take()
        seconds = os.times().elapsed - began

    assert [one.web.problem != "" for one in overview.regions] == [True] * 3
    assert seconds < 3 * LIMIT  # one limit, and what a busy machine needs to start threads


# --- --watch -----------------------------------------------------------------------------------


def test_watch_as_json_is_a_line_each_until_it_is_interrupted(namespace: str) -> None:
    with subprocess.Popen(
        command("--watch", "--json"),
        cwd=REPOSITORY,
        env=environment(namespace),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as watch:
        assert watch.stdout is not None
        looks = [json.loads(watch.stdout.readline()) for _ in range(2)]
        watch.send_signal(signal.SIGINT)
        _, complaints = watch.communicate(timeout=60)

    assert (watch.returncode, complaints) == (0, "")
    assert looks[0]["at"] < looks[1]["at"]
    assert looks[1]["regions"].keys() == looks[0]["regions"].keys()


def test_watch_refreshes_in_place_and_ends_cleanly(namespace: str) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        command("--watch"),
        cwd=REPOSITORY,
        env=environment(namespace, TERM="xterm", COLUMNS="100", LINES="50"),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    ) as watch:
        os.close(theirs)
        shown = _read_until(ours, lambda text: text.count("Last drill") >= 2)
        watch.send_signal(signal.SIGINT)
        shown += _read_until(ours, lambda text: False)

    assert watch.returncode == 0
    assert "Traceback" not in shown
    assert "\x1b[1A" in shown  # goes up and writes over it
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")  # the cursor is back


def _read_until(terminal: int, enough: Callable[[str], bool]) -> str:
    """What is written until that is enough, or until the other end is closed."""
    text = ""
    while not enough(text):
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # EIO: so Linux tells the end of a pseudo-terminal
            break
        if not piece:
            break
        text += piece.decode(errors="replace")
    return text
