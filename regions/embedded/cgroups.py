"""Each region's processes in a control group of their own, so that one can be cut off by name.

A socket belongs to the group in which it was made, so processes enter theirs before they begin.
Only where that is possible: Linux, root, and a cgroup2 hierarchy that may be written to. Nothing
is limited in these groups; they are names. See docs/decisions/0020-partition.md.
"""

import hashlib
import os
from contextlib import suppress
from pathlib import Path

from regions.embedded.plan import Plan

SHARED = "shared"
"""The group of what all regions reach and none holds: the AWS endpoint."""


def mount() -> Path | None:
    """Where cgroup2 is mounted and may be written to."""
    if os.geteuid() != 0:
        return None
    try:
        lines = Path("/proc/mounts").read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        _, where, kind, options, *_ = line.split()
        path = Path(where.replace("\\040", " "))
        if kind == "cgroup2" and "rw" in options.split(",") and os.access(path, os.W_OK):
            return path
    return None


def stack_name(plan: Plan) -> str:
    """Of everything that the kernel keeps for this stack: `anyport_` and a hash of its state."""
    digest = hashlib.sha256(str(plan.state.resolve()).encode()).hexdigest()
    return f"anyport_{digest[:12]}"


def group(plan: Plan, name: str) -> Path | None:
    """The directory of a region's group, or of `SHARED`."""
    top = mount()
    return top / stack_name(plan) / name if top else None


def prepare(plan: Plan) -> None:
    """Make the groups. Where that fails, there is no cutting off, and all else works."""
    for name in (*plan.regions, SHARED):
        if path := group(plan, name):
            with suppress(OSError):
                path.mkdir(parents=True, exist_ok=True)


def remove(plan: Plan) -> None:
    """Remove groups that hold no process any more."""
    top = mount()
    for name in (*plan.regions, SHARED, ""):
        if top:
            with suppress(OSError):  # was never there, or a process of it still ends
                (top / stack_name(plan) / name).rmdir()


def enter(plan: Plan, name: str | None) -> list[str]:
    """Words to put before a command: it runs in the group, and so does all that it starts."""
    path = group(plan, name) if name else None
    if path is None or not (path / "cgroup.procs").exists():
        return []
    return ["sh", "-c", f'echo $$ > "{path}/cgroup.procs"; exec "$@"', "sh"]
