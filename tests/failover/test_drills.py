"""Each drill once, short, as an operator would start it, on a stack that watches over itself."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from failover.drills import all_scenarios
from regions.embedded import cgroups
from tests.failover.drilling import hold, start
from tests.stack import Booted, Stack, wait_until

NOT_KNOWN, NOT_RUN, INTERRUPTED = 3, 4, 130
WITH_CUT, TWICE = "partition", "redis-flush"
"""Scenarios with a test of their own."""


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


def can_cut() -> bool:
    return cgroups.mount() is not None and shutil.which("nft") is not None


cuts = pytest.mark.skipif(
    not can_cut() and not os.environ.get("CI"), reason="needs root, cgroup2 and nft; CI has them"
)


@pytest.mark.parametrize(
    "scenario", [name for name in all_scenarios() if name not in {WITH_CUT, TWICE}]
)
def test_nothing_is_lost(watched_stack: Stack, scenario: str) -> None:
    held = hold(watched_stack, scenario)

    assert held.code == 0, held.told
    assert (held.report["state"], held.report["misses"]) == ("passed", [])
    assert held.account["problems"] == []
    assert held.account["acknowledged"] > 0
    assert held.account["sessions"] == 5
    assert "s3://anyport-backups-" in held.told


def test_every_repeat_is_in_the_table(watched_stack: Stack, tmp_path: Path) -> None:
    table = tmp_path / "table.md"
    words = ("--repeat", "2", "--markdown", str(table))

    held = hold(watched_stack, TWICE, *words)

    assert held.code == 0, held.told
    assert held.told.count(f"passed  {TWICE}") == 2
    assert f"| {TWICE} | 2 of 2 |" in table.read_text()


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
    process = start(watched_stack, "manage.py", "failover", "drill", "dynamodb-loss", "--busy")

    def aws_runs() -> bool:
        return any(each["name"] == "aws" for each in watched_stack.description["processes"])

    wait_until(lambda: not aws_runs(), 120, "it is killed")

    process.send_signal(signal.SIGINT)
    output, told = process.communicate(timeout=120)

    assert process.returncode == INTERRUPTED, told
    assert "Traceback" not in output + told
    assert aws_runs()


@cuts
def test_nothing_is_lost_in_a_region_that_is_cut_off(watched_stack: Stack) -> None:
    old = watched_stack.roles["postgres"]

    held = hold(watched_stack, WITH_CUT)

    assert held.code == 0, held.told
    assert held.report["told"] == f"{old}, the writer's region, was cut off"
    assert held.account["problems"] == []
    assert held.account["acknowledged"] > 0
    assert tables() == ""


@cuts
def test_a_killed_drill_is_healed(watched_stack: Stack) -> None:
    """SIGKILL: nobody is left to mend anything but the child that waits for that."""
    process = start(watched_stack, "manage.py", "failover", "drill", WITH_CUT, "--busy")
    wait_until(tables, 120, "the region is cut off")

    process.send_signal(signal.SIGKILL)
    process.communicate()

    wait_until(lambda: not tables(), 30, "the cut is healed")


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
