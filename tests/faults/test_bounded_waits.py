"""PostgreSQL stops answering; nobody waits for ever, and nothing is ordered twice."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import httpx
import psutil
import psycopg
import pytest

from regions.postgres.connection import NoAnswer
from tests.shopper import ADDRESS, Shopper, new_email
from tests.stack import Stack, wait_until

TOTE = ("dockside-tote", "DKTOTE-OAT-DAY")
LIMIT = 25
"""Seconds. A request that takes longer fails the test: httpx raises ReadTimeout."""


def press(shopper: Shopper, fields: dict[str, str]) -> httpx.Response:
    return shopper.client.post("/checkout/", data=fields)


def orders_of(stack: Stack, email: str) -> int:
    with stack.writer() as connection:
        row = connection.execute(
            "SELECT count(*) FROM orders_order WHERE email = %s", [email]
        ).fetchone()
    assert row is not None
    return int(row[0])


def retry_until_ordered(shopper: Shopper, fields: dict[str, str]) -> None:
    wait_until(lambda: press(shopper, fields).status_code == 303, 60, "the order is confirmed")


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """A process and its children, stopped where they stand."""
    process = psutil.Process(pid)
    family = [process]
    try:
        process.suspend()  # from now on whoever of its children ends is still to be found
        for child in process.children(recursive=True):
            child.suspend()
            family.append(child)
        yield
    finally:
        for each in family:
            with suppress(psutil.NoSuchProcess):
                each.resume()


def test_a_commit_that_no_standby_confirms_is_not_waited_for(own_stack: Stack) -> None:
    standbys = [region for region in own_stack.regions if region != own_stack.roles["postgres"]]
    email = new_email()
    with Shopper(own_stack.front, timeout=LIMIT) as shopper:
        shopper.add(*TOTE)
        _, form = shopper.open_checkout()
        fields = form.fields | ADDRESS | {"email": email}
        for region in standbys:
            own_stack.stop_process("postgres", region)

        refused = press(shopper, fields)
        browsed = shopper.get("/").status_code

        for region in standbys:
            own_stack.start_process("postgres", region)
        retry_until_ordered(shopper, fields)

    assert (refused.status_code, browsed) == (503, 200)
    assert int(refused.headers["Retry-After"]) > 0
    assert orders_of(own_stack, email) == 1


def test_a_frozen_writer_is_not_waited_for(own_stack: Stack) -> None:
    email = new_email()
    with Shopper(own_stack.front, timeout=LIMIT) as shopper:
        shopper.add(*TOTE)
        _, form = shopper.open_checkout()
        fields = form.fields | ADDRESS | {"email": email}

        with frozen(own_stack.pid("postgres", own_stack.roles["postgres"])):
            refused = press(shopper, fields)
        retry_until_ordered(shopper, fields)

    assert refused.status_code == 503
    assert orders_of(own_stack, email) == 1


def test_a_server_that_freezes_under_the_stacks_own_question_is_given_up(
    own_stack: Stack,
) -> None:
    standby = next(each for each in own_stack.regions if each != own_stack.roles["postgres"])
    with own_stack.pg_admin(standby) as server:
        server.answer_limit = 1.0
        with frozen(own_stack.pid("postgres", standby)), pytest.raises(NoAnswer):
            server.execute("SELECT 1")


def test_a_plain_connection_waits_on(own_stack: Stack) -> None:
    """The control: the server's own time-out does not end the wait for a standby."""
    standbys = [region for region in own_stack.regions if region != own_stack.roles["postgres"]]
    for region in standbys:
        own_stack.stop_process("postgres", region)
    waiting = own_stack.writer()
    try:
        waiting.execute("SET statement_timeout = '1s'")
        sent = waiting.pgconn
        sent.send_query(b"CREATE TABLE waits_on (at text)")

        with own_stack.writer() as observer:
            wait_until(
                lambda: (
                    observer.execute(
                        "SELECT now() - query_start > interval '5 s' FROM pg_stat_activity"
                        " WHERE wait_event = 'SyncRep' AND query LIKE 'CREATE TABLE waits_on%'"
                    ).fetchone()
                    == (True,)
                ),
                60,
                "the commit still waits, five time-outs later",
            )
        assert sent.transaction_status == psycopg.pq.TransactionStatus.ACTIVE
    finally:
        waiting.close()
        for region in standbys:
            own_stack.start_process("postgres", region)
