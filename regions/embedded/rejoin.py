"""How a PostgreSQL node comes back as a standby of whoever is the writer now."""

import shutil
import subprocess

from regions.embedded import postgres
from regions.embedded.plan import Plan
from regions.embedded.ports import LOOPBACK
from regions.embedded.postgres import Node


def rejoin(plan: Plan, node: Node, writer: Node) -> str:
    """Make the node a standby of the running writer; what was done, for the log.

    What the node has and the writer has not is given up: it was never acknowledged by a quorum,
    or an operator accepted its loss when promoting.
    """
    interrupted = node.rejoining.exists()
    node.rejoining.touch(0o600)
    done = _rewind_or_clone(plan, node, writer, may_rewind=node.exists and not interrupted)
    forget_source(node)
    postgres.mark_standby(node.data)
    node.rejoining.unlink()
    return done


def _rewind_or_clone(plan: Plan, node: Node, writer: Node, *, may_rewind: bool) -> str:
    reason = "it has no whole data"
    if may_rewind:
        try:
            postgres.command(
                "pg_rewind",
                *("-D", str(node.data), "--no-sync"),
                f"--source-server=host={LOOPBACK} port={writer.port} "
                f"user={postgres.SUPERUSER} dbname=postgres",
                password=plan.secrets.superuser,
            )
        except (postgres.PostgresError, subprocess.TimeoutExpired) as error:
            reason = f"pg_rewind could not: {error}"
        else:
            return f"rewound {node.region} to follow {writer.region}"
    _clone(plan, node, writer)
    return f"cloned {writer.region} into {node.region} ({reason})"


def _clone(plan: Plan, node: Node, writer: Node) -> None:
    draft = postgres.empty_draft(node)
    postgres.command(
        "pg_basebackup",
        *("-D", str(draft), "--checkpoint=fast", "--wal-method=stream", "--no-sync"),
        *("-h", LOOPBACK, "-p", str(writer.port), "-U", postgres.REPLICATOR),
        password=plan.secrets.replicator,
    )
    shutil.rmtree(node.data, ignore_errors=True)
    draft.rename(node.data)


def forget_source(node: Node) -> None:
    """Undo what a promotion set on the node, or on the one that it was copied from."""
    changed = node.data / "postgresql.auto.conf"
    lines = changed.read_text().splitlines(keepends=True)
    postgres.write(
        changed, "".join(line for line in lines if not line.startswith("primary_conninfo "))
    )


def end_of_log(node: Node) -> int | None:
    """Bytes of log that a node had when it stopped in good order; None when it did not."""
    facts = dict(
        line.split(":", 1)
        for line in postgres.command("pg_controldata", str(node.data)).splitlines()
        if ":" in line
    )
    if facts["Database cluster state"].strip() != "shut down":
        return None
    # Where the checkpoint of the shutdown begins: every commit stands before it.
    high, _, low = facts["Latest checkpoint location"].strip().partition("/")
    return (int(high, 16) << 32) + int(low, 16)
