"""Standbys that are ahead of the writer: found while they run, and stopped to be rewound.

Whoever promotes a standby that lacks the last commits (an operator accepted the loss, or typed
`pg_promote`) leaves others behind that have them. PostgreSQL does not end such a standby, and does
not let it follow: it asks for the end of the old timeline for ever, and confirms by its position
commits that it was never sent (docs/decisions/0017-promotion.md). Stopped in good order it says
exactly how far it got, and `postgres_node` rewinds it at its next start.
"""

import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from time import monotonic

import psycopg

from regions.embedded import postgres, rejoin, replication
from regions.embedded.plan import Plan
from regions.embedded.postgres_client import accepts_writes, connect_admin

_ASK_AFTER = 5.0  # seconds between looks; whoever follows within them is not disturbed


class Strays:
    """Costs nothing while every standby receives the writer's timeline."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._followed: set[tuple[str, int]] = set()
        """Regions, and the timelines that they were seen to receive."""
        self._suspected: set[str] = set()
        self._asked = monotonic()

    def stop(self, pids: Mapping[str, int]) -> list[str]:
        """Stop those of the running standbys that are ahead of the writer; their regions.

        `pids` are the main processes by region, 0 where none runs.
        """
        now = monotonic()
        if now - self._asked < _ASK_AFTER:
            return []
        self._asked = now
        away = self._that_do_not_follow([region for region, pid in pids.items() if pid])
        found = [region for region in away if region in self._suspected and self._is_ahead(region)]
        self._suspected = {*away} - {*found}
        for region in found:
            with suppress(ProcessLookupError):
                os.kill(pids[region], signal.SIGINT)  # PostgreSQL's fast shutdown
        return found

    def _that_do_not_follow(self, regions: list[str]) -> list[str]:
        writer = postgres.elect(self._plan)
        if writer is None:
            return []
        timeline = writer.timeline()
        asked = [
            region
            for region in regions
            if (region, timeline) not in self._followed
            and postgres.node(self._plan, region).is_standby
        ]
        if not asked or not accepts_writes(self._plan, writer.region):
            return []
        followers = replication.followers(self._plan, writer.region)
        self._followed |= {(region, timeline) for region in followers}
        return [region for region in asked if region not in followers]

    def _is_ahead(self, region: str) -> bool:
        """Read from the control file, where a second checkpoint without news notes the position."""
        writer = postgres.elect(self._plan)
        try:
            with connect_admin(self._plan, region) as connection:
                for _ in range(2):
                    connection.execute("CHECKPOINT")
            node = postgres.node(self._plan, region)
            return writer is not None and rejoin.has_diverged(node, writer)
        except (psycopg.Error, postgres.PostgresError):
            return False  # it is asked again
