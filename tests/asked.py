"""What this process asked the stores, as the stores saw it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid4

import pytest
from botocore.endpoint import Endpoint
from django.conf import settings

from storage.redis import redis_primary

HOUSEKEEPING: Final = {"AUTH", "CLIENT", "ECHO", "HELLO", "INFO", "MONITOR", "PING", "SELECT"}


@dataclass
class Asked:
    redis: list[str] = field(default_factory=list)
    """Names of commands in the tests' own Redis database, without those of connections."""
    dynamodb: list[str] = field(default_factory=list)
    """Names of operations."""

    @property
    def nothing(self) -> bool:
        return not self.redis and not self.dynamodb


@contextmanager
def watched() -> Iterator[Asked]:
    """Read the answer after the block: Redis tells by MONITOR, up to a mark sent at the end."""
    asked = Asked()
    client: Any = redis_primary()  # its `monitor` is untyped
    mark = uuid4().hex
    with client.monitor() as monitor, pytest.MonkeyPatch.context() as patch:
        send = Endpoint.make_request

        def spy(endpoint: Endpoint, operation_model: Any, request_dict: Any) -> Any:
            if operation_model.service_model.service_name == "dynamodb":
                asked.dynamodb.append(operation_model.name)
            return send(endpoint, operation_model, request_dict)

        patch.setattr(Endpoint, "make_request", spy)
        yield asked
        client.echo(mark)
        for seen in monitor.listen():
            if mark in seen["command"]:
                break
            name = seen["command"].split(" ", 1)[0].upper()
            ours = int(seen["db"]) == settings.REDIS_DB and seen["client_type"] != "lua"
            if ours and name not in HOUSEKEEPING:
                asked.redis.append(name)
