"""Starting, recognising and ending processes: who lives, who is left over, who dies with whom."""

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Self

import psutil

# Clock steps move the start time that the system reports; a pid is not reused this fast.
_SAME_START = 2.0


class Interrupted(Exception):
    """A wait ended because the stack is being stopped."""


@dataclass(frozen=True)
class Identity:
    """A process that cannot be mistaken for a later one with the same number."""

    pid: int
    started: float

    @classmethod
    def of(cls, pid: int) -> Self | None:
        try:
            return cls(pid, psutil.Process(pid).create_time())
        except psutil.NoSuchProcess:
            return None

    @classmethod
    def parse(cls, saved: dict[str, Any]) -> Self:
        return cls(int(saved["pid"]), float(saved["started"]))

    def process(self) -> psutil.Process | None:
        """The living process, or None when it is gone, a zombie, or somebody else by now."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started) < _SAME_START
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


def is_alive(pid: int) -> bool:
    """Cheap, for every tick of the watch: whether some process has this number."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def dies_with_parent(death_signal: signal.Signals) -> list[str]:
    """Words to put before a command so that it gets the signal when its parent is gone.

    Linux keeps that promise even when the parent is killed with SIGKILL (PR_SET_PDEATHSIG,
    through setpriv of util-linux). Elsewhere what is left over is ended by the next `up`.
    """
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", death_signal.name.removeprefix("SIG"), "--"] if setpriv else []


def wait_until[T](
    probe: Callable[[], T],
    timeout: float,
    *,
    stopping: Callable[[], bool] = lambda: False,
    interval: float = 0.05,
) -> T | None:
    """The first true answer of `probe`, or None after `timeout` seconds.

    Raises Interrupted as soon as `stopping` says so.
    """
    deadline = time.monotonic() + timeout
    while True:
        if stopping():
            raise Interrupted
        if answer := probe():
            return answer
        if time.monotonic() >= deadline:
            return None
        time.sleep(interval)


def end_leftovers(left: Iterable[Identity], patience: float) -> list[int]:
    """End processes that an earlier run left, and all they started; their pids.

    They get SIGTERM, `patience` seconds, then SIGKILL. Only exact identities are touched.
    """
    roots = [process for identity in left if (process := identity.process())]
    family = {p.pid: p for root in roots for p in [root, *_descendants(root)]}
    for process in roots:
        _signal(process, signal.SIGTERM)
    _, alive = psutil.wait_procs(list(family.values()), timeout=patience)
    for process in alive:
        _signal(process, signal.SIGKILL)
    psutil.wait_procs(alive, timeout=5)
    return sorted(family)


def kill_tree(pid: int) -> None:
    """SIGKILL a process and everything below it, at once."""
    try:
        root = psutil.Process(pid)
    except psutil.NoSuchProcess:
        return
    # The root first, or it would restart what is killed below it.
    for process in [root, *_descendants(root)]:
        _signal(process, signal.SIGKILL)


def _descendants(process: psutil.Process) -> list[psutil.Process]:
    try:
        return list(process.children(recursive=True))
    except psutil.NoSuchProcess:
        return []


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return
