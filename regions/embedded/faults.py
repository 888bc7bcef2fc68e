"""Breaking parts of the running stack for real, for drills: failover.drills.faults.Faults.

Named by the setting FAILOVER_FAULTS, as what breaks things has no place in production.
"""

import os
import signal
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import redis

from regions.embedded import partition, postgres_client
from regions.embedded.plan import Plan, read_json
from regions.embedded.ports import LOOPBACK
from regions.embedded.processes import wait_until
from regions.embedded.supervise import Supervisor, SupervisorError, programs
from regions.embedded.wholeness import whats_missing
from regions.faults import FaultFailed, Part

_END = 15.0  # seconds for a killed process to be gone, and for supervisord to see it
_ORDERLY = 30.0
_SERVE = 180.0  # seconds for what was started to serve; a busy machine takes ten times its five
_EMPTIED = 10.0
_ASK = 0.1  # seconds between questions


class EmbeddedFaults:
    """Raises FaultFailed where no stack runs."""

    def __init__(self) -> None:
        state = Path(os.environ.get("ANYPORT_STATE", ""))
        if not (state / "stack.json").exists():
            raise FaultFailed(
                "no embedded stack runs here. `make run` starts one; `make drill` starts one of "
                "its own, drills it and stops it."
            )
        self._plan = Plan.load(state)
        self._programs = programs(self._plan)
        self._supervisor = Supervisor(self._plan)
        self._cut = partition.Cut(self._plan)

    # --- What there is ---------------------------------------------------------------------------

    @property
    def regions(self) -> Sequence[str]:
        return self._plan.regions

    def writer(self) -> str:
        return self._role("postgres")

    def redis_primary(self) -> str:
        return self._role("valkey")

    def _role(self, store: str) -> str:
        found = read_json(self._plan.state / "stack.json").get("roles", {}).get(store)
        if not found:
            raise FaultFailed(f"nobody is the primary of {store} now")
        return str(found)

    def parts_of(self, region: str) -> list[Part]:
        return [Part(each.name, each.region) for each in self._programs if each.region == region]

    # --- Processes -------------------------------------------------------------------------------

    def kill(self, parts: Collection[Part], *, stay_away: bool = False) -> None:
        """To stay away, they are frozen for the moment in which supervisord is told not to start
        them again; what it then asks of them never reaches them alive."""
        family = self._family(parts)
        if stay_away:
            _send(family, signal.SIGSTOP)
            for part in parts:
                self._supervisor.stop(self._key(part))
        _send(family, signal.SIGKILL)
        self._wait(lambda: not any(map(_lives, family)), _END, "what was killed is gone")
        if stay_away:
            self._wait_stopped(parts, _END)

    def stop(self, parts: Collection[Part]) -> None:
        for part in parts:
            self._supervisor.stop(self._key(part))
        self._wait_stopped(parts, _ORDERLY)

    def start(self, parts: Collection[Part]) -> None:
        self.mend()
        names = {str(part) for part in parts}
        self._wait_until_nothing_is_missing(
            _SERVE, lambda missing: [what for what in missing if what in names]
        )

    def freeze(self, parts: Collection[Part]) -> None:
        """Main processes first, which would otherwise replace what stops below them."""
        _send(self._family(parts), signal.SIGSTOP)

    def thaw(self, parts: Collection[Part]) -> None:
        _send(self._family(parts), signal.SIGCONT)

    def flush_redis(self) -> None:
        """On the primary, from where it reaches the replicas."""
        with self._redis(self.redis_primary()) as primary:
            primary.flushall()
            others = len(self.regions) - 1
            if not primary.wait(others, int(_EMPTIED * 1000)) >= others:
                raise FaultFailed(f"not every replica of Redis was emptied within {_EMPTIED:g} s")

    def _redis(self, region: str) -> "redis.Redis[Any]":  # type: ignore[type-arg, unused-ignore]  # generic in types-redis alone
        return redis.Redis(
            host=LOOPBACK, port=self._plan.port("valkey", region), socket_timeout=_EMPTIED + 5
        )

    def _key(self, part: Part) -> str:
        return f"{part.name}-{part.region}" if part.region else part.name

    def _family(self, parts: Collection[Part]) -> list[psutil.Process]:
        """Their processes that live, and all below them."""
        try:
            states = self._supervisor.states()
        except SupervisorError as error:
            raise FaultFailed(str(error)) from error
        family: list[psutil.Process] = []
        for part in parts:
            with suppress(psutil.NoSuchProcess):
                if pid := states[self._key(part)].pid:
                    process = psutil.Process(pid)
                    family += [process, *process.children(recursive=True)]
        return family

    def _wait_stopped(self, parts: Collection[Part], timeout: float) -> None:
        keys = [self._key(part) for part in parts]

        def stopped() -> bool:
            states = self._supervisor.states()
            return not any(states[key].pid for key in keys)

        self._wait(stopped, timeout, "what was stopped has ended")

    def _wait(self, probe: Callable[[], bool], timeout: float, what: str) -> None:
        if not wait_until(probe, timeout, interval=_ASK):
            raise FaultFailed(f"not within {timeout:.0f} s: {what}")

    # --- The network -----------------------------------------------------------------------------

    def why_not_cut(self) -> str | None:
        return partition.why_not(self._plan)

    def cut(self, region: str) -> None:
        try:
            self._cut.make(region)
        except partition.CutFailed as error:
            raise FaultFailed(f"{region} could not be cut off: {error}") from error

    def heal(self) -> None:
        self._cut.heal()

    # --- Wholeness -------------------------------------------------------------------------------

    def takes_writes(self) -> set[str]:
        return {each for each in self.regions if postgres_client.carries_out(self._plan, each)}

    def mend(self) -> None:
        """Heal, thaw and start whatever needs it. Does not wait for it."""
        self.heal()
        states = self._supervisor.states()
        self.thaw([Part(each.name, each.region) for each in self._programs])
        for each in self._programs:
            if states[each.key].state in {"STOPPED", "EXITED", "FATAL"}:
                self._supervisor.start(each.key)

    def wait_whole(self, timeout: float) -> None:
        self.mend()
        self._wait_until_nothing_is_missing(timeout, lambda missing: missing)

    def _wait_until_nothing_is_missing(
        self, timeout: float, of_interest: Callable[[list[str]], list[str]]
    ) -> None:
        missing: list[str] = []

        def whole() -> bool:
            missing[:] = of_interest(whats_missing(self._plan, self._programs, self._supervisor))
            return not missing

        if not wait_until(whole, timeout, interval=_ASK):
            raise FaultFailed(
                f"not whole after {timeout:.0f} s: {', '.join(missing)}.\n"
                f"Logs: {self._plan.logs}; `manage.py failover check` says more."
            )


def _send(family: Collection[psutil.Process], number: signal.Signals) -> None:
    for process in family:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
