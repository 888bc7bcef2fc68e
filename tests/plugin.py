"""A pytest plugin that starts the stack under test: loaded by `-p tests.plugin`.

One three-region stack serves the whole session, started before Django reads its settings. With
`ANYPORT_TEST_STACK=DIR` a running one is used instead (`manage.py up --state DIR --port 0`), so
that a developer waits for it once. With xdist (`-n 2`) each worker has a stack of its own, and
the variable names one each: `DIR,DIR`.
"""

import atexit
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import httpx
import pytest

from regions.embedded import claim
from regions.embedded.plan import REPOSITORY
from tests.shopper import Shopper
from tests.stack import Booted, Stack, ports_of, wait_until, worker

_booted: list[Booted] = []
_LOOKS_ONLY = {
    "--help",
    "-h",
    "--version",
    "-V",
    "--collect-only",
    "--co",
    "--fixtures",
    "--markers",
}
_STACKS = "ANYPORT_TEST_STACK"


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config, args: list[str]) -> Iterator[None]:
    """Before pytest-django reads the settings: they are the running stack's."""
    if not _LOOKS_ONLY.intersection(args):
        workers = getattr(early_config.known_args_namespace, "numprocesses", None) or 1
        if not isinstance(workers, int):
            raise pytest.UsageError(f"-n {workers}: say how many, each boots a stack")
        if not os.environ.get(_STACKS):
            # Workers of xdist inherit the environment of the session that starts them.
            os.environ[_STACKS] = ",".join(map(str, _boot_session_stacks(workers)))
        _enter_environment(_running_stack(workers))
    yield


def _running_stack(workers: int) -> Path:
    states = [Path(given).resolve() for given in os.environ[_STACKS].split(",")]
    number, _ = worker()
    if len(states) < max(workers, number + 1):
        raise pytest.UsageError(f"{_STACKS}: name a stack for each worker, separated by commas")
    if not (states[number] / "stack.json").exists():
        raise pytest.UsageError(
            f"{_STACKS}: no stack runs in {states[number]}. "
            f"Start one with `manage.py up --state {states[number]} --port 0`."
        )
    return states[number]


def _boot_session_stacks(count: int) -> list[Path]:
    atexit.register(_stop_session_stacks)
    signal.signal(signal.SIGTERM, _exit_on_sigterm)
    for number in range(count):
        state = REPOSITORY / (f".anyport-test-{number}" if number else ".anyport-test")
        if claim.holder(state):  # another session tests this working copy
            state = REPOSITORY / f".anyport-test-{os.getpid()}-{number}"
        print(f"starting the stack under test in {state} …", flush=True)
        _booted.append(Booted(state, "--fresh", ports=ports_of(number, count)))
        try:
            _booted[-1].wait_ready()  # one by one: together they would take as long
        except AssertionError as error:
            raise pytest.UsageError(str(error)) from None
    return [booted.state for booted in _booted]


def _exit_on_sigterm(number: int, frame: object) -> NoReturn:
    sys.exit(128 + number)  # runs atexit, which stops the stacks


def _stop_session_stacks() -> None:
    for booted in _booted:
        booted.ask_to_stop()
    while _booted:
        booted = _booted.pop()
        booted.wait_stopped()
        if f"-{os.getpid()}" in booted.state.name:
            shutil.rmtree(booted.state, ignore_errors=True)
            booted.log.unlink(missing_ok=True)


def _enter_environment(state: Path) -> None:
    for line in (state / "env").read_text().splitlines():
        name, _, value = line.partition("=")
        os.environ[name] = value
    os.environ["DJANGO_SETTINGS_MODULE"] = "settings.test"


def pytest_unconfigure() -> None:
    _stop_session_stacks()


@pytest.fixture(scope="session")
def stack() -> Stack:
    """The stack of the whole session. Leave it as it was: kill what restarts, repair the rest."""
    return Stack(Path(os.environ["ANYPORT_STATE"]))


@pytest.fixture(scope="session")
def own_booted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Booted]:
    """A `manage.py up` beside the session's, for the tests that break what they like."""
    booted = Booted(tmp_path_factory.mktemp("own") / "stack")
    try:
        yield booted
    finally:
        booted.stop()


@pytest.fixture
def own_stack(own_booted: Booted) -> Stack:
    """Three regions, whole, which the test may break as it likes."""
    stack = own_booted.wait_ready()
    stack.mend()
    for region in stack.regions.values():  # whose pools may be busy with the writer before
        wait_until(lambda web=region["web"]: _sells(web), 120, f"{region['web']} writes again")  # type: ignore[misc]  # its default
    return stack


def _sells(web: str) -> bool:
    with Shopper(web) as shopper:
        try:
            return "Dockside Tote" in shopper.add("dockside-tote", "DKTOTE-OAT-DAY").text
        except (StopIteration, httpx.HTTPError):  # a page that tells so, or none
            return False
