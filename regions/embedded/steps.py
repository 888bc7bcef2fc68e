"""The management commands that make a started stack a shop: migrate, provision, seed."""

import fcntl
import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from django.contrib.staticfiles.finders import get_finders

from regions.embedded.plan import REPOSITORY, Plan
from regions.embedded.processes import wait_until
from regions.embedded.screen import tail

_TIMEOUT = 180.0  # seconds; drawing the demo shop's pictures is the longest


class StartError(Exception):
    """Something did not start. Says what, the last words of its log, and where the log is."""

    def __init__(self, what: str, problem: str, log: Path) -> None:
        self.what = what
        self.log = log
        shown = tail(log)
        super().__init__(f"{what}: {problem}\n{shown}\n  The whole log: {log}")


class Commands:
    """Runs management commands against a stack, each with a log of its own."""

    def __init__(self, plan: Plan, stopping: Callable[[], bool]) -> None:
        self._plan = plan
        self._stopping = stopping

    def run(self, name: str, *arguments: str) -> None:
        """Raises StartError when the command fails, Interrupted when the stack is stopped.

        A command that fails is tried once more: all of ours may be repeated, and while
        everything starts at once on a busy machine, a store may answer too late.
        """
        log = self._plan.log(name)
        log.unlink(missing_ok=True)
        code = self._run_once(log, name, *arguments) and self._run_once(log, name, *arguments)
        if code != 0:
            raise StartError(f"manage.py {name}", f"exit code {code}", log)

    def _run_once(self, log: Path, name: str, *arguments: str) -> int:
        with log.open("ab") as output:
            process = subprocess.Popen(
                # The system checks, which load every page, are CI's: they cost each command 1 s.
                [sys.executable, str(REPOSITORY / "manage.py"), name, "--skip-checks", *arguments],
                cwd=REPOSITORY,
                env=self._plan.process_environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            ended = wait_until(
                lambda: process.poll() is not None, _TIMEOUT, stopping=self._stopping
            )
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(5)
        if not ended:
            raise StartError(f"manage.py {name}", f"took longer than {_TIMEOUT:.0f} s", log)
        return process.returncode

    def collect_static(self) -> None:
        """Run collectstatic, unless nothing changed since it last ran.

        Files of older code stay, under their hashed names: another stack may still show them.
        """
        self._plan.static.mkdir(exist_ok=True)
        stamp = self._plan.static / ".collected"
        with (self._plan.static / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # another stack may be collecting; it takes seconds
            fingerprint = _static_fingerprint()
            if stamp.exists() and stamp.read_text() == fingerprint:
                return
            self.run("collectstatic", "--noinput", "--verbosity", "0")
            stamp.write_text(fingerprint)


def _static_fingerprint() -> str:
    digest = hashlib.sha256()
    for finder in get_finders():
        for path, storage in finder.list([]):
            facts = os.stat(storage.path(path))
            digest.update(f"{path} {facts.st_size} {facts.st_mtime_ns}\n".encode())
    return digest.hexdigest()
