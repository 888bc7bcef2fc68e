"""What a drill can break. The environment does it: the embedded stack, or an operator's commands.

`FAILOVER_FAULTS` names the class, as `FAILOVER_PROVIDER` names who promotes.
"""

import subprocess
import time
from collections.abc import Collection, Sequence
from typing import Final, Protocol, cast

from django.conf import settings
from django.utils.module_loading import import_string

from regions.faults import FaultFailed, Part

__all__ = ["FaultFailed", "Faults", "Part", "configured_faults", "run_command"]


class Faults(Protocol):
    """Each method returns when it is done. All raise FaultFailed."""

    @property
    def regions(self) -> Sequence[str]: ...

    def writer(self) -> str:
        """The region whose PostgreSQL takes writes."""

    def redis_primary(self) -> str: ...

    def parts_of(self, region: str) -> list[Part]:
        """Everything that the region has, its stores too."""

    def kill(self, parts: Collection[Part], *, stay_away: bool = False) -> None:
        """At once and without a word (SIGKILL). What restarts by itself does so, unless they are
        to stay away until `start`."""

    def stop(self, parts: Collection[Part]) -> None:
        """In good order: what is under way is finished. They stay away until `start`."""

    def start(self, parts: Collection[Part]) -> None:
        """Start what does not run, and wait until it serves."""

    def freeze(self, parts: Collection[Part]) -> None:
        """They keep their sockets and answer nothing (SIGSTOP)."""

    def thaw(self, parts: Collection[Part]) -> None: ...

    def flush_redis(self) -> None:
        """Every key of every region's Redis is gone."""

    def why_not_cut(self) -> str | None:
        """What is missing for `cut`; None when it can be done."""

    def cut(self, region: str) -> None:
        """Let nothing pass between the region and the others, nor the shared AWS endpoint.

        Its processes live, and the front door reaches them. Ends with `heal`.
        """

    def heal(self) -> None:
        """Undo every cut."""

    def takes_writes(self) -> set[str]:
        """The regions whose PostgreSQL carries out a write now. More than one is a split brain."""

    def wait_whole(self, timeout: float) -> None:
        """Mend whatever is broken, and wait until everything runs and follows.

        Raises FaultFailed with what is still missing after `timeout` seconds.
        """


def configured_faults() -> Faults:
    """Raises FaultFailed where nobody can break anything."""
    name: str = settings.FAILOVER_FAULTS
    if not name:
        raise FaultFailed(
            "nothing here can be broken by this command: FAILOVER_FAULTS is not set.\n"
            "Drill the embedded stack with `make drill`, or this one with your own commands: "
            "--url URL --fault-command CMD --heal-command CMD."
        )
    return cast(Faults, import_string(name)())


COMMAND_LIMIT: Final = 120.0
"""Seconds that an operator's command may take."""


def run_command(command: str) -> None:
    """An operator's own, in a shell. Raises FaultFailed with its last words."""
    began = time.monotonic()
    try:
        done = subprocess.run(  # noqa: S602 (the operator typed it)
            command, shell=True, capture_output=True, text=True, timeout=COMMAND_LIMIT, check=False
        )
    except subprocess.TimeoutExpired:
        raise FaultFailed(f"`{command}` took longer than {COMMAND_LIMIT:.0f} s") from None
    if done.returncode:
        words = (done.stderr or done.stdout).strip().splitlines()[-5:]
        told = "\n".join([f"`{command}`: exit code {done.returncode}", *words])
        raise FaultFailed(f"{told}\n(after {time.monotonic() - began:.1f} s)")
