"""Cutting a region off from the others and from AWS, with the kernel's own packet filter.

A table of our own: what a process sends is marked with its side of the cut, by the control group
that its socket belongs to; what arrives on the other side with that mark is dropped. Nothing else
on the machine is touched, not even the front door's requests to the region that is cut off: they
carry no mark. To heal is to delete the table.

A child holds the other end of a pipe and deletes the table when we are gone, however we ended.
"""

import shutil
import subprocess
from pathlib import Path

from regions.embedded import cgroups
from regions.embedded.plan import Plan

_TIMEOUT = 10  # seconds; nft takes a tenth of one
_INSIDE, _OUTSIDE = 0xA17, 0xA18
_NFT_ROOT = Path("/sys/fs/cgroup")
"""nft takes the paths of groups from here, wherever cgroup2 is mounted."""


class CutFailed(Exception):
    """Says why."""


def why_not(plan: Plan) -> str | None:
    """What is missing on this machine; None when regions can be cut off."""
    if cgroups.mount() is None:
        return "needs root and a writable cgroup2 hierarchy (Linux)"
    if shutil.which("nft") is None:
        return "needs nft (on Debian: apt-get install nftables)"
    groups = [cgroups.group(plan, name) for name in (*plan.regions, cgroups.SHARED)]
    if not all(path and _has_processes(path) for path in groups):
        return (
            "needs a stack whose `manage.py up` was started by root: its processes are in no groups"
        )
    return None


def _has_processes(path: Path) -> bool:
    procs = path / "cgroup.procs"
    return procs.exists() and bool(procs.read_text().strip())


class Cut:
    """At most one at a time."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._table = cgroups.stack_name(plan)
        self._guard: subprocess.Popen[bytes] | None = None

    def make(self, region: str) -> None:
        """Raises CutFailed."""
        others = [name for name in self._plan.regions if name != region]
        rules = self._rules([region], [*others, cgroups.SHARED])
        self._guard = subprocess.Popen(
            ["sh", "-c", f"cat >/dev/null; exec nft delete table inet {self._table}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for us; it heals when we are gone
        )
        done = subprocess.run(
            ["nft", "-f", "-"],
            input=rules,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            check=False,
        )
        if done.returncode:
            self.heal()
            raise CutFailed(f"nft: {done.stderr.strip()}")

    def heal(self) -> None:
        """Whoever made the cut. Nothing happens where there is none."""
        remove(self._plan)
        if self._guard and self._guard.stdin:
            self._guard.stdin.close()
            self._guard.wait(_TIMEOUT)
            self._guard = None

    def _rules(self, inside: list[str], outside: list[str]) -> str:
        chains = []
        for hook, text in (
            ("output", 'socket cgroupv2 level {level} "{path}" meta mark set {own}'),
            ("input", 'meta mark {other} socket cgroupv2 level {level} "{path}" drop'),
        ):
            rules = [
                text.format(level=level, path=path, own=own, other=other)
                for names, own, other in ((inside, _INSIDE, _OUTSIDE), (outside, _OUTSIDE, _INSIDE))
                for level, path in map(self._address, names)
            ]
            head = f"type filter hook {hook} priority mangle; policy accept;"
            chains.append("\n".join([f"chain {hook} {{", head, *rules, "}"]))
        return "\n".join([f"table inet {self._table} {{", *chains, "}", ""])

    def _address(self, name: str) -> tuple[int, str]:
        """How deep a group lies below cgroup2's root, and its path as nft wants it."""
        top, path = cgroups.mount(), cgroups.group(self._plan, name)
        if top is None or path is None:
            raise CutFailed("there is no cgroup2 here")
        return len(path.relative_to(top).parts), str(path.relative_to(_NFT_ROOT, walk_up=True))


def remove(plan: Plan) -> None:
    """Delete the table of this stack, whoever left it."""
    if cgroups.mount() is None or not shutil.which("nft"):
        return
    subprocess.run(
        ["nft", "delete", "table", "inet", cgroups.stack_name(plan)],
        capture_output=True,
        timeout=_TIMEOUT,
        check=False,  # there is none
    )
