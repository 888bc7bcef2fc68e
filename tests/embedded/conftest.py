"""What the stack's own tests share: looking for processes that should not be there."""

from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.stack import Booted, wait_until


def processes_of(state: Path) -> list[str]:
    """The living processes of the stack in a state directory, found without asking the stack."""
    found = []
    mark = f"ANYPORT_STATE={state}"
    for process in psutil.process_iter():
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                continue
            words = process.cmdline()
            environment = [f"{k}={v}" for k, v in process.environ().items()]
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        if mark in environment or any(str(state) in word for word in words):
            found.append(f"{process.pid} {' '.join(words)}")
    return found


def wait_nothing_left(state: Path, timeout: float = 30) -> None:
    wait_until(
        lambda: not processes_of(state),
        timeout,
        f"no process of {state} is left, but:\n" + "\n".join(processes_of(state)),
        interval=0.2,
    )


@pytest.fixture
def boot(tmp_path: Path) -> Iterator[Callable[..., Booted]]:
    """Start a stack: `boot("name", "--regions", "1")`. All are stopped after the test."""
    booted: list[Booted] = []

    def start(name: str, *arguments: str) -> Booted:
        booted.append(Booted(tmp_path / name, *arguments))
        return booted[-1]

    yield start
    for stack in booted:
        stack.stop()
