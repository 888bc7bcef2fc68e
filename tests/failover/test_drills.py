"""Each drill once, short, as an operator would start it, on a stack that watches over itself."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from failover.drills import all_scenarios
from regions.embedded import cgroups
from regions.embedded.plan import REPOSITORY
from tests.failover.drilling import LIMIT, OURS, SHORT, Held, environment, finish, hold, start
from tests.promotions import generations, writers
from tests.stack import Booted, Stack, wait_until

NOT_KNOWN, NOT_RUN, INTERRUPTED = 3, 4, 130
CUT_OFF = "cut off: no other region can be reached from here"
WITH_CUT, TWICE = "partition", "redis-flush"
"""Scenarios with a test of their own."""
LASTING = ("--busy", "--seconds", "300")
"""Nothing is mended before the test has seen it broken."""
MOVED = ("database-loss", "freeze", "switchover", "writer-region-loss")
"""In them another region is made the writer; a busy machine may have the watch do so again."""


@pytest.fixture(scope="module")
def watched_stack(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Of its own; or that of a developer, who started it with watchers."""
    if stack.plan.watched:
        yield stack
        return
    booted = Booted(tmp_path_factory.mktemp("drills") / "stack", watched=True)
    try:
        yield booted.wait_ready()
    finally:
        booted.stop()


def assert_healed_by_itself(held: Held) -> None:
    """While it lasted: what a drill mends afterwards is no merit of the shop."""
    assert "not served again while it lasted" not in {one["text"] for one in held.report["marks"]}


def moved_first(stack: Stack, before: list[tuple[int, str]]) -> str:
    """The region that was made the writer since then, by the first promotion; nothing if none."""
    return next((region for _, region in generations(stack)[len(before) :]), "")


def can_cut() -> bool:
    return cgroups.mount() is not None and shutil.which("nft") is not None


cuts = pytest.mark.skipif(
    not can_cut() and not os.environ.get("CI"), reason="needs root, cgroup2 and nft; CI has them"
)


@pytest.mark.parametrize(
    "scenario", [name for name in all_scenarios() if name not in {WITH_CUT, TWICE}]
)
def test_nothing_is_lost(watched_stack: Stack, scenario: str) -> None:
    old, before = writers(watched_stack), generations(watched_stack)

    held = hold(watched_stack, scenario)

    assert held.code == 0, held.told
    assert "waiting for shoppers to be served" in held.told
    assert_healed_by_itself(held)
    if scenario in MOVED:
        assert moved_first(watched_stack, before) not in {"", *old}
    assert (held.report["state"], held.report["misses"]) == ("passed", [])
    assert held.account["problems"] == []
    assert held.account["acknowledged"] > 0
    assert held.account["sessions"] == 5
    assert "s3://anyport-backups-" in held.told


def test_a_stack_of_its_own_is_drilled_and_every_repeat_is_in_the_table(tmp_path: Path) -> None:
    """As `make drill` does where none runs."""
    table = tmp_path / "table.md"
    words = ("drill", TWICE, *SHORT, "--repeat", "2", "--markdown", str(table))
    before = directories()

    held = finish(
        subprocess.Popen(
            [sys.executable, "-m", "regions.embedded.borrow", "failover", *words],
            cwd=REPOSITORY,
            env={k: v for k, v in os.environ.items() if not k.startswith(OURS)}
            | {"ANYPORT_STATE": str(tmp_path / "none")},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    )

    assert held.code == 0, held.told
    assert "no stack runs: starting one of its own" in held.told
    assert directories() <= before
    assert held.told.count(f"passed  {TWICE}") == 2
    assert f"| {TWICE} | 2 of 2 |" in table.read_text()


def directories() -> set[Path]:
    return {*Path(tempfile.gettempdir()).glob("anyport-*")}


def test_commands_of_an_operator_break_and_mend(watched_stack: Stack, tmp_path: Path) -> None:
    """As against a stack that this one knows by its address only."""
    region = watched_stack.regions.keys() - {watched_stack.roles["postgres"]}
    pid = watched_stack.pid("web", region.pop())
    mended = tmp_path / "mended"

    held = hold(
        watched_stack,
        *("instance-loss", "--url", watched_stack.front),
        *("--fault-command", f"kill -9 {pid}", "--heal-command", f"touch '{mended}'"),
    )

    assert held.code == 0, held.told
    assert held.report["told"] == f"`kill -9 {pid}` was run"
    assert set(held.report["unavailable_seconds"]) == {"front"}
    assert held.account["problems"] == []
    assert held.account["acknowledged"] > 0
    assert mended.exists()


def test_command_that_fails_is_no_fault(watched_stack: Stack) -> None:
    held = hold(
        watched_stack,
        *("instance-loss", "--url", watched_stack.front, "--fault-command", "echo oh; false"),
    )

    assert (held.code, held.report["state"]) == (NOT_KNOWN, "broken")
    assert "oh" in held.report["told"]


def test_interrupted_drill_mends_what_it_broke(watched_stack: Stack) -> None:
    process = start(watched_stack, "manage.py", "failover", "drill", "dynamodb-loss", *LASTING)

    def aws_runs() -> bool:
        return any(each["name"] == "aws" for each in watched_stack.description["processes"])

    wait_until(lambda: not aws_runs(), 120, "it is killed")

    process.send_signal(signal.SIGINT)
    output, told = process.communicate(timeout=LIMIT)

    assert process.returncode == INTERRUPTED, told
    assert "Traceback" not in output + told
    assert aws_runs()


@cuts
def test_nothing_is_lost_in_a_region_that_is_cut_off(watched_stack: Stack) -> None:
    (old,), before = writers(watched_stack), generations(watched_stack)

    held = hold(watched_stack, WITH_CUT)

    assert held.code == 0, held.told
    assert held.report["told"] == f"{old}, the writer's region, was cut off"
    assert_healed_by_itself(held)
    assert moved_first(watched_stack, before) not in {"", old}
    assert held.account["problems"] == []
    assert held.account["acknowledged"] > 0
    assert tables() == ""


@cuts
def test_a_killed_drill_is_healed(watched_stack: Stack) -> None:
    """SIGKILL: nobody is left to mend anything but the child that waits for that."""
    process = start(watched_stack, "manage.py", "failover", "drill", WITH_CUT, *LASTING)
    wait_until(tables, 120, "the region is cut off")
    wait_until(lambda: CUT_OFF in checked(watched_stack), 60, "check names the cut")

    process.send_signal(signal.SIGKILL)
    process.communicate()

    wait_until(lambda: not tables(), 30, "the cut is healed")


def checked(stack: Stack) -> str:
    """What check finds of regions, from outside the cut."""
    done = subprocess.run(
        [sys.executable, "manage.py", "failover", "check", "--only", "region"],
        cwd=REPOSITORY,
        env=environment(stack),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout


def tables() -> str:
    """What the packet filter holds of any stack of ours."""
    done = subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True, check=True)
    return "\n".join(line for line in done.stdout.splitlines() if "anyport" in line)


def test_partition_without_its_means_says_what_it_needs(
    watched_stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", os.path.dirname(shutil.which("sh") or "/bin"))
    if shutil.which("nft"):
        pytest.skip("nft lies beside sh on this machine")

    held = hold(watched_stack, WITH_CUT)

    assert held.code == NOT_RUN
    assert held.report["state"] == "not run"
    assert "needs" in held.report["told"]
