"""A region that reaches no other takes itself out; one whose peers died does not."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from django.test import Client, override_settings

from regions import peers
from regions.peers import Peers, reaches
from storage import drain
from tests.stack import wait_until

type Address = tuple[str, int]


@pytest.fixture
def silent() -> Iterator[Address]:
    """An address whose connections get no answer: its queue is full, so Linux drops what comes."""
    with ExitStack() as opened:
        listener = opened.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()

        def full() -> bool:
            waiting = opened.enter_context(socket.socket())
            waiting.settimeout(0.2)
            try:
                waiting.connect(address)
            except TimeoutError:
                return True
            return False

        wait_until(full, 10, "the queue is full")
        yield address


@pytest.fixture
def alive() -> Iterator[Address]:
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        yield listener.getsockname()


@pytest.fixture
def dead() -> Address:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address: Address = listener.getsockname()
    return address


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "TIMEOUT", 0.1)
    monkeypatch.setattr(peers, "CUT_AFTER", 10.0)


def test_an_answer_is_an_acceptance_or_a_refusal(
    silent: Address, alive: Address, dead: Address
) -> None:
    assert [reaches(address) for address in (silent, alive, dead)] == [False, True, True]


def test_a_region_that_hears_nobody_is_not_ready_until_it_hears_somebody(
    silent: Address, alive: Address, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = Peers([silent, silent])
    monkeypatch.setattr(peers, "_peers", [seen])
    assert not seen.look()  # one look is none
    assert client.get("/health/ready").status_code == 200

    wait_until(seen.look, 90, "it knows that it is cut off")
    answer = client.get("/health/ready")
    seen.addresses = [silent, alive]
    seen.look()

    assert answer.status_code == 503
    assert answer.json() == {
        "status": "not ready",
        "region": "taiwan",
        "reason": "cut off: no other region can be reached from here",
    }
    assert client.get("/health/ready").status_code == 200


def test_a_region_whose_peers_died_keeps_serving(dead: Address) -> None:
    seen = Peers([dead, dead])
    seen.answered_at -= 60

    assert not seen.look()


@pytest.mark.parametrize("urls", [{}, {"taiwan": "http://a:1", "tokyo": "http://b:1"}])
def test_with_fewer_than_two_peers_nobody_looks(urls: dict[str, str]) -> None:
    with override_settings(ANYPORT_REGION_URLS=urls):
        peers.start()

    assert peers._peers == []


def test_a_drained_region_is_not_ready_but_lives(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(drain.follower, "drained", True)

    ready, live = client.get("/health/ready"), client.get("/health/live")

    assert (ready.status_code, ready.json()["reason"]) == (503, "drained by an operator")
    assert live.status_code == 200
    assert caplog.records == []  # a front door asks once a second
