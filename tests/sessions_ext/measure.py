"""What the session engine costs beside Django's own, on the same Valkey and PostgreSQL, in one run.

`.venv/bin/python -m tests.sessions_ext.measure` boots a stack of one region in a temporary
directory, prints the figures for docs/benchmarks.md, and stops it. Engines take turns in short
rounds and the best round of each counts, so a machine's other load falls on all alike.
"""

import os
import random
import string
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from tests.stack import Booted

ROUNDS: Final = 60
CALLS: Final = 40
"""Calls in a round."""
EVERY: Final = 10
"""A shopper changes something with every tenth request."""
ACTIONS: Final = ("load_one", "load_all", "save", "request")
BACKENDS: Final = "django.contrib.sessions.backends"
OURS: Final = "sessions_ext.engine"
ALONE: Final = f"{OURS}, Redis alone"
ENGINES: Final = (
    OURS,
    ALONE,
    f"{BACKENDS}.cache",
    f"{BACKENDS}.cached_db",
    f"{BACKENDS}.signed_cookies",
)


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
                _print("a guest's" if guest else "a signed-in shopper's", _measure(guest))
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
            self.session = self._stored()
            self.bytes = sum(_sizes().values()) - sum(before.values()) or len(self.key)

    @property
    def key(self) -> str:
        return str(self.session.session_key)

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
        """What Django does around a view that reads, and at times changes something."""
        self.count += 1
        session = self.store(self.key)
        for name in ("currency", "language", "cart_count"):
            session.get(name)
        if self.count % EVERY == 0:
            session["cart_count"] = self.count
            session.save()


def _sizes() -> dict[bytes, int]:
    """Bytes in Valkey by key."""
    from storage.redis import redis_primary  # noqa: PLC0415 (needs the settings)

    client = redis_primary()
    return {key: client.memory_usage(key, samples=0) or 0 for key in client.scan_iter("*")}


def _measure(guest: bool) -> dict[str, dict[str, float]]:
    """Microseconds a call, the best round of each; bytes in Valkey, or of the cookie."""
    subjects = {engine: Subject(engine, guest) for engine in ENGINES}
    figures: dict[str, dict[str, float]] = {
        engine: {"bytes": subject.bytes} for engine, subject in subjects.items()
    }
    for action in ACTIONS:
        for _ in range(ROUNDS):
            for engine, subject in subjects.items():
                with subject.settings():
                    taken = _time(getattr(subject, action))
                figures[engine][action] = min(taken, figures[engine].get(action, taken))
    return figures


def _time(call: Callable[[], None]) -> float:
    call()
    began = time.perf_counter()
    for _ in range(CALLS):
        call()
    return (time.perf_counter() - began) / CALLS * 1e6


def _print(whose: str, figures: dict[str, dict[str, float]]) -> None:
    plain = figures[f"{BACKENDS}.cache"]
    print(f"\nOf {whose} session of 2 kB: microseconds (× of the cache engine), bytes\n")
    print("| engine | load, one read | load, all read | save, one changed | requests/s | bytes |")
    print("| --- | --- | --- | --- | --- | --- |")
    for engine, row in figures.items():
        times = [f"{row[name]:.0f} ({row[name] / plain[name]:.2f})" for name in ACTIONS[:3]]
        rate = f"{1e6 / row['request']:.0f} ({plain['request'] / row['request']:.2f})"
        name = engine.removeprefix("django.contrib.sessions.backends.")
        print(f"| {name} | {' | '.join(times)} | {rate} | {row['bytes']:.0f} |")


if __name__ == "__main__":
    main()
