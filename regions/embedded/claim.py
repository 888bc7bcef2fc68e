"""Who may serve a state directory: one `manage.py up`, after ending what a dead one left."""

import fcntl
import json
import os
import time
from pathlib import Path
from typing import IO

import psutil

from regions.embedded import valkey
from regions.embedded.plan import PARTS, Plan, Secrets, discard, read_json
from regions.embedded.ports import choose_ports
from regions.embedded.processes import Identity, end_leftovers

_LEFTOVER_PATIENCE = 20.0  # seconds; longer than any process takes to end in good order


class AlreadyRunning(Exception):
    """Another `manage.py up` serves this state directory."""


class WrongShape(Exception):
    """The state directory was made for another number of regions."""


class Lock:
    """The right to serve a state directory. The kernel takes it back when its holder dies."""

    def __init__(self, state: Path) -> None:
        self._path = state / "lock"
        self._file: IO[str] | None = None

    def acquire(self) -> None:
        """Raises AlreadyRunning with who holds it, and where that stack is."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = self._path.open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise AlreadyRunning(self._describe_holder()) from None
        file.truncate(0)
        json.dump({"pid": os.getpid(), "started": psutil.Process().create_time()}, file)
        file.flush()
        self._file = file

    def _describe_holder(self) -> str:
        pid = read_json(self._path).get("pid", "?")
        at = read_json(self._path.with_name("stack.json")).get("front", "still starting")
        return (
            f"this stack is running already: {at} (process {pid}, state {self._path.parent}).\n"
            "Stop it with `manage.py down`, or start another one with "
            "`manage.py up --port 0 --state DIR`."
        )

    def release(self) -> None:
        if self._file:
            self._file.truncate(0)
            self._file.close()


def holder(state: Path) -> Identity | None:
    """The `manage.py up` that serves the state directory, if one does."""
    found = read_json(state / "lock")
    identity = Identity.parse(found) if found else None
    return identity if identity and identity.process() else None


def make_plan(
    state: Path, regions: tuple[str, ...], port: int, *, fresh: bool, watched: bool = False
) -> Plan:
    """Decide on everything, and end what an earlier run left. The caller holds the lock.

    Raises WrongShape and PortTaken, before anything is started.
    """
    clear_leftovers(state)
    previous = {} if fresh else read_json(state / "plan.json")
    before = tuple(previous.get("regions", regions))
    if before != regions:
        raise WrongShape(
            f"{state} holds a stack of {len(before)} region(s): {', '.join(before)}.\n"
            f"Start it with `--regions {len(before)}`, give another `--state DIR`, "
            "or discard its data with `--fresh`."
        )
    known = previous.get("ports", {})
    ports = choose_ports(regions, port, known)
    if fresh:  # only now: a start that fails on a taken port costs nobody their data
        discard(state)
    plan = Plan(
        state=state,
        regions=regions,
        ports=ports,
        secrets=Secrets.of(state),
        run_id=f"{os.getpid()}-{time.time_ns()}",
        valkey_primary=valkey.last_primary(state, known, regions),
        watched=watched and len(regions) > 1,  # alone, there is nobody to promote
    )
    for folder in PARTS:
        (state / folder).mkdir(exist_ok=True)
        if folder != "postgres":  # its user may lack the capability to pass; its data are closed
            # Mail and logs hold password reset links, the stores sessions.
            (state / folder).chmod(0o700)
    plan.save()
    return plan


def clear_leftovers(state: Path) -> list[int]:
    """End the processes that a killed run left, by exact identity; their pids."""
    path = state / "run" / "pids.json"
    left = [Identity.parse(saved) for saved in read_json(path).get("processes", [])]
    ended = end_leftovers(left, _LEFTOVER_PATIENCE)
    path.unlink(missing_ok=True)
    (state / "stack.json").unlink(missing_ok=True)
    return ended
