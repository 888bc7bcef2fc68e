"""How the writer moves in the embedded stack; FAILOVER_PROVIDER of settings.local.

Orderly shutdown is the fence of a planned move: PostgreSQL ends its clients, writes a last
checkpoint, and waits until its standbys have received it.
"""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic

import psycopg
from django.conf import settings

from regions.embedded import postgres, postgres_client, rejoin, replication, valkey_client
from regions.embedded.plan import Plan
from regions.embedded.ports import LOOPBACK
from regions.embedded.processes import kill_tree, wait_until
from regions.embedded.supervise import State, Supervisor, SupervisorError
from regions.servers import Fence, ProviderError, Server

_STOP_TIMEOUT = 8.0  # seconds for an orderly shutdown, then it is killed
_KILL_TIMEOUT = 5.0
_START_TIMEOUT = 20.0


class EmbeddedProvider:
    """Satisfies failover.providers.base.Provider."""

    name = "embedded"
    confirmed_by_standby = True
    moves_whole = False

    def __init__(self) -> None:
        self._plan = Plan.load(Path(settings.STATE_DIR))
        self._supervisor = Supervisor(self._plan)

    # --- What is --------------------------------------------------------------------------

    def servers(self) -> dict[str, Server]:
        regions = self._plan.regions
        with ThreadPoolExecutor(len(regions)) as pool:
            looks = pool.map(lambda region: replication.look(self._plan, region), regions)
            return dict(zip(regions, looks, strict=True))

    def address(self, region: str) -> tuple[str, int]:
        return LOOPBACK, self._plan.port("postgres", region)

    def followers(self, writer: str) -> set[str]:
        return replication.followers(self._plan, writer)

    def redis_primary(self) -> str | None:
        return valkey_client.primary(self._plan)

    # --- The old writer ---------------------------------------------------------------------

    def prepare(self, writer: str, target: str) -> None:
        """Checkpoints now are not to be made while nobody may write."""
        for region in (writer, target):
            try:
                with postgres_client.connect_admin(self._plan, region) as connection:
                    connection.execute("CHECKPOINT")
            except psycopg.Error as error:
                raise ProviderError(f"{region}: {error}") from error

    def fence(self, writer: str, *, gently: bool) -> Fence:
        try:
            return self._fence(writer, gently=gently)
        except SupervisorError as error:
            return Fence(stopped=False, detail=f"{writer} cannot be stopped: {error}")

    def _fence(self, writer: str, *, gently: bool) -> Fence:
        began = monotonic()
        if gently and self._state(writer).pid:
            self._supervisor.stop(_key(writer))
            wait_until(lambda: not self._state(writer).pid, _STOP_TIMEOUT)
        pid = self._state(writer).pid
        if pid:
            kill_tree(pid)  # whatever it forked would answer on
            if not wait_until(lambda: not self._state(writer).pid, _KILL_TIMEOUT):
                return Fence(stopped=False, detail=f"{writer} does not end")
        end = rejoin.end_of_log(postgres.node(self._plan, writer))
        how = "killed" if pid else "stopped in good order" if end else "not running"
        return Fence(True, end, f"{writer} is {how} ({monotonic() - began:.1f} s)")

    def _state(self, region: str) -> State:
        return self._supervisor.states()[_key(region)]

    # --- Standbys and the new writer ------------------------------------------------------------

    def detach(self, region: str, attempt: int) -> None:
        replication.detach(self._plan, region, attempt)

    def catch_up(self, region: str, source: str, position: int) -> None:
        replication.catch_up(self._plan, region, source, position)

    def promote(self, region: str, attempt: int, *, planned: bool) -> None:
        replication.promote(self._plan, region, attempt)

    def attach(self, region: str, writer: str) -> None:
        """A node that does not run is started; it finds the writer, and is rewound to follow it.

        One that still takes writes is the old writer, which could not be reached before. One that
        is ahead of the writer, whose choice accepted a loss, is rewound as well.
        """
        server = replication.look(self._plan, region)
        if server.answers and not server.takes_writes and not self._is_ahead(server, writer):
            replication.follow(self._plan, region, writer)
            return
        try:
            if server.answers or self._state(region).pid:
                self._fence(region, gently=server.answers)
            self._supervisor.start(_key(region))
        except SupervisorError as error:
            raise ProviderError(f"{region}: {error}") from error

    def _is_ahead(self, server: Server, writer: str) -> bool:
        node = postgres.node(self._plan, writer)
        if replication.received_timeline(self._plan, server.region) == node.timeline():
            return False
        fork = max(rejoin.timeline_ends(node).values(), default=0)
        return (server.position or 0) > fork

    def release(self, region: str) -> None:
        replication.release(self._plan, region)

    def restart(self, writer: str) -> None:
        try:
            self._supervisor.start(_key(writer))
        except SupervisorError as error:
            raise ProviderError(f"{writer}: {error}") from error
        if not wait_until(
            lambda: postgres_client.accepts_writes(self._plan, writer), _START_TIMEOUT
        ):
            raise ProviderError(
                f"{writer} does not take writes {_START_TIMEOUT:.0f} s after its start"
            )

    def promote_redis(self, region: str) -> str:
        return valkey_client.move_primary(self._plan, region)


def _key(region: str) -> str:
    return f"postgres-{region}"
