"""Takes the stores away from this process: every client is pointed where nobody listens."""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from django.core.cache import caches
from django.test import override_settings

from sessions_ext import health
from sessions_ext.health import Gate
from settings.env import HostPort
from storage.clients import dynamodb
from storage.redis import redis_local, redis_primary
from tests.stack import wait_until


@contextmanager
def redis_gone() -> Iterator[None]:
    with _nobody() as port:
        nobody = HostPort("127.0.0.1", port)
        with override_settings(REDIS_SENTINELS=[nobody], REDIS_URL="", REDIS_LOCAL_URL=""):
            yield


@contextmanager
def dynamodb_gone() -> Iterator[None]:
    with (
        _nobody() as port,
        override_settings(DYNAMODB_ENDPOINT_URL=f"http://127.0.0.1:{port}"),
    ):
        yield


def forget_clients() -> None:
    """Whoever changed an address calls this, before and after."""
    for client in (redis_primary, redis_local, dynamodb):
        client.cache_clear()
    assert caches["default"]  # a thread that never asked has none to forget
    del caches["default"]
    health.reset()


def wait_for_gates() -> None:
    """Until no thread tries a store any more; those that are there answer soon."""
    wait_until(
        lambda: not any(thread.name.endswith("-gate") for thread in threading.enumerate()),
        120,
        "no thread tries a store",
    )


@contextmanager
def _nobody() -> Iterator[int]:
    """A port that is taken and not listened at.

    No thread tries the store meanwhile: it would go on after the test, and open a gate, or keep a
    client of this port, whenever it is next scheduled.
    """
    wait_for_gates()
    with closing(socket.socket()) as reserved, pytest.MonkeyPatch.context() as patch:
        patch.setattr(Gate, "_try_in_background", lambda gate: None)
        reserved.bind(("127.0.0.1", 0))
        yield reserved.getsockname()[1]
