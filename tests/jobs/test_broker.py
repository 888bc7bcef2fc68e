"""The broker's connection while its primary is demoted, on real Sentinels."""

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any, Final

import pytest
from django.conf import settings
from kombu import Connection
from kombu.transport.redis import SentinelTransport
from redis.exceptions import ConnectionError, RedisError, ResponseError

from jobs.broker import FollowingTransport
from regions.embedded.plan import REPOSITORY
from tests.stack import wait_until
from tests.storage.test_redis import replica, sentinel, valkey  # noqa: F401 (fixtures)
from tests.valkey import Valkey

WAIT: Final = 120.0
KEY: Final = "unacked"


@contextmanager
def channel(transport: type[SentinelTransport]) -> Iterator[Any]:
    """Of a broker's connection, as a worker has it."""
    address = settings.REDIS_SENTINELS[0]
    with Connection(
        f"sentinel://{address.host}:{address.port}/0",
        transport=transport,
        transport_options={
            "master_name": "own",
            "sentinel_kwargs": {"socket_connect_timeout": 5, "socket_timeout": 5},
            "socket_timeout": WAIT,
        },
    ) as connection:
        yield connection.channel()


def promote(primary: Valkey, standby: Valkey, by: Valkey) -> None:
    """An orderly change of roles; the former primary lives on as a replica."""
    with by.client() as asked, primary.client() as former, standby.client() as next_one:
        wait_until(lambda: _begins(asked), WAIT, "a replica that may be promoted")
        wait_until(lambda: _role(next_one) == b"master", WAIT, "a primary")
        wait_until(lambda: _role(former) == b"slave", WAIT, "a replica")


def _role(client: Any) -> bytes:
    try:
        return bytes(client.execute_command("ROLE")[0])
    except RedisError:  # Sentinel ends the connections of a node whose role it changes
        return b""


def _begins(asked: Any) -> bool:
    """Not before it has heard from the replica lately."""
    try:
        return bool(asked.execute_command("SENTINEL FAILOVER", "own"))
    except ResponseError as error:
        assert str(error).startswith(("NOGOODSLAVE", "INPROG")), error
        return False


def read_while_demoted(
    transport: type[SentinelTransport], primary: Valkey, standby: Valkey
) -> object:
    """What a blocking read, as workers do it, ends with."""
    with channel(transport) as opened, primary.client() as asked:
        pool = opened.client.connection_pool
        blocked = pool.get_connection()
        blocked.send_command("BRPOP", "queue", 0)
        wait_until(lambda: asked.info("clients")["blocked_clients"] == 1, WAIT, "it blocks")
        asked.replicaof("127.0.0.1", standby.port)
        try:
            return blocked.read_response()
        finally:
            pool.release(blocked)


def test_a_blocking_read_ends_like_a_lost_connection(
    valkey: Valkey,  # noqa: F811  # a fixture of that name
    replica: Valkey,  # noqa: F811  # a fixture of that name
    sentinel: Valkey,  # noqa: F811  # a fixture of that name
) -> None:
    """Workers connect again after that."""
    with pytest.raises(ConnectionError, match="demoted"):
        read_while_demoted(FollowingTransport, valkey, replica)


def test_control_kombus_own_takes_it_for_a_defect(
    valkey: Valkey,  # noqa: F811  # a fixture of that name
    replica: Valkey,  # noqa: F811  # a fixture of that name
    sentinel: Valkey,  # noqa: F811  # a fixture of that name
) -> None:
    with pytest.raises(ResponseError, match="UNBLOCKED"):
        read_while_demoted(SentinelTransport, valkey, replica)


class Gone:
    """A Sentinel that hangs up on everybody, and counts them."""

    def __init__(self) -> None:
        self.knocks = 0
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = int(self._listener.getsockname()[1])
        Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        with suppress(OSError):
            while True:
                caller, _ = self._listener.accept()
                self.knocks += 1
                caller.close()

    def close(self) -> None:
        self._listener.close()


def knocks(sentinel_kwargs: dict[str, Any]) -> int:
    """How often the first of the Sentinels is asked for one connection, while it is gone."""
    other = settings.REDIS_SENTINELS[0]
    with closing(Gone()) as gone:
        addresses = [f"127.0.0.1:{gone.port}", f"{other.host}:{other.port}"]
        with Connection(
            ";".join(f"sentinel://{each}/0" for each in addresses),
            transport=FollowingTransport,
            transport_options={
                "master_name": settings.REDIS_MASTER_NAME,
                "sentinel_kwargs": sentinel_kwargs,
            },
        ) as connection:
            channel: Any = connection.channel()
            assert channel.client.ping()
        return gone.knocks


def test_a_sentinel_that_is_gone_costs_a_worker_one_try_each_time() -> None:
    given: Any = settings.CELERY_BROKER_TRANSPORT_OPTIONS["sentinel_kwargs"]

    asked = knocks(given)
    control = knocks({name: value for name, value in given.items() if name != "retry"})

    assert 10 * asked <= control  # eleven tries for one


class Restoring:
    """What a worker does with its unfinished messages, while its primary is demoted."""

    def __init__(self, opened: Any, primary: Valkey, standby: Valkey, by: Valkey) -> None:
        self._demote: Callable[[], None] = lambda: promote(primary, standby, by)
        self._client: Any = opened.client
        self.tries = 0
        self.give_up = Event()
        self.thread = Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        self._client.transaction(self._restore, KEY)

    def _restore(self, pipe: Any) -> None:
        self.tries += 1
        if self.tries == 1:
            self._demote()
        if self.give_up.is_set():
            raise InterruptedError
        pipe.multi()
        pipe.hset(KEY, "tag", "given back")


def test_unfinished_messages_are_given_to_the_new_primary(
    valkey: Valkey,  # noqa: F811  # a fixture of that name
    replica: Valkey,  # noqa: F811  # a fixture of that name
    sentinel: Valkey,  # noqa: F811  # a fixture of that name
) -> None:
    with channel(FollowingTransport) as opened:
        restoring = Restoring(opened, valkey, replica, sentinel)
        restoring.thread.start()
        restoring.thread.join(3 * WAIT)

        assert not restoring.thread.is_alive()
        with replica.client() as own:
            assert own.hgetall(KEY) == {b"tag": b"given back"}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_control_kombus_own_tries_the_former_primary_for_ever(
    valkey: Valkey,  # noqa: F811  # a fixture of that name
    replica: Valkey,  # noqa: F811  # a fixture of that name
    sentinel: Valkey,  # noqa: F811  # a fixture of that name
) -> None:
    with channel(SentinelTransport) as opened:
        restoring = Restoring(opened, valkey, replica, sentinel)
        restoring.thread.start()
        try:
            wait_until(lambda: restoring.tries > 100, 3 * WAIT, "it goes round")
            with replica.client() as own:
                assert own.hgetall(KEY) == {}
        finally:
            restoring.give_up.set()
            restoring.thread.join(WAIT)


STUCK: Final = """
import threading
from jobs import broker
broker.LONGEST_END = 3.0
broker.LastResort.close(None, None)
print("ending", flush=True)
threading.Event().wait({seconds})
"""


def test_a_worker_that_does_not_end_is_ended(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", STUCK.format(seconds=WAIT)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=2 * WAIT,
        check=False,
    )

    assert (ended.returncode, ended.stdout) == (70, "ending\n")
