"""What a promotion needs of an environment. Everything may be asked again: a step that was done
already does nothing. Each call is bounded in time and raises ProviderError.

`attempt` is the fencing token of the promotion's lease. A server remembers the highest that it
was shown and refuses lower ones with Overtaken.
"""

from typing import Protocol

from regions.servers import Fence, Server


class Provider(Protocol):
    name: str

    confirmed_by_standby: bool
    """Whether an acknowledged commit is on some standby. Where it is not, none provably has
    everything once the writer is gone."""

    moves_whole: bool
    """Whether `promote` alone does a planned move: it fences the old writer, waits until the new
    one has everything, and lets the others follow. Then `fence` and `detach` change nothing."""

    def servers(self) -> dict[str, Server]:
        """Every region's server; one that cannot be asked is in it, too."""
        ...

    def address(self, region: str) -> tuple[str, int]:
        """Host and port of the region's own server, to write to when it is the writer."""
        ...

    def prepare(self, writer: str, target: str) -> None:
        """Shorten a planned move, while the writer still writes. May fail without harm."""
        ...

    def fence(self, writer: str, *, gently: bool) -> Fence:
        """Stop the old writer. `gently`: it answers, and first sends its standbys all it has."""
        ...

    def detach(self, region: str, attempt: int) -> None:
        """Let the standby receive from nobody, so that it confirms no more commits."""
        ...

    def catch_up(self, region: str, source: str, position: int) -> None:
        """Let a standby receive from another until it has so many bytes of the log."""
        ...

    def promote(self, region: str, attempt: int, *, planned: bool) -> None:
        """Returns when the server accepts writes."""
        ...

    def attach(self, region: str, writer: str) -> None:
        """Begin to make the region's server a standby of the writer: start it, rewind it."""
        ...

    def followers(self, writer: str) -> set[str]:
        """Regions whose servers receive the writer's log now."""
        ...

    def release(self, region: str) -> None:
        """Undo what `detach` and `attach` set: from now on it follows whoever takes writes."""
        ...

    def restart(self, writer: str) -> None:
        """Start what `fence` stopped, as the writer that it was; nobody has taken its place."""
        ...

    def redis_primary(self) -> str | None:
        """The region of Redis's primary; None when nobody knows."""
        ...

    def promote_redis(self, region: str) -> str:
        """Make the region's Redis the primary; what was done, in words."""
        ...
