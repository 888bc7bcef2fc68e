"""Serves one request at a time in a process that kills itself after its n-th step.

A step is a statement or COMMIT sent to PostgreSQL, or a command to Redis. It is started as
`python -m tests.concurrency.killed`, reads a JSON object a line, forks for each, and writes what
became of the fork. The forks share nothing: until then this process has not connected anywhere.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import django

from tests.concurrency.careless import bypass_guard


def main() -> None:
    django.setup()
    from django.test.utils import setup_test_environment  # noqa: PLC0415 (after the set-up)

    import settings.urls  # noqa: F401, PLC0415 (so that no fork has to)

    setup_test_environment()
    for line in sys.stdin:
        print(json.dumps(_fork(json.loads(line))), flush=True)


def _fork(order: dict[str, Any]) -> dict[str, Any]:
    """`killed_after` names the last step of a killed fork; else `status` is that of its answer."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _serve(order, lambda report: os.write(writer, json.dumps(report).encode() + b"\n"))
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        report: dict[str, Any] = json.loads(pipe.read().splitlines()[-1])
    _, status = os.waitpid(child, 0)
    return report | {"signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0}


def _serve(order: dict[str, Any], report: Callable[[dict[str, Any]], object]) -> None:
    from django.test import Client  # noqa: PLC0415 (after the set-up)

    if order["careless"]:
        bypass_guard(setattr)
    steps = 0

    def step(label: str) -> None:
        nonlocal steps
        steps += 1
        if steps == order["at"]:
            report({"killed_after": label})
            os.kill(os.getpid(), signal.SIGKILL)

    _watch(step)
    client = Client(raise_request_exception=False)
    client.cookies.load(order["cookies"])
    headers = {"Idempotency-Key": order["key"]}
    response = client.post(
        "/api/orders", order["body"], content_type="application/json", headers=headers
    )
    report({"status": response.status_code})


def _watch(step: Callable[[str], None]) -> None:
    from django.db.backends.base.base import BaseDatabaseWrapper  # noqa: PLC0415 (after the set-up)
    from django.db.backends.utils import CursorWrapper  # noqa: PLC0415 (after the set-up)

    from storage.redis import GuardedPipeline, GuardedRedis  # noqa: PLC0415 (after the set-up)

    for owner, name, label in (
        (CursorWrapper, "execute", ""),
        (CursorWrapper, "executemany", ""),
        (BaseDatabaseWrapper, "_commit", "COMMIT"),
        (GuardedRedis, "execute_command", "redis"),
        (GuardedPipeline, "execute", "redis pipeline"),
    ):
        _after(owner, name, label, step)


def _after(owner: type, name: str, label: str, step: Callable[[str], None]) -> None:
    real = getattr(owner, name)

    def watched(self: Any, *given: Any, **options: Any) -> Any:
        result = real(self, *given, **options)
        step(label or str(given[0]))
        return result

    setattr(owner, name, watched)


if __name__ == "__main__":
    main()
