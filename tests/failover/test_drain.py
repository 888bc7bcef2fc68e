"""`manage.py failover drain` and `undrain`: nobody notices that a region leaves, and returns."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import psutil
import psycopg
import pytest
from django.conf import settings

from failover import traffic
from failover.traffic import NoOtherRegion
from regions.embedded.plan import REPOSITORY
from storage import control, drain
from tests.embedded.load import Load
from tests.failover.tabs import Tabs
from tests.shopper import NO_TLS, Shopper
from tests.stack import Stack, wait_until

SOME = 60  # requests
REQUESTS = (("GET", "/"), ("GET", "/health/live"), ("POST", "/health/live"))
"""The last is answered 405, and the front door may send it only once."""


@dataclass
class Operator:
    """At a terminal of the live shop."""

    stack: Stack

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "manage.py", "failover", *words],
            cwd=REPOSITORY,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @property
    def environment(self) -> dict[str, str]:
        plan = self.stack.plan
        inherited = {k: v for k, v in os.environ.items() if k not in {"ANYPORT_NAMESPACE"}}
        return inherited | plan.environment(plan.regions[0]) | {"REDIS_DB": "0"}

    def type(self, *words: str) -> tuple[int, str, str]:
        """Exit code, output, errors."""
        process = self.start(*words)
        out, err = process.communicate(timeout=120)
        return process.returncode, out, err

    def type_json(self, *words: str) -> tuple[int, dict[str, Any]]:
        code, out, err = self.type(*words, "--json")
        assert out, err
        report: dict[str, Any] = json.loads(out)
        return code, report


@pytest.fixture
def operator(stack: Stack) -> Iterator[Operator]:
    operator = Operator(stack)
    yield operator
    for region in stack.regions:
        if not stack.answers(f"{stack.regions[region]['web']}/health/ready"):
            assert operator.type("undrain", region)[0] == 0
    everybody = {*stack.regions}
    wait_until(lambda: who_answers(stack) == everybody, 120, "the front door asks all again")


def who_answers(stack: Stack) -> set[str]:
    address = f"{stack.front}/health/live"
    answers = [httpx.get(address, verify=NO_TLS, timeout=20) for _ in range(9)]
    return {answer.headers.get("Anyport-Region", "") for answer in answers}


@pytest.fixture
def order(
    stack: Stack, sku_with_stock: Callable[[int], tuple[str, str]]
) -> Iterator[tuple[str, str]]:
    """A placed order's number, and the cookies of whoever placed it."""
    product, sku = sku_with_stock(5)
    with Shopper(stack.front) as shopper:
        shopper.add(product, sku)
        placed = shopper.check_out()
        assert placed.status_code == 303
        number = placed.headers["Location"].strip("/").split("/")[-1]
        yield number, "; ".join(f"{c.name}={c.value}" for c in shopper.client.cookies.jar)


def test_nobody_notices_that_a_region_is_drained_and_returns(
    stack: Stack,
    operator: Operator,
    order: tuple[str, str],
    live: psycopg.Connection,
    record_property: Callable[[str, object], None],
) -> None:
    victim = next(region for region in stack.regions if region != stack.roles["postgres"])
    publisher = subprocess.Popen(
        [sys.executable, "-m", "tests.failover.publish", order[0]],
        cwd=REPOSITORY,
        env=operator.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with Load(stack.front, requests=REQUESTS) as load, Tabs(stack.front, *order, 9) as open_tabs:
        account, tabs = load.accounts[stack.front], open_tabs.tabs
        wait_until(lambda: all(tab.is_open and tab.events for tab in tabs), 60, "tabs are open")
        wait_until(lambda: load.served(stack.front) > SOME, 120, "requests are served")
        moved = [tab for tab in tabs if tab.regions[-1] == victim]
        assert moved, "round robin gives each region a socket"

        code, report = operator.type_json("drain", victim, "--why", "test")

        assert (code, report["outcome"]) == (0, "drained")
        # 1 s on an idle machine, docs/benchmarks.md: on a busy one it proves nothing.
        record_property("seconds until ready answers 503", report["seconds"])
        ready = httpx.get(f"{stack.regions[victim]['web']}/health/ready", verify=NO_TLS)
        assert (ready.status_code, ready.json()["reason"]) == (503, "drained by an operator")
        # A request that still comes is served.
        page = httpx.get(f"{stack.regions[victim]['web']}/", verify=NO_TLS, timeout=20)
        assert (page.status_code, page.headers["Anyport-Region"]) == (200, victim)
        wait_until(lambda: victim not in account.regions[-SOME:], 120, "the front door was told")
        left = len(account.regions)
        wait_until(lambda: len(account.regions) > left + 2 * SOME, 300, "more requests are served")
        assert victim not in account.regions[left:]
        wait_until(
            lambda: all(tab.is_open and tab.regions[-1] != victim for tab in tabs),
            120,
            f"every tab is open elsewhere than in {victim}: {tabs}",
        )
        assert operator.type_json("drain", victim)[1]["outcome"] == "was drained"
        workers = operator.type_json("check", "--limit", "20", "--only", "jobs.workers")[1][
            "checks"
        ]
        idle = [each["region"] for each in workers if "takes no tasks" in each["detail"]]
        assert idle == [victim]

        code, report = operator.type_json("undrain", victim)

        assert (code, report["outcome"]) == (0, "serves")
        wait_until(lambda: victim in account.regions[-SOME:], 120, "it is asked again")
        written = int(publisher.communicate(timeout=120)[0])
        wait_until(
            lambda: all(max(tab.events) == written for tab in tabs), 60, "every tab has all events"
        )

    assert account.failures == 0
    assert {code for tab in moved for code in tab.codes} == {1012}
    assert all(tab.codes == [] for tab in tabs if tab not in moved)
    assert all(tab.events == list(range(tab.events[0], written + 1)) for tab in tabs)


def test_control_a_region_that_is_only_stopped_breaks_its_sockets(
    stack: Stack, order: tuple[str, str]
) -> None:
    victim = next(region for region in stack.regions if region != stack.roles["postgres"])
    with Tabs(stack.front, *order, 9) as open_tabs:
        tabs = open_tabs.tabs
        wait_until(lambda: all(tab.is_open for tab in tabs), 60, "tabs are open")
        broken = [tab for tab in tabs if tab.regions[-1] == victim]
        stack.stop_process("ws", victim)
        try:
            wait_until(lambda: all(tab.codes for tab in broken), 60, "its sockets have ended")
        finally:
            stack.start_process("ws", victim)

    assert broken
    assert 1012 not in {code for tab in broken for code in tab.codes}


def test_control_a_region_that_is_only_killed_fails_requests(stack: Stack) -> None:
    """What is under way there cannot be sent again, as nobody knows what became of it."""
    victim = next(region for region in stack.regions if region != stack.roles["postgres"])
    with Load(stack.front, requests=REQUESTS[-1:]) as load:
        account = load.accounts[stack.front]
        wait_until(lambda: load.served(stack.front) > SOME, 120, "requests are served")
        pid = stack.pid("web", victim)
        (worker,) = psutil.Process(pid).children()  # who answers
        worker.suspend()
        try:
            wait_until(
                lambda: account.failures or time.monotonic() - account.answers[-1][0] > 5,
                120,
                f"a request is under way in {victim}",
            )
        finally:
            stack.kill("web", victim)
            stack.wait_restarted("web", victim, pid)

    assert account.failures > 0


def drain_until_told(operator: Operator, region: str) -> None:
    """Refused while the others cannot be seen to serve, as a busy machine's may not in time."""
    wait_until(lambda: operator.type("drain", region)[0] == 0, 120, f"{region} is drained")


def test_the_last_region_is_refused_and_forced(stack: Stack, operator: Operator) -> None:
    first, second, last = stack.regions
    drain_until_told(operator, first)

    # Two operators at once: one of them is the last.
    def two_at_once() -> list[tuple[subprocess.Popen[str], str, str]]:
        """Nobody is drained where others were asked in vain: a busy machine answers too late."""
        both = [operator.start("drain", region) for region in (second, last)]
        ends = [(process, *process.communicate(timeout=120)) for process in both]
        return [] if all(process.returncode == 1 for process, _, _ in ends) else ends

    ends = wait_until(two_at_once, 120, "one of them is drained")

    assert sorted(process.returncode == 1 for process, _, _ in ends) == [False, True]
    refusal = next(err for process, _, err in ends if process.returncode == 1)
    assert "no other region could serve" in refusal
    assert f"{first}: drained" in refusal
    remaining = second if ends[0][0].returncode == 1 else last
    assert operator.type("drain", remaining, "--dry-run")[0] == 1
    assert operator.type("drain", remaining, "--force")[0] == 0


def test_what_cannot_be_drained_is_said(operator: Operator) -> None:
    code, _, err = operator.type("drain", "atlantis")

    assert code == 1
    assert "The regions are taiwan, tokyo, singapore." in err


def test_a_dry_run_changes_nothing_and_tells_of_the_writer(
    stack: Stack, operator: Operator
) -> None:
    writer = stack.roles["postgres"]

    told: list[str] = []

    def foreseen() -> bool:
        """A busy machine may not be seen to serve elsewhere in time."""
        code, out, _ = operator.type("drain", writer, "--dry-run")
        told.append(out)
        return code == 0

    wait_until(foreseen, 120, "it could be drained")
    out = told[-1]

    assert f"{writer} would be drained. Nothing was changed." in out
    assert "manage.py failover promote" in out
    assert stack.answers(f"{stack.regions[writer]['web']}/health/ready")
    assert operator.type_json("undrain", writer)[1]["outcome"] == "was not drained"


# --- The decision, in this process -----------------------------------------------------------


@pytest.fixture
def no_flags() -> Iterator[None]:
    """In the tests' own namespace."""
    yield
    for region in settings.ANYPORT_REGIONS:
        drain.undrain(region)


def allow_two(drained: set[str]) -> None:
    if len(drained) >= 2:
        raise NoOtherRegion({})


@pytest.mark.usefixtures("no_flags")
def test_of_two_at_the_same_moment_one_is_refused() -> None:
    drain.drain("taiwan", by="a", why="", allow=allow_two)

    def meanwhile(drained: set[str]) -> None:
        allow_two(drained)
        if "tokyo" not in drained:  # the other operator, between this one's reading and writing
            assert drain.drain("tokyo", by="b", why="", allow=allow_two)

    with pytest.raises(NoOtherRegion):
        drain.drain("singapore", by="c", why="", allow=meanwhile)

    assert set(drain.drained_regions()) == {"taiwan", "tokyo"}


@pytest.mark.usefixtures("no_flags")
def test_control_without_the_condition_both_are_drained() -> None:
    read = control.read(drain.DOCUMENT)
    for region in ("taiwan", "tokyo", "singapore"):  # each made from what was read before
        allow_two(set(read.data))
        drain.drain(region, by="a", why="", allow=lambda drained: None)

    assert len(drain.drained_regions()) == 3


def test_a_region_that_is_ready_but_serves_no_page_cannot_replace_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(traffic, "PAGE", "/no-such-page/")

    found = {}

    def both_answer() -> bool:
        with pytest.raises(NoOtherRegion) as refused:
            traffic.someone_else_serves("taiwan")(set())
        found.update(refused.value.problems)
        return not any("no answer" in problem for problem in found.values())

    wait_until(both_answer, 60, "both answer in time")

    assert found == {
        "tokyo": "ready, but a page of the shop is HTTP 404",
        "singapore": "ready, but a page of the shop is HTTP 404",
    }
