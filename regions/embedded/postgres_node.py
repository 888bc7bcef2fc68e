"""Run as a module, the process that becomes a region's PostgreSQL server.

Before each start it finds out whether another node has become the writer meanwhile. If so, this
one follows it: starting an old primary beside a promoted standby would be a split brain.
"""

import os
import sys
from pathlib import Path

from regions.embedded import postgres, rejoin
from regions.embedded.plan import Plan
from regions.embedded.processes import wait_until

_WRITER_TIMEOUT = 60  # seconds that a node without a role of its own waits for a writer


def main(region: str) -> None:
    plan = Plan.load(Path(os.environ["ANYPORT_STATE"]))
    node = postgres.node(plan, region)
    if not node.is_settled or _has_diverged(plan, node):
        _take_role(plan, node)
    postgres.configure(plan, node)
    command = postgres.server_command(node)
    os.execvp(command[0], command)


def _has_diverged(plan: Plan, node: postgres.Node) -> bool:
    """Only after a promotion that accepted a loss; or it was behind when another overtook it."""
    writer = postgres.elect(plan)
    return writer is not None and rejoin.has_diverged(node, writer)


def _take_role(plan: Plan, node: postgres.Node) -> None:
    if postgres.elect(plan) == node:
        return
    # Only here: importing a client costs each node a third of a second to start.
    from regions.embedded.postgres_client import accepts_writes  # noqa: PLC0415  # loaded only where it is needed

    def running_writer() -> postgres.Node | None:
        found = postgres.elect(plan)
        return found if found and accepts_writes(plan, found.region) else None

    writer = wait_until(running_writer, _WRITER_TIMEOUT, interval=0.2)
    if writer is None:
        sys.exit(f"postgres {node.region}: no writer to follow within {_WRITER_TIMEOUT} s")
    print(f"postgres {node.region}: {rejoin.rejoin(plan, node, writer)}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
