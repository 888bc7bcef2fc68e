"""Leases: one holder at a time, whoever dies, freezes, or is not answered."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from botocore.exceptions import ReadTimeoutError
from django.test import override_settings
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Identifier

from regions.embedded.plan import REPOSITORY
from storage import clients, leases
from storage.leases import Lease, LeaseLost, LeasesUnreachable, LeaseTaken
from storage.tables import leases_table
from tests.stack import Stack
from tests.storage.contend import measure
from tests.storage.holder import write

LONG = 60.0  # seconds; nothing waits for it
BRIEF = 6.0


@pytest.fixture
def name() -> str:
    return f"test|{uuid4()}"


# --- The state machine -----------------------------------------------------------------------


def test_a_lease_that_nobody_had_is_not_there(name: str) -> None:
    assert leases.read(name) is None


def test_what_is_held_is_read_by_all_and_taken_by_nobody(name: str) -> None:
    with leases.hold(name, owner="tokyo", duration=LONG, data={"step": "美"}) as lease:
        seen = leases.read(name)
        with pytest.raises(LeaseTaken) as refused:
            leases.try_acquire(name, owner="taiwan")

        assert lease.still_held
        assert seen == lease
        assert (seen.attempt, seen.data, seen.still_held) == (1, {"step": "美"}, False)
        assert refused.value.owner == "tokyo"


def test_what_is_released_is_had_at_once_and_its_count_goes_on(name: str) -> None:
    with leases.hold(name, owner="tokyo", duration=LONG) as first:
        pass
    second = leases.try_acquire(name, owner="taiwan", duration=LONG)

    with pytest.raises(LeaseLost):
        first.check()
    assert (first.released, second.attempt, second.still_held) == (True, 2, True)


def test_an_error_in_the_block_releases_it(name: str) -> None:
    with pytest.raises(ZeroDivisionError), leases.hold(name, owner="tokyo", duration=LONG):
        _ = 1 / 0

    assert leases.try_acquire(name, owner="taiwan").attempt == 2


def test_heartbeats_hold_it_beyond_its_duration(name: str) -> None:
    with leases.hold(name, owner="tokyo", duration=2 * BRIEF) as lease:
        first, ends = lease.version, lease.held_until
        with pytest.raises(LeaseTaken):
            leases.acquire(name, owner="taiwan", wait=3 * BRIEF)

        lease.check()
        assert (lease.attempt, lease.version != first, lease.held_until > ends) == (1, True, True)


def test_a_contender_in_no_hurry_leaves_as_soon_as_it_sees_that_the_holder_lives(name: str) -> None:
    with leases.hold(name, owner="tokyo", duration=BRIEF), pytest.raises(LeaseTaken):
        leases.acquire(name, owner="taiwan")


def test_a_silent_holder_is_taken_over_after_a_full_lease_and_knows_it_first(name: str) -> None:
    silent = leases.try_acquire(name, owner="tokyo", duration=BRIEF)
    began = time.monotonic()

    taken = leases.acquire(name, owner="taiwan", duration=LONG)

    assert time.monotonic() - began >= BRIEF
    assert (taken.owner, taken.attempt) == ("taiwan", 2)
    with pytest.raises(LeaseLost):
        silent.check()
    with pytest.raises(LeaseLost):
        leases.heartbeat(silent)
    leases.release(silent)
    assert leases.read(name) == taken


@pytest.mark.parametrize("moment", ["1999-01-01T00:00:00+00:00", "2199-01-01T00:00:00+00:00"])
def test_a_holders_wall_clock_may_say_anything(name: str, moment: str) -> None:
    """The contender counts a full lease all the same, and not more than that."""
    leases.try_acquire(name, owner="tokyo", duration=BRIEF)
    clients.dynamodb().update_item(
        TableName=leases_table(),
        Key={"name": {"S": name}},
        UpdateExpression="SET written_at = :moment",
        ExpressionAttributeValues={":moment": {"S": moment}},
    )
    began = time.monotonic()

    taken = leases.acquire(name, owner="taiwan", duration=LONG, wait=LONG)

    assert time.monotonic() - began >= BRIEF
    assert taken.attempt == 2


def test_of_many_that_take_over_at_once_one_has_it(name: str) -> None:
    leases.try_acquire(name, owner="dead", duration=0.2)
    together, got = threading.Barrier(8), list[Lease]()

    def contend(number: int) -> None:
        together.wait()
        try:
            got.append(leases.acquire(name, owner=str(number), duration=LONG))
        except LeaseTaken:
            return

    threads = [threading.Thread(target=contend, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    # A contender without a bound of its own leaves when it has seen a change: make one.
    while not got:
        time.sleep(0.01)
    while any(thread.is_alive() for thread in threads):
        leases.heartbeat(got[0])
        time.sleep(0.01)

    assert [lease.attempt for lease in got] == [2]


def test_a_lapsed_holder_stays_lost_even_when_nobody_took_it(name: str) -> None:
    lease = leases.try_acquire(name, owner="tokyo", duration=0.1)
    while lease.still_held:
        time.sleep(0.01)

    with pytest.raises(LeaseLost):
        leases.heartbeat(lease)


# --- Replies that are lost -------------------------------------------------------------------


@pytest.fixture
def sent_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """As botocore does after a time-out: the same call again, which the condition refuses."""
    client, put = clients.dynamodb(), clients.dynamodb().put_item
    monkeypatch.setattr(client, "put_item", lambda **call: (put(**call), put(**call))[1])


@pytest.mark.usefixtures("sent_twice")
def test_a_step_whose_first_reply_was_lost_has_succeeded(name: str) -> None:
    lease = leases.try_acquire(name, owner="tokyo", duration=LONG)
    leases.heartbeat(lease)

    assert (leases.read(name), lease.attempt, lease.still_held) == (lease, 1, True)
    leases.release(lease)
    assert leases.try_acquire(name, owner="taiwan").attempt == 2


@contextmanager
def no_reply(patch: pytest.MonkeyPatch, *, done: bool) -> Iterator[None]:
    """Writes are done, or not, and nobody is told."""
    client, put = clients.dynamodb(), clients.dynamodb().put_item

    def unanswered(**call: Any) -> None:
        if done:
            put(**call)
        raise ReadTimeoutError(endpoint_url="moto")

    with patch.context() as patched:
        patched.setattr(client, "put_item", unanswered)
        yield


@pytest.mark.parametrize("done", [True, False])
def test_a_heartbeat_after_one_without_any_reply_succeeds(
    name: str, done: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease = leases.try_acquire(name, owner="tokyo", duration=LONG)
    ends = lease.held_until
    with no_reply(monkeypatch, done=done), pytest.raises(LeasesUnreachable):
        leases.heartbeat(lease)
    assert lease.held_until == ends  # what nobody confirmed prolongs nothing

    leases.heartbeat(lease)

    assert lease.held_until > ends
    assert leases.read(name) == lease


@pytest.mark.parametrize("done", [True, False])
def test_a_claim_without_any_reply_is_found_at_the_next_look(
    name: str, done: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    contender = leases.Contender(name, owner="tokyo", duration=LONG)
    with no_reply(monkeypatch, done=done), pytest.raises(LeasesUnreachable):
        contender.step()
    before = time.clock_gettime(time.CLOCK_BOOTTIME)

    lease = contender.step()

    assert (lease.attempt, lease.still_held) == (1, True)
    # Counted from when it was sent, not from when it was found.
    assert (lease.held_until < before + LONG) == done


def test_nobody_to_ask_is_an_error_of_its_own(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    lease = leases.try_acquire(name, owner="tokyo", duration=LONG)
    monkeypatch.setattr(leases, "dynamodb", clients.dynamodb.__wrapped__)
    steps: list[Callable[[], object]] = [
        lambda: leases.read(name),
        lambda: leases.try_acquire(name, owner="taiwan"),
        lambda: leases.heartbeat(lease),
        lambda: leases.acquire(name, owner="taiwan", wait=0.5),
        lambda: leases.release(lease),
    ]
    with override_settings(
        DYNAMODB_ENDPOINT_URL="http://127.0.0.1:9",
        DYNAMODB_TIMEOUTS={"connect_timeout": 0.2, "read_timeout": 0.2},
    ):
        for step in steps:
            with pytest.raises(LeasesUnreachable):
                step()


# --- Many, and frozen ones -------------------------------------------------------------------


def test_what_contenders_add_under_a_lease_is_exact() -> None:
    assert measure("hold", contenders=50, times=20)[0] == 1_000


def test_without_the_lease_it_is_not() -> None:
    """The control."""
    assert measure("careless", contenders=50, times=200)[0] < 10_000


@pytest.fixture
def table(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A resource of one row, which remembers the highest attempt that wrote it."""
    name = f"test_fenced_{uuid4().hex}"
    with stack.writer() as connection:
        address = make_conninfo(connection.info.dsn, password=connection.info.password)
        monkeypatch.setenv("TEST_DATABASE", address)
        make = SQL("CREATE TABLE {} AS SELECT '' AS owner, 0 AS attempt")
        connection.execute(make.format(Identifier(name)))
        yield name
        connection.execute(SQL("DROP TABLE {}").format(Identifier(name)))


class Holder:
    def __init__(self, name: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.storage.holder", name, str(BRIEF)],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.hear() == "held 1"

    def ask(self, order: str) -> str:
        assert self.process.stdin
        self.process.stdin.write(order + "\n")
        self.process.stdin.flush()
        return self.hear()

    def hear(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline().strip()


def test_a_holder_frozen_past_its_lease_is_fenced_off(name: str, table: str) -> None:
    holder = Holder(name)
    try:
        assert (holder.ask("check"), holder.ask(f"write {table} guarded")) == ("held", "1")
        os.kill(holder.process.pid, signal.SIGSTOP)
        with leases.hold(name, owner="successor", duration=LONG, wait=LONG) as lease:
            assert lease.attempt == 2
            assert write(table, "successor", lease.attempt) == 1

            os.kill(holder.process.pid, signal.SIGCONT)

            assert holder.ask("check") == "lost"
            assert holder.ask(f"write {table} guarded") == "0"
            assert _owner(table) == "successor"
            # The control: without the token the stale write lands.
            assert holder.ask(f"write {table} careless") == "1"
            assert _owner(table) != "successor"
    finally:
        holder.process.kill()
        holder.process.communicate()


def _owner(table: str) -> object:
    with psycopg.connect(os.environ["TEST_DATABASE"]) as connection:
        row = connection.execute(SQL("SELECT owner FROM {}").format(Identifier(table))).fetchone()
        assert row
        return row[0]
