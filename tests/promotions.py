"""Typing `manage.py failover …` against a stack, and what to look at afterwards."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread
from time import monotonic
from typing import Any, Self

import psycopg

from regions.embedded import replication
from regions.embedded.plan import REPOSITORY
from regions.embedded.ports import LOOPBACK
from regions.embedded.postgres import SUPERUSER
from tests.stack import Stack, wait_until

_SCRIPT = """
import django, os, signal, sys
django.setup()
from django.core.management import call_command
from failover.promotion import machine, steps
from failover.watching.verdict import Policy
from failover.promotion.record import Ledger
from regions.embedded.provider import EmbeddedProvider
from regions.servers import Fence, ProviderError, Server
{patch}
call_command("failover", *sys.argv[1:])
"""
DIES_AT = """
save = Ledger.save
def save_or_die(ledger):
    if ledger.record.done[-1:] == [ledger.record.step] == ["{step}"]:
        os.kill(os.getpid(), signal.SIGKILL)  # it is done, and nobody wrote that down
    save(ledger)
Ledger.save = save_or_die
machine.DURATION = 2.0
"""
"""A patch: the runner dies when it has done that step."""
DONE, REFUSED, KILLED = 0, 1, -9
TRIES = 4


def command(*words: str, patch: str = "") -> list[str]:
    """The real command or, with a `patch`, one whose guard is bypassed or which kills itself."""
    if patch:
        return [sys.executable, "-c", _SCRIPT.format(patch=patch), *words]
    return [sys.executable, str(REPOSITORY / "manage.py"), "failover", *words]


def environment(stack: Stack, region: str | None = None) -> dict[str, str]:
    """Without the names of their own that the tests' settings have for what they share."""
    ours = {"ANYPORT_NAMESPACE": "anyport", "REDIS_DB": "0"}
    return stack.plan.process_environment(region) | ours


def promote(stack: Stack, *words: str, patch: str = "") -> subprocess.CompletedProcess[str]:
    return failover(stack, "promote", *words, patch=patch)


def failover(stack: Stack, *words: str, patch: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*words, patch=patch),
        cwd=REPOSITORY,
        env=environment(stack) | {"DJANGO_SETTINGS_MODULE": "tests.patient"},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def promoted(stack: Stack, *words: str) -> dict[str, Any]:
    """The record of a promotion that has to succeed.

    A busy machine ends some tries: "Not finished: type the same command again".
    """
    for _ in range(TRIES):
        answer = promote(stack, *words, "--json")
        if answer.returncode == DONE:
            break
    assert answer.returncode == DONE, answer.stderr
    record: dict[str, Any] = json.loads(answer.stdout)
    return record


def promote_and_die(stack: Stack, *words: str, patch: str) -> subprocess.CompletedProcess[str]:
    """A promotion whose runner kills itself, as soon as it gets so far."""
    for _ in range(TRIES):
        answer = promote(stack, *words, patch=patch)
        if answer.returncode == KILLED:
            break
    return answer


def writers(stack: Stack) -> set[str]:
    return {region for region in stack.regions if _takes_writes(stack, region)}


def _takes_writes(stack: Stack, region: str) -> bool:
    """One that is gone refuses at once; one that is busy is waited for."""
    try:
        with psycopg.connect(
            host=LOOPBACK,
            port=stack.plan.port("postgres", region),
            user=SUPERUSER,
            password=stack.plan.secrets.superuser,
            dbname="postgres",
            connect_timeout=20,
            autocommit=True,
        ) as server:
            return server.execute("SELECT pg_is_in_recovery()").fetchone() == (False,)
    except psycopg.OperationalError:
        return False


def standbys(stack: Stack) -> list[str]:
    return [region for region in stack.regions if region != stack.roles["postgres"]]


def generations(stack: Stack) -> list[tuple[int, str]]:
    with stack.writer() as live:
        return live.execute(
            "SELECT number, region FROM failover_generation ORDER BY number"
        ).fetchall()


def wait_followed(stack: Stack, writer: str) -> None:
    others = {*stack.regions} - {writer}
    wait_until(
        lambda: replication.followers(stack.plan, writer) == others,
        180,
        f"{sorted(others)} follow {writer}",
    )
    wait_until(lambda: stack.roles["postgres"] == writer, 60, "roles follow")


def own_connection(stack: Stack, region: str) -> psycopg.Connection[Any]:
    """As the shop, but to this very server, whatever its role."""
    environment = stack.plan.environment(region)
    host, _, port = environment["DATABASE_LOCAL_HOST"].partition(":")
    return psycopg.connect(
        host=host,
        port=port,
        user=environment["DATABASE_USER"],
        password=environment["DATABASE_PASSWORD"],
        dbname=environment["DATABASE_NAME"],
        connect_timeout=20,
        autocommit=True,
    )


def attempt_of(stack: Stack, region: str) -> int:
    with stack.pg_admin(region) as server:
        return int(replication._stored(server, "anyport.promotion") or 0)


@dataclass
class Promises:
    """Rows that were written one after the other, and which of them were acknowledged."""

    stack: Stack
    acknowledged: set[int] = field(default_factory=set)
    longest_wait: float = 0.0
    """Seconds between two acknowledged writes."""
    _number: int = 0

    @classmethod
    def of(cls, stack: Stack) -> Self:
        with stack.writer() as live:
            live.execute("DROP TABLE IF EXISTS promises")
            live.execute("CREATE TABLE promises (number int)")
        return cls(stack)

    def make(self, count: int = 1) -> None:
        with self.stack.writer() as live:
            for _ in range(count):
                self._write(live)

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """Writes all the while, over new connections where one breaks."""
        stop = Event()
        thread = Thread(target=self._go_on, args=(stop,))
        thread.start()
        try:
            enough = len(self.acknowledged) + 10
            wait_until(lambda: len(self.acknowledged) >= enough, 120, "writes before")
            yield
            enough = len(self.acknowledged) + 10
            wait_until(lambda: len(self.acknowledged) >= enough, 120, "writes afterwards")
        finally:
            stop.set()
            thread.join()

    def _go_on(self, stop: Event) -> None:
        last = monotonic()
        while not stop.is_set():
            try:
                with self.stack.writer() as live:
                    while not stop.is_set():
                        self._write(live)
                        self.longest_wait = max(self.longest_wait, monotonic() - last)
                        last = monotonic()
                        stop.wait(0.01)
            except psycopg.OperationalError:
                stop.wait(0.05)

    def _write(self, live: psycopg.Connection[Any]) -> None:
        self._number += 1
        live.execute("INSERT INTO promises VALUES (%s)", [self._number])
        # A shutdown ends the wait for a standby with a warning; then the connection breaks.
        self.acknowledged.add(self._number)

    def lost(self) -> set[int]:
        with self.stack.writer() as live:
            kept = {number for (number,) in live.execute("SELECT number FROM promises")}
        return self.acknowledged - kept
