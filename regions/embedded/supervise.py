"""The supervisor of the running stack: supervisord, its configuration and its XML-RPC interface.

Why supervisor: it restarts what dies, with back-off; it is asked for pids and states, and told to
start and stop single processes, over XML-RPC, which the drills and tests need; it writes bounded
logs; it is one quiet pure-Python process without dependencies, and twenty years old. honcho
stops everything when one process ends, and restarts nothing. circus does what supervisor does,
through pyzmq and tornado, and has a thread more and a release less often.
"""

import http.client
import signal
import subprocess
import sys
import threading
import xmlrpc.client
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

from regions.embedded import cgroups, front, valkey
from regions.embedded.plan import REPOSITORY, Plan, write_atomically
from regions.embedded.ports import LOOPBACK
from regions.embedded.processes import dies_with_parent

_USER = "anyport"
_TIMEOUT = 5.0  # seconds an XML-RPC call may take; supervisord answers in milliseconds
GROUPS = ("postgres", "valkey", "sentinel", "aws", "stripe", "app", "front")
"""Started in this order, and stopped in the reverse order when supervisord is told to end."""


class SupervisorError(Exception):
    """supervisord does not answer, or refused."""


@dataclass(frozen=True)
class Program:
    """A process of the stack, before it runs."""

    name: str
    group: str
    command: list[str]
    """Words; the interpreter is written as `PYTHON`."""
    region: str | None = None
    port: int | None = None
    restart: bool = True
    stop_signal: str = "TERM"
    stop_seconds: int = 5
    start_seconds: int = 1
    death_signal: signal.Signals | None = signal.SIGKILL
    """What it gets when supervisord is gone; None when its command sees to that itself."""

    @property
    def key(self) -> str:
        """Its name to supervisord, and of its log: `web-tokyo`."""
        return f"{self.name}-{self.region}" if self.region else self.name


@dataclass(frozen=True)
class State:
    """What supervisord says of a process."""

    key: str
    state: str
    pid: int
    description: str
    started: int


PYTHON = "PYTHON"


def programs(plan: Plan) -> list[Program]:
    """Everything that runs, stores first."""
    found = [program for region in plan.regions for program in _stores(plan, region)]
    found.append(
        Program(
            "aws",
            "aws",
            [PYTHON, "-m", "regions.embedded.aws"],
            port=plan.ports["aws"],
            death_signal=signal.SIGTERM,
            stop_seconds=10,
        )
    )
    found.append(
        Program(
            "stripe",
            "stripe",
            [PYTHON, "-m", "regions.embedded.stripe"],
            port=plan.ports["stripe"],
        )
    )
    found.append(Program("caddy", "front", front.command(), port=plan.ports["front"]))
    return found + [program for region in plan.regions for program in _application(plan, region)]


def _stores(plan: Plan, region: str) -> Iterable[Program]:
    yield Program(
        "postgres",
        "postgres",
        [PYTHON, "-m", "regions.embedded.postgres_node", region],
        region,
        plan.port("postgres", region),
        # Beside a promoted standby an old primary is a split brain. The watch restarts a dead
        # node when another one accepts writes, so that it can only follow (see `Watch._rejoin`).
        restart=False,
        stop_signal="INT",  # fast shutdown; TERM would wait for every client
        stop_seconds=20,
        death_signal=None,
    )
    yield Program(
        "valkey",
        "valkey",
        [PYTHON, "-m", "regions.embedded.valkey", region],
        region,
        plan.port("valkey", region),
        death_signal=signal.SIGTERM,
    )
    if plan.replicated:
        yield Program(
            "sentinel",
            "sentinel",
            valkey.sentinel_command(region),
            region,
            plan.port("sentinel", region),
        )


def _application(plan: Plan, region: str) -> Iterable[Program]:
    for name, module, words in (
        ("web", "wsgi", ["--interface", "wsgi", "--no-ws", "--blocking-threads", "4"]),
        ("ws", "asgi", ["--interface", "asginl", "--ws"]),  # Channels has no lifespan protocol
    ):
        port = plan.port(name, region)
        serve = [PYTHON, "-m", "regions.embedded.serve", f"settings.{module}:application"]
        serve += ["--host", LOOPBACK, "--port", str(port), "--http", "1"]
        serve += ["--workers", "1", "--runtime-threads", "1", "--workers-kill-timeout", "3"]
        serve += ["--log-level", "warning", *words]
        yield Program(name, "app", serve, region, port, start_seconds=3)
    celery = [PYTHON, "-m", "celery", "-A", "jobs"]
    worker = ["worker", "--pool", "threads", "--concurrency", "2", "--hostname", f"worker@{region}"]
    worker += ["--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "INFO"]
    yield Program("worker", "app", [*celery, *worker], region, start_seconds=3)
    yield Program("beat", "app", [*celery, "beat", "--loglevel", "INFO"], region, start_seconds=3)
    if plan.watched:
        watch = [PYTHON, "-m", "django", "failover", "watch"]
        yield Program("watch", "app", watch, region, start_seconds=3)


# --- Configuration ---------------------------------------------------------------------------


def _words(plan: Plan, program: Program) -> str:
    """The command as supervisord reads it: shell quoting, `%` doubled."""
    words = [*cgroups.enter(plan, _group_of(program)), *program.command]
    if program.death_signal:
        words = [*dies_with_parent(program.death_signal), *words]
    quoted = []
    for word in words:
        if word == PYTHON:
            quoted.append('"%(ENV_ANYPORT_PYTHON)s"')
        else:
            escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
            quoted.append(f'"{escaped}"')
    return " ".join(quoted)


def _group_of(program: Program) -> str | None:
    return cgroups.SHARED if program.name == "aws" else program.region


def _section(plan: Plan, program: Program) -> str:
    environment = plan.regional_environment(program.region or plan.regions[0])
    assigned = ",".join(f'{name}="{value}"' for name, value in environment.items())
    return "\n".join(
        [
            f"[program:{program.key}]",
            f"command={_words(plan, program)}",
            f"environment={assigned}",
            "autostart=false",
            f"autorestart={str(program.restart).lower()}",
            f"startsecs={program.start_seconds}",
            "startretries=3",
            f"stopsignal={program.stop_signal}",
            f"stopwaitsecs={program.stop_seconds}",
            "killasgroup=true",
            "redirect_stderr=true",
            f"stdout_logfile=logs/{program.key}.log",
            "stdout_logfile_maxbytes=5MB",
            "stdout_logfile_backups=1",
            "",
        ]
    )


def write_configuration(plan: Plan, parts: list[Program]) -> None:
    """Write supervisord's file. It holds its password, so only its owner may read it.

    Paths in it are relative to the state directory, where everything runs: absolute ones would
    be expanded, and may hold what supervisord gives a meaning to (`%`, ` ;`).
    """
    sections = [
        "[supervisord]",
        "nodaemon=true",
        "silent=true",
        "logfile=logs/supervisord.log",
        "logfile_maxbytes=2MB",
        "logfile_backups=1",
        "loglevel=info",
        "pidfile=run/supervisord.pid",
        "childlogdir=logs",
        "",
        "[inet_http_server]",
        f"port={LOOPBACK}:{plan.ports['supervisor']}",
        f"username={_USER}",
        f"password={plan.secrets.supervisor}",
        "",
        "[rpcinterface:supervisor]",
        "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface",
        "",
    ]
    for priority, group in enumerate(GROUPS, start=1):
        keys = [program.key for program in parts if program.group == group]
        if keys:
            sections += [f"[group:{group}]", f"programs={','.join(keys)}", f"priority={priority}"]
            sections.append("")
    sections += [_section(plan, program) for program in parts]
    write_atomically(plan.run / "supervisord.conf", "\n".join(sections))


def spawn(plan: Plan) -> subprocess.Popen[bytes]:
    """Start supervisord; it ends everything in good order when the caller's thread is gone.

    In a session of its own, so that Ctrl-C in the terminal reaches only `manage.py up`.
    """
    with (plan.logs / "supervisord.out").open("wb") as output:
        return subprocess.Popen(
            [
                *dies_with_parent(signal.SIGTERM),
                *(sys.executable, "-W", "ignore", "-m", "supervisor.supervisord"),
                *("-n", "-c", "run/supervisord.conf"),
            ],
            cwd=plan.state,
            env={**plan.process_environment(), "PYTHONPATH": str(REPOSITORY)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


# --- Talking to it ------------------------------------------------------------------------------


class _Transport(xmlrpc.client.Transport):
    """HTTP with a time-out, which the standard transport lacks."""

    def make_connection(self, host: tuple[str, dict[str, str]] | str) -> http.client.HTTPConnection:
        connection = super().make_connection(host)
        connection.timeout = _TIMEOUT
        return connection


class Supervisor:
    """A client, for any thread."""

    def __init__(self, plan: Plan) -> None:
        self._lock = threading.Lock()  # the connection carries one call at a time
        self._groups = {program.key: program.group for program in programs(plan)}
        address = f"{LOOPBACK}:{plan.ports['supervisor']}"
        self._rpc = xmlrpc.client.ServerProxy(
            f"http://{_USER}:{plan.secrets.supervisor}@{address}/RPC2", transport=_Transport()
        )

    def _call(self, method: str, *arguments: object) -> object:
        try:
            with self._lock:
                return getattr(self._rpc.supervisor, method)(*arguments)
        except (OSError, http.client.HTTPException, xmlrpc.client.Error) as error:
            raise SupervisorError(f"supervisord: {method}: {error}") from error

    def answers(self) -> bool:
        try:
            self._call("getState")
        except SupervisorError:
            return False
        return True

    def states(self) -> dict[str, State]:
        """By program key. Raises SupervisorError."""
        found = cast(list[dict[str, Any]], self._call("getAllProcessInfo"))
        return {
            str(info["name"]): State(
                key=str(info["name"]),
                state=str(info["statename"]),
                pid=int(info["pid"]),
                description=str(info["spawnerr"] or info["description"]),
                started=int(info["start"]),
            )
            for info in found
        }

    def start(self, key: str) -> None:
        """Start a process; does not wait for it. Nothing happens when it runs already."""
        try:
            self._call("startProcess", self._full(key), False)
        except SupervisorError as error:
            if "ALREADY_STARTED" not in str(error):
                raise

    def stop(self, key: str) -> None:
        """Ask a process to end (killed after its `stop_seconds`); does not wait for it."""
        try:
            self._call("stopProcess", self._full(key), False)
        except SupervisorError as error:
            if "NOT_RUNNING" not in str(error):
                raise

    def shutdown(self) -> None:
        self._call("shutdown")

    def _full(self, key: str) -> str:
        return f"{self._groups[key]}:{key}"
