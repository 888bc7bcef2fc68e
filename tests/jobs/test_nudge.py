"""A nudge: whoever gives one never waits for the broker."""

import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from threading import Thread

import pytest
from celery import Celery
from django.test import Client

from jobs import nudge
from orders import outbox
from orders.models import Order, OutboxMessage
from orders.outbox import relay
from shop.models import Variant
from tests.factories import make_product
from tests.orders.test_api import fill_cart, place

pytestmark = pytest.mark.django_db(transaction=True)
WAIT = 30  # seconds until a test that hangs fails; none takes so long


@dataclass
class Broker:
    """Takes connections and says nothing. `app` knows no other."""

    server: socket.socket
    app: Celery

    def was_asked(self) -> socket.socket:
        """The connection of whoever asked, when they have."""
        asked, _ = self.server.accept()
        assert asked.recv(1)
        return asked


@pytest.fixture
def frozen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Broker]:
    """What nudges go to."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(WAIT)
        address = f"redis://127.0.0.1:{server.getsockname()[1]}/0"
        broker = Broker(server, Celery(broker=address, set_as_current=False))
        monkeypatch.setattr(nudge, "app", broker.app)
        monkeypatch.setattr(outbox, "nudge", nudge.Nudger().nudge)
        yield broker


@pytest.fixture
def variant() -> Variant:
    return make_product().variants.get()


def test_an_order_does_not_wait_for_a_broker_that_froze(frozen: Broker, variant: Variant) -> None:
    shopper = Client()
    fill_cart(shopper, variant, 1)

    response = place(shopper)

    # It is answered, and the broker, which was asked, has not said a word.
    assert response.status_code == 201
    with frozen.was_asked():
        order = Order.objects.get()
        assert OutboxMessage.objects.get().key == f"mail:confirmation:{order.number}:"
        assert relay() == 1


def test_control_whoever_asks_a_frozen_broker_waits(frozen: Broker) -> None:
    def ask() -> None:
        with suppress(Exception):  # once the test is over
            frozen.app.send_task("a.task", retry=False)

    asking = Thread(target=ask, daemon=True)
    asking.start()

    with frozen.was_asked():
        assert asking.is_alive()
