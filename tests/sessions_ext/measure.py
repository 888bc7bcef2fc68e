"""What the session engine costs beside Django's own, on the same Valkey and PostgreSQL, in one run.

`.venv/bin/python -m tests.sessions_ext.measure` boots a stack of one region in a temporary
directory, prints the figures for docs/benchmarks.md, and stops it.

A machine has other work, and its clock changes. So the engines take turns, forwards and backwards,
in blocks that are shorter than a scheduler's slice, and of each engine's blocks the fastest
hundredth counts: what it needs if nobody is in the way, on the clock and of this process on a
processor.
"""

import os
import random
import string
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from tests.stack import Booted

TURNS: Final = 300
BLOCKS: Final = 2
"""In a turn."""
CALLS: Final = 5
"""In a block; of requests twice as many, so that one of them changes something."""
WARM: Final = 3
"""Calls before a turn: settings and caches are as in a process that has served a while."""
SLOW: Final = 9
"""DynamoDB's emulation takes milliseconds, and has its turn that seldom."""
EVERY: Final = 10
"""A shopper changes something with every tenth request."""
ACTIONS: Final = ("load_one", "load_all", "save", "request")
BACKENDS: Final = "django.contrib.sessions.backends"
OURS: Final = "sessions_ext.engine"
ALONE: Final = f"{OURS}, Redis alone"
PLAIN: Final = f"{BACKENDS}.cache"
ENGINES: Final = (
    OURS,
    ALONE,
    PLAIN,
    f"{BACKENDS}.cached_db",
    f"{BACKENDS}.signed_cookies",
)
type Cost = tuple[float, float]
"""Microseconds a call: on the clock, and of this process on a processor."""


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        booted = Booted(Path(directory) / "stack", "--regions", "1")
        try:
            booted.wait_ready()
            os.environ |= {
                "ANYPORT_STATE": str(booted.state),
                "DJANGO_SETTINGS_MODULE": "settings.test",
                "LOG_LEVEL": "ERROR",
            }
            _prepare()
            for guest in (True, False):
                subjects = {engine: Subject(engine, guest) for engine in ENGINES}
                blocks = {action: _measure(action, subjects) for action in ACTIONS}
                _print("a guest's" if guest else "a signed-in shopper's", subjects, blocks)
        finally:
            booted.stop()


def _prepare() -> None:
    """Our table, and that of Django's engine, in the stack's own database."""
    import django  # noqa: PLC0415 (needs the settings)

    django.setup()
    from django.apps import AppConfig, apps  # noqa: PLC0415 (needs the settings)
    from django.db import connection  # noqa: PLC0415 (needs the settings)

    from storage.tables import create_tables  # noqa: PLC0415 (needs the settings)

    create_tables()
    sessions = AppConfig.create("django.contrib.sessions")
    sessions.apps = apps
    apps.app_configs[sessions.label] = sessions
    sessions.import_models()
    with connection.schema_editor() as editor:
        editor.create_model(sessions.get_model("Session"))


def _content(guest: bool) -> dict[str, Any]:
    """About 2 kB, as the shop's sessions are."""
    draw = random.Random(3)

    def text(length: int) -> str:
        return "".join(draw.choices(string.ascii_letters + "     ", k=length))

    content = {
        "currency": "JPY",
        "language": "ja",
        "cart": "6f8e6f9e-6d3f-4f0e-9a35-0f6f0c3b7f11",
        "cart_count": 3,
        "orders": [f"AP-{number:07}" for number in range(20)],
        "_activity": {"at": 1795390000, "since": 1795380000, "region": "tokyo", "agent": text(120)},
        "notes": text(1300 if guest else 700),
    }
    if not guest:
        content |= {
            "_auth_user_id": "1207",
            "_auth_user_backend": "allauth.account.auth_backends.AuthenticationBackend",
            "_auth_user_hash": text(64),
            "auth_token": text(420),
        }
    return content


class Subject:
    """One engine with one stored session."""

    def __init__(self, engine: str, guest: bool) -> None:
        self.engine = OURS if engine == ALONE else engine
        self.alone = engine == ALONE
        self.guest = guest
        self.count = 0
        with self.settings():
            self.store = import_module(self.engine).SessionStore
            self._stored()  # whatever all sessions share is there now
            before = _sizes()
            self.key = str(self._stored().session_key)
            self.bytes = sum(_sizes().values()) - sum(before.values()) or len(self.key)
            self.session = self.store(self.key)
            """Loaded, as what a request changes always was."""

    def _stored(self) -> Any:
        session = self.store()
        session.update(_content(self.guest))
        session.save()
        return session

    def settings(self) -> AbstractContextManager[object]:
        from django.test import override_settings  # noqa: PLC0415 (needs the settings)

        changes: dict[str, Any] = {"SESSION_DYNAMODB_CLIENT": None} if self.alone else {}
        return override_settings(SESSION_ENGINE=self.engine, **changes)

    def load_one(self) -> None:
        self.store(self.key).get("currency")

    def load_all(self) -> None:
        dict(self.store(self.key).items())

    def save(self) -> None:
        self.count += 1
        self.session["cart_count"] = self.count
        self.session.save()

    def request(self) -> None:
        """What Django does around a view that reads, and at times changes something.

        It asks who is signed in, too.
        """
        self.count += 1
        session = self.store(self.key)
        for name in ("_auth_user_id", "currency", "language", "cart_count"):
            session.get(name)
        if self.count % EVERY == 0:
            session["cart_count"] = self.count
            session.save()


def _sizes() -> dict[bytes, int]:
    """Bytes in Valkey by key."""
    from storage.redis import redis_primary  # noqa: PLC0415 (needs the settings)

    client = redis_primary()
    return {key: client.memory_usage(key, samples=0) or 0 for key in client.scan_iter("*")}


def _measure(action: str, subjects: dict[str, Subject]) -> dict[str, list[Cost]]:
    found: dict[str, list[Cost]] = {engine: [] for engine in subjects}
    for turn in range(TURNS):
        for engine in sorted(subjects, key=ENGINES.index, reverse=bool(turn % 2)):
            if engine != OURS or turn % SLOW == 0:
                with subjects[engine].settings():
                    calls = EVERY if action == "request" else CALLS
                    found[engine] += _times(getattr(subjects[engine], action), calls)
    return found


def _times(call: Callable[[], None], calls: int) -> Iterator[Cost]:
    for _ in range(WARM):
        call()
    for _ in range(BLOCKS):
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(calls):
            call()
        each = 1e6 / calls
        yield (time.perf_counter() - wall) * each, (time.process_time() - cpu) * each


def _print(
    whose: str, subjects: dict[str, Subject], blocks: dict[str, dict[str, list[Cost]]]
) -> None:
    print(
        f"\nOf {whose} session of 2 kB: microseconds (× of the cache engine: clock, CPU), bytes\n"
    )
    print("| engine | load, one read | load, all read | save, one changed | request | bytes |")
    print("| --- | --- | --- | --- | --- | --- |")
    for engine, subject in subjects.items():
        cells = [_compared(blocks[action][engine], blocks[action][PLAIN]) for action in ACTIONS]
        name = engine.removeprefix("django.contrib.sessions.backends.")
        print(f"| {name} | {' | '.join(cells)} | {subject.bytes:.0f} |", flush=True)


def _compared(mine: list[Cost], plain: list[Cost]) -> str:
    def undisturbed(costs: list[Cost], kind: int) -> float:
        return sorted(cost[kind] for cost in costs)[len(costs) // 100]

    clock, cpu = (undisturbed(mine, kind) / undisturbed(plain, kind) for kind in (0, 1))
    return f"{undisturbed(mine, 0):.0f} ({clock:.2f}, {cpu:.2f})"


if __name__ == "__main__":
    main()
