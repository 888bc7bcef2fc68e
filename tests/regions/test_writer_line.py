"""While the writer is missing, few threads of a process wait for it, and the others serve."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack

import pytest
from django.db import OperationalError
from psycopg_pool import PoolTimeout

from regions.postgres import writer
from regions.postgres.writer import PLACES, Line
from tests.stack import wait_until

THREADS = 6


class Taps:
    """Where connections come from: nothing until it is opened."""

    def __init__(self) -> None:
        self._open = threading.Event()
        self.asked = 0

    def take(self) -> str:
        self.asked += 1
        if self._open.wait(writer.LOOK):
            return "a connection"
        raise PoolTimeout

    def open(self) -> None:
        self._open.set()


def missing() -> Line:
    line = Line()
    line.missing = True
    return line


def stand_in(line: Line, taps: Taps, stack: ExitStack, idle: int = 0) -> list[Future[str]]:
    threads = stack.enter_context(ThreadPoolExecutor(THREADS))
    return [threads.submit(line.wait, taps.take, lambda: idle) for _ in range(THREADS)]


def turned_away(queue: list[Future[str]]) -> list[Future[str]]:
    return [one for one in queue if one.done() and isinstance(one.exception(), OperationalError)]


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """They wait as long as the test does."""
    monkeypatch.setattr(writer, "PATIENCE", 60.0)


def test_all_but_a_few_are_told_at_once_while_it_is_missing() -> None:
    line, taps = missing(), Taps()
    with ExitStack() as stack:
        queue = stand_in(line, taps, stack)
        wait_until(lambda: len(turned_away(queue)) == THREADS - PLACES, 10, "the others are told")
        assert taps.asked >= PLACES

        taps.open()
        wait(queue)

    assert sum(one.exception() is None for one in queue) == PLACES
    assert not line.missing  # who got one has found out for everybody


def test_those_who_wait_already_are_told_when_it_turns_out_to_be_missing() -> None:
    line, taps = Line(), Taps()
    with ExitStack() as stack:
        queue = stand_in(line, taps, stack)
        wait_until(lambda: taps.asked >= THREADS, 10, "all of them wait")
        assert not turned_away(queue)

        line.missing = True
        wait_until(lambda: len(turned_away(queue)) == THREADS - PLACES, 10, "the others are told")
        taps.open()


def test_control_with_a_place_for_each_they_all_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "PLACES", THREADS)
    line, taps = missing(), Taps()
    with ExitStack() as stack:
        queue = stand_in(line, taps, stack)
        wait_until(lambda: taps.asked >= 3 * THREADS, 20, "all of them have waited for a while")
        assert not turned_away(queue)
        taps.open()
        wait(queue)

    assert all(one.exception() is None for one in queue)


def test_nobody_is_turned_away_while_a_connection_is_idle() -> None:
    line, taps = missing(), Taps()
    taps.open()
    with ExitStack() as stack:
        queue = stand_in(line, taps, stack, idle=1)
        wait(queue)

    assert all(one.exception() is None for one in queue)


def test_who_can_do_without_it_does_not_wait() -> None:
    line, taps = missing(), Taps()
    token = writer.dispensable.set(True)
    try:
        with pytest.raises(PoolTimeout):
            line.wait(taps.take, lambda: 0)
    finally:
        writer.dispensable.reset(token)

    assert taps.asked == 1


def test_who_can_do_without_it_tries_a_missing_one_now_and_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(writer, "ASKED_EVERY", 600.0)
    line = missing()
    assert [line.is_worth_asking() for _ in range(3)] == [True, False, False]

    monkeypatch.setattr(writer, "ASKED_EVERY", 0.0)
    line = missing()
    assert [line.is_worth_asking() for _ in range(3)] == [True, True, True]
    assert all(Line().is_worth_asking() for _ in range(3))


def test_a_place_is_given_back() -> None:
    line, taps = missing(), Taps()
    for _ in range(PLACES):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(writer, "PATIENCE", 0.0)
            with pytest.raises(PoolTimeout):
                line.wait(taps.take, lambda: 0)
    taps.open()

    assert line.wait(taps.take, lambda: 0) == "a connection"
