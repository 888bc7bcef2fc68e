"""The circuit breaker by itself: who is refused, who probes, and what many threads see."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event, Lock

import pytest
from redis.exceptions import ConnectionError, MaxConnectionsError, ResponseError, TimeoutError

from storage import breaker
from storage.breaker import FAILURES, Circuit, CircuitOpen
from tests.stack import wait_until


class Store:
    """Counts who asks it, and how many ask at once."""

    def __init__(self) -> None:
        self.alive = True
        self.asked = self.probed = self.at_once = self._now = 0
        self.answer = Event()
        self.answer.set()
        self._lock = Lock()

    def command(self) -> str:
        self.asked += 1
        if not self.alive:
            raise ConnectionError("gone")
        return "answer"

    def probe(self) -> None:
        with self._lock:
            self.probed += 1
            self._now += 1
            self.at_once = max(self.at_once, self._now)
        self.answer.wait(30)
        with self._lock:
            self._now -= 1
        self.command()


@pytest.fixture
def store() -> Iterator[Store]:
    store = Store()
    yield store
    store.answer.set()


@pytest.fixture
def circuit(store: Store, monkeypatch: pytest.MonkeyPatch) -> Circuit:
    monkeypatch.setattr(breaker, "PAUSE", 0.0)
    return Circuit("test", store.probe)


def fail(circuit: Circuit, error: Exception, times: int = FAILURES) -> None:
    def command() -> None:
        raise error

    for _ in range(times):
        with pytest.raises(type(error)):
            circuit.call(command)


def refused(circuit: Circuit, store: Store) -> bool:
    try:
        circuit.call(store.command)
    except CircuitOpen:
        return True
    return False


@pytest.mark.parametrize("error", [ConnectionError("x"), TimeoutError("x")])
def test_failures_in_a_row_open_it_and_then_the_store_is_not_asked(
    circuit: Circuit, store: Store, error: Exception
) -> None:
    store.answer.clear()

    fail(circuit, error, FAILURES - 1)
    before = circuit.is_open
    fail(circuit, error, 1)

    assert (before, circuit.is_open) == (False, True)
    assert refused(circuit, store)
    assert store.asked == 0


def test_an_answer_in_between_starts_the_count_again(circuit: Circuit, store: Store) -> None:
    for _ in range(3):
        fail(circuit, ConnectionError("x"), FAILURES - 1)
        assert circuit.call(store.command) == "answer"

    assert not circuit.is_open


@pytest.mark.parametrize(
    "error", [ResponseError("WRONGTYPE"), ValueError(), MaxConnectionsError("ours")]
)
def test_what_is_not_the_stores_fault_does_not_count(circuit: Circuit, error: Exception) -> None:
    fail(circuit, error, FAILURES * 3)

    assert not circuit.is_open


def test_a_store_that_says_it_cannot_serve_is_believed_at_once(circuit: Circuit) -> None:
    circuit.trip(ResponseError("NOREPLICAS"))

    assert (circuit.is_open, circuit.openings) == (True, 1)


def test_one_probe_at_a_time_however_many_ask_and_nobody_waits_for_it(
    circuit: Circuit, store: Store
) -> None:
    circuit.trip(ResponseError("NOREPLICAS"))
    store.answer.clear()  # the probe hangs, as it does with a frozen Redis

    def ask_often() -> int:
        return sum(refused(circuit, store) for _ in range(500))

    with ThreadPoolExecutor(8) as threads:
        answers = [future.result(30) for future in [threads.submit(ask_often) for _ in range(8)]]

    assert answers == [500] * 8  # they all came back while the probe still hung
    assert (store.probed, store.asked) == (1, 0)


def test_probes_go_on_one_at_a_time_until_the_store_answers(circuit: Circuit, store: Store) -> None:
    store.alive = False
    circuit.trip(ResponseError("NOREPLICAS"))

    wait_until(lambda: refused(circuit, store) and store.probed >= 20, 30, "no 20 probes")
    store.alive = True
    wait_until(lambda: not refused(circuit, store), 30, "it never closed")

    assert store.at_once == 1
    assert not circuit.is_open


def test_probes_keep_their_distance(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breaker, "PAUSE", 3600.0)
    circuit = Circuit("test", store.probe)
    circuit.trip(ResponseError("NOREPLICAS"))

    assert all(refused(circuit, store) for _ in range(1000))
    assert store.probed == 0


def test_calls_do_not_wait_for_each_other(circuit: Circuit) -> None:
    """Eight commands that each end only when all eight have begun."""
    together = Barrier(8, timeout=30)

    with ThreadPoolExecutor(8) as threads:
        futures = [threads.submit(circuit.call, together.wait) for _ in range(8)]
        answers = {future.result() for future in futures}

    assert answers == set(range(8))


def test_a_call_from_before_the_outage_says_nothing_about_after_it(
    circuit: Circuit, store: Store
) -> None:
    begun, end = Barrier(FAILURES + 1, timeout=30), Event()

    def slow() -> None:
        begun.wait()
        end.wait(30)
        raise TimeoutError("asked before")

    with ThreadPoolExecutor(FAILURES) as threads:
        futures = [threads.submit(circuit.call, slow) for _ in range(FAILURES)]
        begun.wait()
        circuit.trip(ResponseError("LOADING"))
        wait_until(lambda: not refused(circuit, store), 30, "it never closed")
        end.set()
        for future in futures:
            with pytest.raises(TimeoutError):
                future.result()

    assert not circuit.is_open
