"""A running stack, for tests to look at, kill and repair; and booting one."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

import httpx
import psutil
import psycopg
import redis

from regions.embedded import claim, postgres_client, replication
from regions.embedded.plan import REPOSITORY, Plan, read_json
from regions.embedded.ports import FREE_RANGE, LOOPBACK, RANGE_VARIABLE, accepts
from regions.embedded.probes import valkey_is_ready
from regions.embedded.processes import dies_with_parent
from regions.embedded.supervise import Supervisor
from tests.shopper import NO_TLS

READY_TIMEOUT = 300.0  # seconds; an idle machine takes 20, a busy one ten times as long
STOP_TIMEOUT = 60.0
APPLICATION = ("web", "ws", "worker", "beat")
STORES = ("postgres", "valkey", "sentinel")


def wait_until[T](
    probe: Callable[[], T], timeout: float, message: str, *, interval: float = 0.05
) -> T:
    """The first true answer of `probe`; fails the test with `message` after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        if answer := probe():
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout:.0f} s: {message}")
        time.sleep(interval)


class Stack:
    """A running stack, as stack.json describes it at the moment of each question."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.plan = Plan.load(state)
        self.supervisor = Supervisor(self.plan)

    # --- What it is ------------------------------------------------------------------------

    @property
    def description(self) -> dict[str, Any]:
        return read_json(self.state / "stack.json")

    @property
    def front(self) -> str:
        return str(self.description["front"])

    @property
    def regions(self) -> dict[str, dict[str, str]]:
        """Addresses by region: `{"tokyo": {"web": "http://…", "ws": "ws://…"}}`."""
        found: dict[str, dict[str, str]] = self.description["regions"]
        return found

    @property
    def admin(self) -> dict[str, str]:
        """`email` and `password` of the demo shop's admin."""
        found: dict[str, str] = self.description["admin"]
        return found

    @property
    def roles(self) -> dict[str, str]:
        """The region that holds the writing `postgres` and `valkey` now."""
        found: dict[str, str] = self.description["roles"]
        return found

    def log(self, name: str, region: str | None = None) -> Path:
        return self.plan.log(_key(name, region))

    # --- Processes ---------------------------------------------------------------------------

    def pid(self, name: str, region: str | None = None) -> int:
        """Raises AssertionError when no such process runs now."""
        for process in self.description["processes"]:
            if (process["name"], process["region"]) == (name, region):
                return int(process["pid"])
        raise AssertionError(f"{_key(name, region)} does not run")

    def kill(
        self, name: str, region: str | None = None, sig: signal.Signals = signal.SIGKILL
    ) -> int:
        """Send a signal to the process that the supervisor knows; its number.

        After SIGKILL it is gone, and with PostgreSQL its backends, which would answer on until
        they notice that they are orphans.
        """
        pid = self.pid(name, region)
        process = psutil.Process(pid)
        family = [process, *(process.children(recursive=True) if name == "postgres" else [])]
        os.kill(pid, sig)
        if sig == signal.SIGKILL:
            wait_until(lambda: not any(map(_lives, family)), 30, f"{_key(name, region)} is gone")
        return pid

    def kill_region(
        self, region: str, sig: signal.Signals = signal.SIGKILL, *, stores: bool = False
    ) -> dict[str, int]:
        """Signal all of a region's application processes at once, forks included.

        With `stores` its PostgreSQL, Valkey and Sentinel too: everything that the region has.
        """
        pids = {
            process["name"]: int(process["pid"])
            for process in self.description["processes"]
            if process["region"] == region and (stores or process["name"] in APPLICATION)
        }
        expected = {*APPLICATION, *(STORES if stores else ())}
        assert pids.keys() - {"watch"} == expected, (
            f"{region} is not whole: only {sorted(pids)} run"
        )
        family = [
            process
            for pid in pids.values()
            for process in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
        ]
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(sig)
        return pids

    def wait_restarted(
        self, name: str, region: str | None, old_pid: int, timeout: float = 120
    ) -> int:
        """Until another process runs in the place of `old_pid` and answers; its number."""

        def successor() -> int:
            for process in self.description.get("processes", []):
                if (process["name"], process["region"]) == (name, region):
                    return int(process["pid"]) if process["pid"] != old_pid else 0
            return 0

        pid = wait_until(successor, timeout, f"{_key(name, region)} runs again")
        self.wait_ready(name, region, timeout)
        return pid

    def wait_ready(self, name: str, region: str | None = None, timeout: float = 120) -> None:
        """Until the process answers (web, ws), serves (stores, caddy), or runs (the rest)."""

        def ready() -> bool:
            if region and name in {"web", "ws"}:
                return self.answers(f"http://{self.plan.address(name, region)}/health/ready")
            if region and name == "postgres":
                return postgres_client.accepts_reads(self.plan, region)
            if region and name == "valkey":
                return self.answers_ping(region)
            key = _key(name, region)
            port = {"caddy": "front"}.get(key, key)
            if port in self.plan.ports:
                return accepts(self.plan.ports[port])
            return self.supervisor.states()[key].state in {"STARTING", "RUNNING"}

        wait_until(ready, timeout, f"{_key(name, region)} is ready")

    def answers(self, url: str) -> bool:
        try:
            return httpx.get(url, verify=NO_TLS, timeout=2).status_code == 200
        except httpx.HTTPError:
            return False

    def answers_ping(self, region: str) -> bool:
        try:
            with self.valkey(region) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def stop_process(self, name: str, region: str | None = None, timeout: float = 120) -> None:
        """An orderly stop; the process stays away until `start_process`."""
        key = _key(name, region)
        self.supervisor.stop(key)
        wait_until(lambda: not self.supervisor.states()[key].pid, timeout, f"{key} stopped")

    def start_process(self, name: str, region: str | None = None, timeout: float = 120) -> None:
        """Start what was stopped or died. A PostgreSQL node rejoins whoever is the writer."""
        self.supervisor.start(_key(name, region))
        self.wait_ready(name, region, timeout)
        wait_until(
            lambda: any(
                (process["name"], process["region"]) == (name, region)
                for process in self.description["processes"]
            ),
            60,
            f"stack.json shows {_key(name, region)}",
        )

    def restart(self, name: str, region: str | None = None) -> None:
        self.stop_process(name, region)
        self.start_process(name, region)

    def mend(self) -> None:
        """Start what does not run, until every store has its copies."""
        states = self.supervisor.states()
        for key, state in states.items():
            if not state.pid:
                self.supervisor.start(key)
        wait_until(lambda: self._is_whole(len(states)), 180, "the stack is whole")

    def _is_whole(self, size: int) -> bool:
        if len(self.description["processes"]) < size or len(self.roles) < 2:
            return False
        writer = self.roles["postgres"]
        return replication.followers(self.plan, writer) >= {*self.plan.regions} - {writer} and all(
            valkey_is_ready(self.plan, region) for region in self.plan.regions
        )

    # --- Stores ------------------------------------------------------------------------------

    def pg_admin(self, region: str, dbname: str = "anyport") -> postgres_client.AdminConnection:
        """A superuser's connection (autocommit) to the region's own server."""
        return postgres_client.connect_admin(self.plan, region, dbname, within=20)

    def writer(self) -> psycopg.Connection:
        """The application's own connection: whichever server accepts writes."""
        environment = self.plan.environment(self.plan.regions[0])
        hosts = [pair.split(":") for pair in environment["DATABASE_HOSTS"].split(",")]
        return psycopg.connect(
            host=",".join(host for host, _ in hosts),
            port=",".join(port for _, port in hosts),
            user=environment["DATABASE_USER"],
            password=environment["DATABASE_PASSWORD"],
            dbname=environment["DATABASE_NAME"],
            target_session_attrs="read-write",
            connect_timeout=10,
            options="-c statement_timeout=15000",
            autocommit=True,
        )

    def valkey(self, region: str) -> "redis.Redis[bytes]":  # type: ignore[type-arg, unused-ignore]  # generic in types-redis alone
        """A client of the region's own server, primary or replica."""
        return redis.Redis(
            host=LOOPBACK,
            port=self.plan.port("valkey", region),
            socket_timeout=2,
            socket_connect_timeout=1,
        )


def worker() -> tuple[int, int]:
    """Which worker of xdist this is, from 0, and of how many."""
    name = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
    return int(name.removeprefix("gw")), int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))


def ports_of(number: int, workers: int) -> range:
    share = len(FREE_RANGE) // workers
    return FREE_RANGE[number % workers * share :][:share]


class Booted:
    """A `manage.py up` of our own, and the stack that it runs.

    Unless it is `watched`, or the test starts watchers, what a test kills stays dead.
    """

    def __init__(
        self, state: Path, *arguments: str, ports: range | None = None, watched: bool = False
    ) -> None:
        self.state = state
        self._ports = ports or ports_of(*worker())
        self.log = state.with_name(state.name + ".log")
        self.log.parent.mkdir(parents=True, exist_ok=True)
        watch = [] if watched else ["--no-watch"]
        self.process = self._spawn(["--port", "0", *watch, *arguments])

    def _spawn(self, arguments: list[str]) -> subprocess.Popen[bytes]:
        # A clean slate: neither the session's stack nor its test settings.
        plan_names = {"ANYPORT_", "DATABASE_", "REDIS_", "AWS_", "STRIPE_"}
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(tuple(plan_names)) and name != "DJANGO_SETTINGS_MODULE"
        }
        for name in ("SECRET_KEY", "SESSION_KEYS", "STATIC_ROOT", "COORDINATION_REGION"):
            environment.pop(name, None)
        environment[RANGE_VARIABLE] = f"{self._ports[0]}-{self._ports[-1]}"
        # However the tests end, the stack is stopped, in good order.
        command = [*dies_with_parent(signal.SIGTERM), sys.executable]
        command += [str(REPOSITORY / "manage.py"), "up"]
        with self.log.open("wb") as output:
            return subprocess.Popen(
                [*command, "--state", str(self.state), *arguments],
                cwd=REPOSITORY,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def wait_ready(self) -> Stack:
        """Fails with the last words of `up` when it ends, or takes too long."""
        deadline = time.monotonic() + READY_TIMEOUT
        while not (self.state / "stack.json").exists():
            if self.process.poll() is not None:
                self._fail(f"ended with exit code {self.process.returncode}")
            if time.monotonic() > deadline:
                self.stop()
                self._fail(f"was not ready within {READY_TIMEOUT:.0f} s")
            time.sleep(0.1)
        return Stack(self.state)

    def _fail(self, problem: str) -> NoReturn:
        words = "\n".join(self.output.splitlines()[-30:])
        raise AssertionError(f"`manage.py up` {problem}:\n{words}\n(the whole log: {self.log})")

    def stop(self, sig: signal.Signals = signal.SIGTERM) -> int:
        """Its exit code. Kills everything below it when it does not end in time."""
        self.ask_to_stop(sig)
        return self.wait_stopped()

    def ask_to_stop(self, sig: signal.Signals = signal.SIGTERM) -> None:
        if self.process.poll() is None:
            self.process.send_signal(sig)

    def wait_stopped(self) -> int:
        try:
            return self.process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            for child in psutil.Process(self.process.pid).children(recursive=True):
                child.kill()
            self.process.kill()
            self.process.wait(5)
            claim.clear_leftovers(self.state)
            return -1


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _key(name: str, region: str | None) -> str:
    return f"{name}-{region}" if region else name
