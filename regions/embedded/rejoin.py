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
    facts = _facts(node)
    if facts["Database cluster state"] != "shut down":
        return None
    # Where the checkpoint of the shutdown begins: every commit stands before it.
    return _bytes(facts["Latest checkpoint location"])


def has_diverged(node: Node, writer: Node) -> bool:
    """Whether a stopped standby replayed what the writer's history does not have.

    Started as it is, it would ask for the end of the old timeline again and again, and each
    time confirm as much of the new one as it has of the old.
    """
    ends, facts = timeline_ends(writer), _facts(node)
    for where, timeline in (
        ("Latest checkpoint location", "Latest checkpoint's TimeLineID"),
        ("Minimum recovery ending location", "Min recovery ending loc's timeline"),
    ):
        end = ends.get(int(facts[timeline]))
        if end is not None and _bytes(facts[where]) > end:
            return True
    return False


def timeline_ends(node: Node) -> dict[int, int]:
    """Where each timeline of the node's history ended, in bytes of the log."""
    newest = node.data / "pg_wal" / f"{node.timeline():08X}.history"
    if not newest.exists():
        return {}
    rows = (line.split() for line in newest.read_text().splitlines())
    return {int(row[0]): _bytes(row[1]) for row in rows if row and not row[0].startswith("#")}


def _facts(node: Node) -> dict[str, str]:
    lines = postgres.command("pg_controldata", str(node.data)).splitlines()
    pairs = (line.split(":", 1) for line in lines if ":" in line)
    return {name: value.strip() for name, value in pairs}


def _bytes(location: str) -> int:
    high, _, low = location.partition("/")
    return (int(high, 16) << 32) + int(low, 16)
