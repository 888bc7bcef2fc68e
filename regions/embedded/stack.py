"""A whole stack: starts it, everything at once where order allows, watches it, stops it."""

import json
import subprocess
import threading
import time
from functools import partial

from django.core.management import get_commands

from regions.embedded import (
    cgroups,
    front,
    partition,
    postgres,
    postgres_client,
    rejoin,
    replication,
    valkey,
)
from regions.embedded.plan import Plan, write_atomically
from regions.embedded.probes import readiness
from regions.embedded.processes import Identity, kill_tree, wait_until
from regions.embedded.schedule import Schedule
from regions.embedded.screen import Screen
from regions.embedded.steps import Commands, StartError
from regions.embedded.supervise import (
    Program,
    Supervisor,
    SupervisorError,
    programs,
    spawn,
    write_configuration,
)
from regions.embedded.watch import Watch

_READY_TIMEOUT = 180.0  # seconds for any one part; the slowest laptop needs a sixth of it
_DEATHS = 2  # of a part during the start, after which it is given up
_STREAM_TIMEOUT = 15.0  # seconds for a standby to stream, before it is made anew
_STOP_TIMEOUT = 25.0  # seconds, longer than any one process may take
_TICK = 0.5
# Stopped together, in this order: who asks before who answers, standbys after their writer.
_STOP_ORDER = (("front", "app"), ("sentinel",), ("valkey", "aws", "stripe"), ("postgres",))


class Stack:
    """Runs in the thread that made it; `interrupt` and `kill` may come from a signal handler."""

    def __init__(self, plan: Plan, screen: Screen) -> None:
        self.plan = plan
        self.parts = programs(plan)
        self.supervisor = Supervisor(plan)
        self._screen = screen
        self._supervisord: subprocess.Popen[bytes] | None = None
        self._interrupted = threading.Event()
        self._schedule = Schedule()
        self._commands = Commands(plan, self._ending)

    def interrupt(self) -> None:
        self._interrupted.set()

    def kill(self) -> None:
        """End every process now, whatever it does."""
        if self._supervisord:
            kill_tree(self._supervisord.pid)

    def _ending(self) -> bool:
        return self._interrupted.is_set() or self._schedule.failed.is_set()

    # --- Start -----------------------------------------------------------------------------

    def start(self) -> None:
        """Returns when everything is ready. Raises StartError, or Interrupted."""
        self.plan.write_env_file()
        valkey.prepare(self.plan)
        front.prepare(self.plan)
        partition.remove(self.plan)  # a cut that a killed drill left
        cgroups.prepare(self.plan)
        write_configuration(self.plan, self.parts)
        self._supervisord = spawn(self.plan)
        self._record_supervisord(self._supervisord.pid)
        self._fill_schedule()
        with self._screen.progress([_title(part) for part in self.parts]):
            self._schedule.run()

    def _record_supervisord(self, pid: int) -> None:
        """So that, were we killed now, the next `up` would find what is left."""
        identity = Identity.of(pid)
        saved = [{"pid": identity.pid, "started": identity.started}] if identity else []
        write_atomically(self.plan.run / "pids.json", json.dumps({"processes": saved}))

    def _fill_schedule(self) -> None:
        add = self._schedule.add
        add("supervisord", self._await_supervisord)
        add("collectstatic", self._commands.collect_static)
        add("create cluster", partial(postgres.create_cluster, self.plan))
        add("postgres", self._start_postgres, "supervisord", "create cluster")
        for part in self._grouped("valkey", "sentinel", "aws", "stripe", "front"):
            add(part.key, partial(self._start_part, part), "supervisord")
        for part in self._named("web", "ws"):
            add(part.key, partial(self._start_part, part), "supervisord", "collectstatic")
        add("migrate", partial(self._run_command, "migrate", "--noinput"), "postgres")
        add("provision", partial(self._run_command, "provision"), "aws")
        ready = [part.key for part in self._grouped("valkey")] + ["migrate", "provision"]
        for part in self._named("worker", "beat", "watch"):
            add(part.key, partial(self._start_part, part), *ready)
        add("seed_demo", partial(self._run_command, "seed_demo"), *ready)

    def _named(self, *names: str) -> list[Program]:
        return [part for part in self.parts if part.name in names]

    def _grouped(self, *groups: str) -> list[Program]:
        return [part for part in self.parts if part.group in groups]

    def _await_supervisord(self) -> None:
        if not wait_until(self.supervisor.answers, 15, stopping=self._ending):
            raise StartError("supervisord", "does not answer", self.plan.logs / "supervisord.out")

    def _run_command(self, name: str, *arguments: str) -> None:
        if name in get_commands():
            self._commands.run(name, *arguments)
            self._screen.note(f"manage.py {name} done")

    def _start_part(self, part: Program) -> None:
        is_ready = readiness(self.plan, part)
        self.supervisor.start(part.key)
        seen: set[int] = set()
        ask_at = time.monotonic() + 2

        def ready_or_given_up() -> bool:
            nonlocal ask_at
            if is_ready():
                return True
            # supervisord is asked only of what is slow: questions cost it time, too.
            if time.monotonic() > ask_at:
                ask_at += 1
                state = self.supervisor.states()[part.key]
                seen.add(state.pid)
                ended = state.state == "EXITED" and not part.restart
                if ended or state.state == "FATAL" or len(seen - {0}) > _DEATHS:
                    problem = "ended" if ended else "keeps dying"
                    raise StartError(_title(part), problem, self.plan.log(part.key))
            return False

        if not wait_until(ready_or_given_up, _READY_TIMEOUT, stopping=self._ending, interval=0.15):
            problem = f"is not ready after {_READY_TIMEOUT:.0f} s"
            raise StartError(_title(part), problem, self.plan.log(part.key))
        self._screen.ready(_title(part), _where(part))

    def _start_postgres(self) -> None:
        """The writer, then everybody else, who may need it to rejoin."""
        plan = self.plan
        for node in postgres.nodes(plan):
            if node.exists:  # a promotion may have been interrupted, and left it detached
                rejoin.forget_source(node)
        writer = postgres.elect(plan)
        region = writer.region if writer else self._furthest_standby()
        others = [part for part in self._named("postgres") if part.region != region]
        # Those that are standbys already start beside the writer, and wait for it.
        at_once = [p for p in others if postgres.node(plan, p.region or "").is_settled]
        first = next(p for p in self._named("postgres") if p.region == region)
        for part in [first, *at_once]:
            self.supervisor.start(part.key)
        self._start_part(first)
        if writer is None:
            postgres_client.promote(plan, region)
        for part in others:
            self._start_part(part)
        self._await_streaming(region, others)

    def _furthest_standby(self) -> str:
        """Only when the writer's data are gone: the standby that knows the highest timeline."""
        found = [node for node in postgres.nodes(self.plan) if node.exists]
        return max(found, key=postgres.Node.timeline).region

    def _await_streaming(self, writer: str, standbys: list[Program]) -> None:
        """A standby that cannot stream (its place in the log is gone) is made anew."""
        wanted = {part.region for part in standbys}

        def everybody() -> bool:
            return wanted <= replication.followers(self.plan, writer)

        if wait_until(everybody, _STREAM_TIMEOUT, stopping=self._ending, interval=0.1):
            return
        following = replication.followers(self.plan, writer)
        for part in standbys:
            if part.region not in following:
                self._screen.note(f"{_title(part)} cannot follow {writer}: it is copied anew")
                self._stop_and_wait([part])
                postgres.discard_data(postgres.node(self.plan, part.region or ""))
                self._start_part(part)
        if not wait_until(everybody, _READY_TIMEOUT, stopping=self._ending):
            log = self.plan.log(f"postgres-{writer}")
            raise StartError("postgres", "the standbys do not stream", log)

    # --- Run and stop ------------------------------------------------------------------------

    def watch(self) -> None:
        """Returns when the stack is interrupted. Raises SupervisorError when supervisord died."""
        watch = Watch(self.plan, self.parts, self.supervisor, self._screen)
        watch.begin(self._supervisord.pid if self._supervisord else 0)
        self._screen.running(self.plan)
        while not self._interrupted.wait(_TICK):
            if self._supervisord and self._supervisord.poll() is not None:
                raise SupervisorError("supervisord died, and with it what it supervised")
            try:
                watch.tick()
            except SupervisorError as error:  # one late answer on a busy machine ends nothing
                self._screen.warn(str(error))

    def stop(self) -> None:
        """End everything in good order; whatever resists is killed. Leaves nothing behind."""
        if self._supervisord is None:
            return
        try:
            for groups in _STOP_ORDER:
                self._stop_and_wait(self._grouped(*groups))
            self.supervisor.shutdown()
            self._supervisord.wait(_STOP_TIMEOUT)
        except (SupervisorError, subprocess.TimeoutExpired):
            self.kill()
            self._supervisord.wait(5)
        partition.remove(self.plan)
        cgroups.remove(self.plan)
        (self.plan.state / "stack.json").unlink(missing_ok=True)
        (self.plan.run / "pids.json").unlink(missing_ok=True)

    def _stop_and_wait(self, parts: list[Program]) -> None:
        keys = {part.key for part in parts}
        for key in keys:
            self.supervisor.stop(key)

        def all_ended() -> bool:
            states = self.supervisor.states()
            return not any(states[key].pid for key in keys)

        wait_until(all_ended, _STOP_TIMEOUT)


def _title(part: Program) -> str:
    return f"{part.name} {part.region}" if part.region else part.name


def _where(part: Program) -> str:
    return f"127.0.0.1:{part.port}" if part.port else ""
