"""An operator's own commands as faults: for any stack that this one cannot break by itself."""

from collections.abc import Collection, Sequence
from typing import NoReturn

from failover.drills import Wound
from failover.drills.faults import FaultFailed, Faults, Part, run_command


class CommandFaults:
    """Knows nothing of the stack but how it is broken and mended."""

    regions: Sequence[str] = ()

    def __init__(self, fault_command: str, heal_command: str | None) -> None:
        self.fault_command = fault_command
        self.heal_command = heal_command
        self._broken = False

    def strike(self, faults: Faults) -> Wound:
        """Of any scenario, in place of its own."""
        self._broken = True
        run_command(self.fault_command)
        return Wound(f"`{self.fault_command}` was run", self.heal)

    def needs(self, faults: Faults) -> None:
        """Nothing: whoever typed the command has what it needs."""

    def heal(self) -> None:
        if self._broken and self.heal_command:
            run_command(self.heal_command)
        self._broken = False

    def wait_whole(self, timeout: float) -> None:
        """That shoppers are served says the load, which runs on."""
        self.heal()

    def takes_writes(self) -> set[str]:
        return set()

    def _unknown(self, *arguments: object, **more: object) -> NoReturn:
        raise FaultFailed("with --fault-command only that command breaks anything")

    def writer(self) -> str:
        self._unknown()

    def redis_primary(self) -> str:
        self._unknown()

    def parts_of(self, region: str) -> list[Part]:
        self._unknown()

    def kill(self, parts: Collection[Part], *, stay_away: bool = False) -> None:
        self._unknown()

    def stop(self, parts: Collection[Part]) -> None:
        self._unknown()

    def start(self, parts: Collection[Part]) -> None:
        self._unknown()

    def freeze(self, parts: Collection[Part]) -> None:
        self._unknown()

    def thaw(self, parts: Collection[Part]) -> None:
        self._unknown()

    def flush_redis(self) -> None:
        self._unknown()

    def why_not_cut(self) -> str | None:
        return None

    def cut(self, region: str) -> None:
        self._unknown()
