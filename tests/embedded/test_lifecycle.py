"""`manage.py up` starts, refuses, stops and is killed, and leaves nothing behind."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from regions.embedded import claim
from regions.embedded.plan import PARTS, REPOSITORY
from tests.embedded.conftest import processes_of, wait_nothing_left
from tests.stack import READY_TIMEOUT, Booted, Stack, wait_until

type Boot = Callable[..., Booted]


def test_stack_starts_and_stops_in_an_awkward_place(tmp_path: Path, boot: Boot) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    name = "closed/with a space, 'quotes', 100% and a very long name " + "x" * 120
    booted = boot(name, "--regions", "1")

    stack = booted.wait_ready()

    assert stack.answers(f"{stack.front}/health/ready")
    assert "Anyport is ready" in booted.output
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    assert processes_of(booted.state)  # or the search below would find nothing anyway

    code = booted.stop(signal.SIGINT)

    assert code == 0
    assert processes_of(booted.state) == []
    assert not (booted.state / "stack.json").exists()
    assert "Nothing is left running" in booted.output


def test_second_up_says_where_the_first_runs(stack: Stack) -> None:
    done = run_up("--state", str(stack.state), "--port", "0")

    assert done.returncode == 1
    assert f"running already: {stack.front}" in done.stderr
    assert stack.answers(f"{stack.front}/health/ready")


def test_taken_port_is_named_before_anything_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        done = run_up("--state", str(tmp_path / "taken"), "--port", str(port))

    assert done.returncode == 1
    # A developer's own stack may hold the default ports of everything else.
    assert f"port {port}, wanted for the front door, is taken" in done.stderr
    assert "--port 0" in done.stderr
    assert processes_of(tmp_path / "taken") == []


def test_taken_port_discards_no_data(tmp_path: Path) -> None:
    state = tmp_path / "kept"
    (state / "aws").mkdir(parents=True)
    (state / "aws" / "journal.pickle").write_bytes(b"kept")
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        done = run_up("--state", str(state), "--port", str(port), "--fresh")

    assert done.returncode == 1
    assert "is taken" in done.stderr
    assert (state / "aws" / "journal.pickle").read_bytes() == b"kept"


def test_only_the_owner_may_look_into_the_state(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir(mode=0o755)  # as an older version left it

    claim.make_plan(tmp_path, ("taiwan",), 0, fresh=False)

    modes = {part: stat.S_IMODE((tmp_path / part).stat().st_mode) for part in PARTS}
    del modes["postgres"]  # each node's directory is closed by PostgreSQL itself
    assert modes == dict.fromkeys(modes, 0o700)
    assert {"mail", "logs"} <= modes.keys()


def test_other_number_of_regions_needs_fresh_data(tmp_path: Path) -> None:
    state = tmp_path / "shape"
    state.mkdir()
    saved = {"regions": ["taiwan", "tokyo", "singapore"], "ports": {}, "run_id": "x"}
    (state / "plan.json").write_text(json.dumps(saved))

    done = run_up("--state", str(state), "--port", "0", "--regions", "1")

    assert done.returncode == 1
    assert "--regions 3" in done.stderr
    assert "--fresh" in done.stderr


@pytest.mark.parametrize("moment", ["Anyport starts", "✓ caddy", "✓ postgres taiwan"])
def test_sigterm_during_start_leaves_nothing(boot: Boot, moment: str) -> None:
    booted = boot("early")
    wait_until(lambda: moment in booted.output, READY_TIMEOUT, f"{moment!r} was printed")

    code = booted.stop(signal.SIGTERM)

    assert code == 0, booted.output
    assert processes_of(booted.state) == []


def test_everything_ends_when_up_is_killed(boot: Boot) -> None:
    booted = boot("killed", "--regions", "1")
    stack = booted.wait_ready()
    with stack.pg_admin("taiwan") as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS one")

    booted.stop(signal.SIGKILL)

    # Before anything has gone: the next `up` must wait for it, or end it.
    again = boot("killed", "--regions", "1")
    stack = again.wait_ready()
    with stack.pg_admin("taiwan") as connection:
        assert connection.execute("SELECT one FROM kept").fetchall() == [(1,)]
    again.stop()
    wait_nothing_left(booted.state)


def test_everything_ends_when_the_supervisor_is_killed(boot: Boot) -> None:
    booted = boot("headless", "--regions", "1")
    booted.wait_ready()
    pids = json.loads((booted.state / "run" / "pids.json").read_text())["processes"]

    os.kill(pids[0]["pid"], signal.SIGKILL)

    assert booted.process.wait(60) == 3
    assert "supervisord died" in booted.output
    wait_nothing_left(booted.state)


def run_up(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(REPOSITORY / "manage.py"), "up", *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
