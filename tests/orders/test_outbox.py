"""Effects outside the database: written with what they follow from, done after it."""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier, Event, Lock
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.test import Client
from prometheus_client import REGISTRY

from orders import outbox
from orders.models import OutboxMessage
from orders.outbox import TRIES, Undeliverable, delete_done, enqueue, pause, relay, send_again
from orders.tasks import relay_now, relay_outbox
from tests.orders.outcomes import Outcomes
from tests.staff import boss, clerk, client_of

pytestmark = pytest.mark.django_db
WAIT = 30  # seconds until a test that hangs fails; none takes so long

type Effect = Callable[[OutboxMessage], None]


@pytest.fixture
def handle(monkeypatch: pytest.MonkeyPatch) -> Callable[[Effect], None]:
    """Make a function the handler of the messages that `write` writes."""
    return lambda effect: monkeypatch.setitem(outbox._handlers, "note", effect)


@pytest.fixture
def done(handle: Callable[[Effect], None]) -> list[str]:
    """Keys of messages in the order in which they were done. One with a payload fails."""
    keys: list[str] = []

    def effect(message: OutboxMessage) -> None:
        if message.payload:
            raise ConnectionError("no mail server")
        keys.append(message.key)

    handle(effect)
    return keys


@transaction.atomic
def write(*keys: str, **payload: Any) -> None:
    """A message for each key; its first letter is its stream."""
    for key in keys:
        enqueue(stream=key[0], kind="note", key=key, payload=payload)


def due_now() -> None:
    OutboxMessage.objects.update(next_try_at=Now())


def failing(key: str) -> OutboxMessage:
    write(key, fails=True)
    return OutboxMessage.objects.get(key=key)


def in_threads(*work: Callable[[], Any]) -> list[Any]:
    def run(each: Callable[[], Any]) -> Any:
        try:
            return each()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(work)) as pool:
        return list(pool.map(run, work))


# --- written with what it follows from ----------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_an_effect_shares_the_fate_of_its_transaction() -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        enqueue(stream="a", kind="note", key="a1", payload={})
        raise ZeroDivisionError
    with pytest.raises(transaction.TransactionManagementError):
        enqueue(stream="a", kind="note", key="a2", payload={})

    assert not OutboxMessage.objects.exists()


def test_the_same_key_twice_is_one_effect(done: list[str]) -> None:
    write("a1", "a1")
    write("a1")

    assert relay() == 1
    write("a1")  # done, and still known
    assert relay() == 0
    assert done == ["a1"]


# --- done in order, at least once ---------------------------------------------------------------


def test_a_stream_waits_for_its_first_and_others_do_not(done: list[str]) -> None:
    first = failing("a1")
    write("a2", "b1", "b2", "c1")

    assert relay() == 3
    assert done == ["b1", "b2", "c1"]
    assert relay() == 0  # not before its pause is over

    OutboxMessage.objects.filter(pk=first.pk).update(payload={}, next_try_at=Now())
    assert relay() == 2
    assert done[3:] == ["a1", "a2"]


def test_control_a_relay_that_knows_no_streams_overtakes(
    done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "Exists", lambda earlier: Q(pk=None))
    failing("a1")
    write("a2")

    assert relay() == 1
    assert done == ["a2"]


def test_a_batch_is_bounded(done: list[str]) -> None:
    write("a1", "a2", "b1")

    assert [relay(2), relay(2), relay(2)] == [2, 1, 0]


def test_tries_come_at_ever_longer_intervals(done: list[str]) -> None:
    message = failing("a1")

    relay()

    message.refresh_from_db()
    assert (message.attempts, message.dead_at) == (1, None)
    assert message.error == "ConnectionError: no mail server"
    assert message.next_try_at - message.created_at >= pause(1)
    seconds = [pause(tries).total_seconds() for tries in (1, 2, 3, 10, 11, TRIES, 5000)]
    assert seconds == [10, 20, 40, 5120, 7200, 7200, 7200]
    assert sum((pause(tries) for tries in range(1, TRIES)), timedelta()) > timedelta(hours=20)


@pytest.mark.django_db(transaction=True)
def test_two_relays_at_once_do_each_message_once(handle: Callable[[Effect], None]) -> None:
    assert done_by_two_relays(handle) == ["a1", "a2", "b1", "b2"]


@pytest.mark.django_db(transaction=True)
def test_control_two_relays_without_locks_do_a_message_twice(
    handle: Callable[[Effect], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "_claim", lambda: outbox.waiting().order_by("pk").first())
    monkeypatch.setattr(outbox, "_lock", lambda message: True)

    assert done_by_two_relays(handle).count("a1") == 2


def done_by_two_relays(handle: Callable[[Effect], None]) -> list[str]:
    """Both are at work on a message before either may end its first."""
    both, lock, first = Barrier(2, timeout=WAIT), Lock(), {"a1", "b1"}
    keys: list[str] = []

    def effect(message: OutboxMessage) -> None:
        with lock:
            keys.append(message.key)
        if message.key in first:
            both.wait()

    handle(effect)
    write("a1", "a2", "b1", "b2")
    in_threads(relay, relay)
    for stream in "ab":
        mine = [key for key in keys if key[0] == stream]
        assert mine == sorted(mine)
    return sorted(keys)


@pytest.mark.django_db(transaction=True)
def test_a_message_that_takes_long_is_not_taken_up_by_another(
    handle: Callable[[Effect], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    at_work, may_end = Event(), Event()
    keys: list[str] = []

    def effect(message: OutboxMessage) -> None:
        keys.append(message.key)
        at_work.set()
        assert may_end.wait(WAIT)

    handle(effect)
    monkeypatch.setattr(outbox, "FIRST_PAUSE", timedelta())  # due again at once
    write("a1", "a2")

    def meanwhile() -> int:
        assert at_work.wait(WAIT)
        try:
            return relay()
        finally:
            may_end.set()

    assert in_threads(relay, meanwhile) == [2, 0]
    assert keys == ["a1", "a2"]


def test_a_try_that_was_overtaken_does_nothing(done: list[str]) -> None:
    """A relay that froze between its claim and its lock, and thaws after another was there."""
    write("a1")
    claimed = outbox._claim()
    assert claimed
    due_now()

    assert relay() == 1
    assert not outbox._deliver(claimed)
    assert done == ["a1"]


def test_a_relay_ends_when_nothing_goes_through(
    done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mail server is away: a worker has other things to do than to wait for time-outs."""
    monkeypatch.setattr(outbox, "_failed_at", -outbox.REST)
    for stream in "abcdefg":
        failing(f"{stream}1")

    def tries() -> int:
        return sum(OutboxMessage.objects.values_list("attempts", flat=True))

    relay()
    assert tries() == 5
    relay_now()  # a nudge: not so soon
    assert tries() == 5
    relay()  # the minute's job
    assert tries() == 7
    write("h1")
    monkeypatch.setattr(outbox, "_failed_at", -outbox.REST)  # its time is over
    relay_now()
    assert done == ["h1"]


# --- given up, and sent again -------------------------------------------------------------------


def test_a_message_is_given_up_in_the_end_and_its_stream_goes_on(
    done: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    message = failing("a1")
    write("a2")
    before = REGISTRY.get_sample_value("orders_outbox_total", {"outcome": "dead"}) or 0

    for _ in range(TRIES):
        assert done == []
        with caplog.at_level(logging.WARNING, "orders.outbox"):
            relay()
        due_now()

    message.refresh_from_db()
    assert (message.attempts, message.dead_at is None) == (TRIES, False)
    assert done == ["a2"]
    assert [record.levelname for record in caplog.records] == ["WARNING"] * (TRIES - 1) + ["ERROR"]
    assert "a1 given up after try 20: ConnectionError: no mail server" in caplog.text
    assert gauges() == (0, 0, 1)
    assert REGISTRY.get_sample_value("orders_outbox_total", {"outcome": "dead"}) == before + 1


def test_what_another_try_would_not_help_is_given_up_at_once(
    handle: Callable[[Effect], None],
) -> None:
    def effect(message: OutboxMessage) -> None:
        raise Undeliverable("nobody lives there")

    handle(effect)
    write("a1")
    relay()

    message = OutboxMessage.objects.get()
    assert (message.attempts, message.error) == (1, "Undeliverable: nobody lives there")
    assert message.dead_at


def test_a_message_that_kills_its_relays_is_given_up(done: list[str]) -> None:
    """Its tries were counted before they were made, though nobody lived to write how they ended."""
    write("a1", "a2")
    for _ in range(TRIES):
        assert outbox._claim()
        due_now()

    assert relay() == 1
    assert done == ["a2"]
    assert OutboxMessage.objects.get(key="a1").dead_at


def test_the_gauges_count_what_waits(done: list[str]) -> None:
    write("a1", "b1")
    OutboxMessage.objects.filter(key="a1").update(created_at=Now() - timedelta(minutes=5))

    waiting, oldest, dead = gauges()
    assert (waiting, dead) == (2, 0)
    assert oldest is not None
    assert 300 <= oldest < 300 + WAIT
    relay()
    assert gauges() == (0, 0, 0)


def gauges() -> tuple[float | None, ...]:
    names = ("waiting", "oldest_seconds", "dead")
    return tuple(REGISTRY.get_sample_value(f"orders_outbox_{name}") for name in names)


def make_dead(key: str) -> OutboxMessage:
    write(key)
    OutboxMessage.objects.filter(key=key).update(dead_at=Now(), attempts=TRIES)
    return OutboxMessage.objects.get(key=key)


def test_what_was_given_up_is_sent_again_once(done: list[str]) -> None:
    dead = make_dead("a1")
    chosen = OutboxMessage.objects.filter(pk=dead.pk)

    assert [send_again(chosen), send_again(chosen)] == [1, 0]
    assert relay() == 1
    assert send_again(chosen) == 0  # done
    assert done == ["a1"]


LIST = "/admin/orders/outboxmessage/"


def press_send_again(client: Client, *messages: OutboxMessage) -> Any:
    chosen = [str(message.pk) for message in messages]
    answer = client.post(LIST, {"action": "send_again", "_selected_action": chosen}, follow=True)
    return [str(message) for message in answer.context["messages"]] if answer.context else []


def test_staff_send_again_what_was_given_up(done: list[str]) -> None:
    dead, client = make_dead("a1"), client_of(boss())
    write("b1")
    relay()
    other = OutboxMessage.objects.get(key="b1")

    counts = Outcomes()
    assert press_send_again(client, dead, other) == ["1 is sent again."]
    assert press_send_again(client, dead, other) == ["Nothing of these is given up."]
    assert counts.since() == {"done": 1, "replayed": 1}
    relay()
    assert done == ["b1", "a1"]


def test_who_may_only_look_cannot_send_again() -> None:
    dead, client = make_dead("a1"), client_of(clerk("view_outboxmessage"))

    assert client.get(LIST).status_code == 200
    press_send_again(client, dead)

    dead.refresh_from_db()
    assert dead.dead_at
    assert client_of(clerk("view_order")).get(LIST).status_code == 403


@pytest.mark.parametrize(("state", "shown"), [("waiting", "c1"), ("dead", "a1"), ("done", "b1")])
def test_the_list_is_filtered_by_state(done: list[str], state: str, shown: str) -> None:
    make_dead("a1")
    write("b1")
    relay()
    write("c1")

    response = client_of(boss()).get(LIST, {"state": state})

    assert [message.key for message in response.context["cl"].result_list] == [shown]


def test_done_messages_are_deleted_after_a_month(done: list[str]) -> None:
    dead = make_dead("a1")
    write("b1", "c1")
    relay()
    write("d1")
    OutboxMessage.objects.update(created_at=Now() - timedelta(days=400))
    OutboxMessage.objects.filter(key="b1").update(done_at=Now() - timedelta(days=31))

    assert [delete_done(), delete_done()] == [1, 0]
    assert {message.key for message in OutboxMessage.objects.all()} == {dead.key, "c1", "d1"}


# --- the job -----------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_the_job_does_what_no_nudge_did(done: list[str]) -> None:
    write("a1")

    slot = {"job": "relay-outbox", "slot": "2026-11-23T05:00:00Z", "attempt": 1}
    relay_outbox.apply(kwargs=slot, throw=True)

    assert done == ["a1"]
