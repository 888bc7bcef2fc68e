"""Walks journeys, each in a process that kills itself after its n-th step, or meets others.

A step is a statement or COMMIT sent to PostgreSQL, a command to Redis, a request sent to Stripe,
its reply, or a mail handed over. It is started as `python -m tests.concurrency.killed`, reads lists
of errands, as JSON, a list a line, forks for each errand, and writes what became of the forks.
They share nothing but `careless.together`: this process hangs up before it forks.
"""

import gc
import json
import os
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import Barrier
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import urlsplit

import django
from urllib3.connection import HTTPConnection

from regions.embedded.plan import REPOSITORY
from tests.concurrency import careless

LONGEST_LABEL: Final = 60

type Report = dict[str, Any]
type Step = Callable[[str], None]


@dataclass
class Killer:
    """The test's end of that process."""

    process: subprocess.Popen[str]

    @classmethod
    @contextmanager
    def started(cls, database: str, mailbox: Path, stores: dict[str, str]) -> Iterator[Self]:
        """`stores` are the variables that make it a process of its region."""
        pipe = subprocess.PIPE
        with subprocess.Popen(
            [sys.executable, "-m", "tests.concurrency.killed", str(mailbox)],
            cwd=REPOSITORY,
            env=os.environ | stores | {"DATABASE_NAME": database},
            stdin=pipe,
            stdout=pipe,
            text=True,
        ) as process:
            yield cls(process)
            assert process.stdin
            process.stdin.close()  # it ends by itself

    def walk(self, **errand: Any) -> Report:
        """`journey` holds Journey's arguments, `acts` are names of its methods.

        `at` is the step after which the fork dies, counted in those acts that are `counted`; 0 lets
        it live. None lets the process itself walk: its forks then find everything imported,
        compiled and cached. `careless` names the guard of tests/concurrency/careless.py to bypass.
        """
        (report,) = self.walk_at_once(errand)
        return report

    def walk_at_once(self, *errands: dict[str, Any]) -> list[Report]:
        """Each in a process of its own."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps(errands) + "\n")
        self.process.stdin.flush()
        reports: list[Report] = json.loads(self.process.stdout.readline())
        for report in reports:
            assert not report["error"], report["error"]
        return reports


def main() -> None:
    django.setup()
    _prepare()
    from tests.concurrency.journey import hang_up  # noqa: PLC0415 (after the set-up)

    for line in sys.stdin:
        errands = json.loads(line)
        if errands[0]["at"] is None:
            reports: list[Report] = []
            _walk(errands[0], reports.append)
            reports = [reports[-1] | {"signal": 0}]
        else:
            hang_up()
            gc.freeze()  # or the collector of each fork would copy it
            careless.together = Barrier(len(errands))  # the forks share it
            forks = [_fork(errand) for errand in errands]
            reports = [_wait(*fork) for fork in forks]
        print(json.dumps(reports), flush=True)


def _prepare() -> None:
    from django.conf import settings  # noqa: PLC0415 (after the set-up)
    from django.db import connections  # noqa: PLC0415 (after the set-up)

    from orders import outbox  # noqa: PLC0415 (after the set-up)

    settings.ALLOWED_HOSTS = [*settings.ALLOWED_HOSTS, "testserver"]
    settings.MAILERS["default"]["OPTIONS"]["file_path"] = sys.argv[1]  # type: ignore[index]  # its values are objects
    # No threads: they would not be in the forks.
    for connection in connections.all():
        connection.settings_dict["OPTIONS"]["pool"] = False
    replace: Callable[[Any, str, Any], None] = setattr
    replace(outbox, "nudge_relay", lambda: None)


def _fork(errand: dict[str, Any]) -> tuple[int, int]:
    """Its number, and where it tells."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        try:
            _walk(errand, lambda report: os.write(writer, json.dumps(report).encode() + b"\n"))
        finally:
            os._exit(0)
    os.close(writer)
    return child, reader


def _wait(child: int, reader: int) -> Report:
    """What the fork told last, and the signal that ended it, or 0."""
    with os.fdopen(reader) as pipe:
        report: Report = json.loads(pipe.read().splitlines()[-1])
    _, status = os.waitpid(child, 0)
    return report | {"signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0}


def _walk(errand: dict[str, Any], report: Callable[[Report], object]) -> None:
    from tests.concurrency.journey import Journey  # noqa: PLC0415 (after the set-up)

    journey = Journey(**errand["journey"])
    steps: list[str] = []
    place, act = 0, ""

    def tell(error: str = "") -> None:
        """`place` is that of the act among `acts`; `known` is what a client would know now."""
        known = {"number": journey.number, "cookies": journey.cookies}
        told = {"steps": steps, "place": place, "known": known, "answer": journey.answer}
        told |= {"where": journey.where}
        report(told | {"error": error})

    def step(label: str) -> None:
        if act not in errand["counted"] or threading.current_thread() != threading.main_thread():
            return
        steps.append(f"{act}: {' '.join(label.split())[:LONGEST_LABEL]}")
        if len(steps) == errand["at"]:
            tell()
            os.kill(os.getpid(), signal.SIGKILL)

    try:
        if errand["at"] is not None:
            _watch(step)
            if errand["careless"]:
                getattr(careless, errand["careless"])(setattr)
        for place, act in enumerate(errand["acts"]):  # noqa: B007 (told)
            getattr(journey, act)()
        tell()
    except Exception:
        tell(f"in {act}: {traceback.format_exc()}")


def _watch(step: Step) -> None:
    from django.conf import settings  # noqa: PLC0415 (after the set-up)
    from django.db.backends.base.base import BaseDatabaseWrapper  # noqa: PLC0415 (after the set-up)
    from django.db.backends.utils import CursorWrapper  # noqa: PLC0415 (after the set-up)

    from shop.mailbox import FileBackend  # noqa: PLC0415 (after the set-up)
    from storage.redis import GuardedPipeline, GuardedRedis  # noqa: PLC0415 (after the set-up)

    for owner, name, label in (
        (CursorWrapper, "execute", ""),
        (CursorWrapper, "executemany", ""),
        (BaseDatabaseWrapper, "_commit", "COMMIT"),
        (GuardedRedis, "execute_command", "redis"),
        (GuardedPipeline, "execute", "redis pipeline"),
        (FileBackend, "send_messages", "mail"),
    ):
        _after(owner, name, label, step)
    _around_replies(urlsplit(settings.STRIPE_API_BASE).port, step)


def _after(owner: type, name: str, label: str, step: Step) -> None:
    real = getattr(owner, name)

    def watched(self: Any, *given: Any, **options: Any) -> Any:
        result = real(self, *given, **options)
        step(label or str(given[0]))
        return result

    setattr(owner, name, watched)


def _around_replies(port: int | None, step: Step) -> None:
    """Once the request is out, which Stripe may not have begun by then, and once it is answered."""
    real: Any = HTTPConnection.getresponse

    def watched(self: Any) -> Any:
        if self.port != port:  # another's, such as DynamoDB
            return real(self)
        asked = f"{self._response_options.request_method} {self._response_options.request_url}"
        step(f"sent {asked}")
        reply = real(self)
        step(f"answered {asked}")
        return reply

    replace: Callable[[Any, str, Any], None] = setattr
    replace(HTTPConnection, "getresponse", watched)


if __name__ == "__main__":
    main()
