"""What this process asked the stores, on behalf of requests and sockets."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
from botocore.endpoint import Endpoint
from redis.asyncio.connection import AbstractConnection as AsyncConnection
from redis.connection import AbstractConnection as Connection

HOUSEKEEPING: Final = {"AUTH", "CLIENT", "HELLO", "PING", "ROLE", "SELECT", "SENTINEL"}
BESIDE: Final = ("sessions-pulse", "probe-", "nudger")
"""How threads are named that ask for themselves, whatever is requested."""


@dataclass
class Asked:
    redis: list[str] = field(default_factory=list)
    """Names of commands, without those that only concern a connection."""
    dynamodb: list[str] = field(default_factory=list)
    """Names of operations."""
    by: list[str] = field(default_factory=list)
    """The threads that asked, for whoever finds more than there should be."""

    @property
    def nothing(self) -> bool:
        return not self.redis and not self.dynamodb


@contextmanager
def watched() -> Iterator[Asked]:
    """Listens where commands leave the process; they are sent all the same."""
    asked = Asked()
    with pytest.MonkeyPatch.context() as patch:
        for connection in (Connection, AsyncConnection):
            _listen_to_redis(connection, asked, patch)
        _listen_to_dynamodb(asked, patch)
        yield asked


def _listen_to_redis(connection: Any, asked: Asked, patch: pytest.MonkeyPatch) -> None:
    send = connection.send_packed_command

    def listen(self: Any, command: Any, *args: Any, **kwargs: Any) -> Any:
        packed = command if isinstance(command, bytes) else b"".join(command)
        # `*2\r\n$3\r\nGET\r\n…`; of a pipeline this is the first.
        name = packed.split(b"\r\n", 3)[2].decode().upper()
        if name not in HOUSEKEEPING and _for_somebody():
            asked.redis.append(name)
            asked.by.append(threading.current_thread().name)
        return send(self, command, *args, **kwargs)

    patch.setattr(connection, "send_packed_command", listen)


def _listen_to_dynamodb(asked: Asked, patch: pytest.MonkeyPatch) -> None:
    send = Endpoint.make_request

    def listen(self: Endpoint, operation_model: Any, request_dict: Any) -> Any:
        if operation_model.service_model.service_name == "dynamodb" and _for_somebody():
            asked.dynamodb.append(operation_model.name)
            asked.by.append(threading.current_thread().name)
        return send(self, operation_model, request_dict)

    patch.setattr(Endpoint, "make_request", listen)


def _for_somebody() -> bool:
    name = threading.current_thread().name
    return not name.startswith(BESIDE) and not name.endswith("-gate")
