"""The statelessness audit: each kind of part that it finds, and what it must not find."""

from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from django.core.checks import run_checks
from django.core.files.storage import FileSystemStorage
from django.db import models
from django.test.utils import isolate_apps
from pytest_django import Settings

from failover.audit import files, inventory
from failover.audit.code import scan
from failover.audit.parts import Part
from failover.audit.sources import Source, own_sources

LOCMEM = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
EVERY_HOUR = {"hourly": {"task": "shop.tasks.hourly", "schedule": 3600}}


class OnDisk(FileSystemStorage):
    """Somebody's own, made of Django's."""


def found(subject: str) -> list[tuple[str, str]]:
    return [(part.id, part.where) for part in inventory.of_settings(subject)]


@pytest.mark.parametrize(
    ("subject", "setting", "value", "id", "where"),
    [
        ("caches", "CACHES", {"near": LOCMEM}, "E001", "CACHES['near']"),
        (
            "caches",
            "CACHES",
            {
                "default": {
                    "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
                    "LOCATION": "/nonexistent",
                }
            },
            "E002",
            "CACHES['default']",
        ),
        (
            "caches",
            "CACHES",
            {
                "default": {
                    "BACKEND": "django.core.cache.backends.db.DatabaseCache",
                    "LOCATION": "cached",
                }
            },
            "E003",
            "CACHES['default']",
        ),
        *(
            ("sessions", "SESSION_ENGINE", f"django.contrib.sessions.backends.{engine}", *rest)
            for engine, *rest in (
                ("file", "E004", "SESSION_ENGINE"),
                ("db", "E005", "SESSION_ENGINE"),
                ("signed_cookies", "E006", "SESSION_ENGINE"),
                ("cached_db", "E007", "SESSION_ENGINE"),
                ("cache", "W008", "SESSION_ENGINE"),
            )
        ),
        (
            "files",
            "STORAGES",
            {"media": {"BACKEND": "tests.failover.test_audit.OnDisk"}},
            "E009",
            "STORAGES['media']",
        ),
        (
            "files",
            "STORAGES",
            {"default": {"BACKEND": "django.core.files.storage.InMemoryStorage"}},
            "E010",
            "STORAGES['default']",
        ),
        (
            "channel-layers",
            "CHANNEL_LAYERS",
            {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}},
            "E012",
            "CHANNEL_LAYERS['default']",
        ),
        (
            "celery",
            "CELERY_BEAT_SCHEDULER",
            "celery.beat:PersistentScheduler",
            "E013",
            "CELERY_BEAT_SCHEDULER",
        ),
        (
            "celery",
            "CELERY_BEAT_SCHEDULER",
            "redbeat.schedulers:RedBeatScheduler",
            "W014",
            "CELERY_BEAT_SCHEDULER",
        ),
        ("celery", "CELERY_BROKER_URL", "memory://", "E015", "CELERY_BROKER_URL"),
        ("celery", "CELERY_RESULT_BACKEND", "file:///x", "E016", "CELERY_RESULT_BACKEND"),
        (
            "mail-and-logs",
            "MAILERS",
            {"urgent": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}},
            "W018",
            "MAILERS['urgent']",
        ),
        (
            "mail-and-logs",
            "LOGGING",
            {
                "version": 1,
                "handlers": {
                    "file": {
                        "class": "logging.handlers.WatchedFileHandler",
                        "filename": "/dev/null",
                    }
                },
            },
            "W019",
            "LOGGING['handlers']['file']",
        ),
    ],
)
def test_a_setting_that_keeps_state_is_named(
    settings: Settings, subject: str, setting: str, value: Any, id: str, where: str
) -> None:
    before = found(subject)

    setattr(settings, setting, value)

    assert [part for part in found(subject) if part not in before] == [(f"anyport.{id}", where)]


def test_our_own_settings_keep_nothing_but_mail_in_tests() -> None:
    assert [part for subject in inventory.SETTINGS for part in found(subject)] == [
        ("anyport.W018", "MAILERS['default']")
    ]


def test_a_project_without_sessions_is_told_nothing_of_them(settings: Settings) -> None:
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.db"
    settings.MIDDLEWARE = []

    assert found("sessions") == []


@isolate_apps("shop")
def test_a_field_with_a_storage_of_its_own_is_named() -> None:
    class Brochure(models.Model):  # noqa: DJ008 (never shown)
        scan = models.FileField(storage=OnDisk())
        shared = models.FileField()

        class Meta:
            app_label = "shop"

    assert [(part.id, part.where) for part in files.file_fields([Brochure])] == [
        ("anyport.E011", "shop.Brochure.scan")
    ]


# --- Code --------------------------------------------------------------------------------------


def scanned(tmp_path: Path, **modules: str) -> list[tuple[str, str]]:
    sources = []
    for name, text in modules.items():
        path = tmp_path / f"{name}.py"
        path.write_text(dedent(text))
        sources.append(Source(f"app.{name}", path))
    return [(part.id.removeprefix("anyport."), part.where) for part in scan(sources)]


@pytest.mark.parametrize(
    ("holder", "write"),
    [
        ("[]", "X.append(1)"),
        ("{}", "X[1] = 2"),
        ("{}", "del X[1]"),
        ("{}", "X[1][2] = 3"),
        ("{}", "X[1].append(2)"),
        ("{}", "X.setdefault(1, []).append(2)"),
        ("dict()", "X |= {}\n    X.update(a=1)"),
        ("set()", "[X.add(n) for n in range(3)]"),
        ("collections.deque(maxlen=3)", "X.appendleft(1)"),
        ("Counter()", "X['a'] += 1"),
        ("defaultdict(list)", "X['a'].append(1)"),
        ("[]", "heapq.heappush(X, 1)"),
        ("[n for n in ()]", "(lambda: X.pop())()"),
        ("[]", "def inner():\n        X.clear()\n    inner()"),
        ("threading.local()", "X.user = 1"),
    ],
)
def test_what_functions_write_to_at_the_top_of_a_module_is_found(
    tmp_path: Path, holder: str, write: str
) -> None:
    text = f"X = {holder}\ndef view(request):\n    {write}\n"
    if write.startswith("X |="):
        text = text.replace("    X |=", "    global X\n    X |=")

    assert ("E020", "app.one.X") in scanned(tmp_path, one=text)


@pytest.mark.parametrize(
    "text",
    [
        "X = []\nX.append(1)\nfor n in range(3):\n    X.append(n)\n",  # when it is imported
        "X = []\ndef view():\n    X = []\n    X.append(1)\n",
        "X = []\ndef view(X):\n    X.append(1)\n",
        "X = []\ndef view():\n    return [X.append(1) for X in ([],)]\n",
        "X = []\ndef view():\n    X = []\n    def inner():\n        X.append(1)\n",
        "X = []\ndef view():\n    with open('x') as X:\n        X.update()\n",
        "X = []\ndef view():\n    return sorted(X) + X.copy()\n",
        "X = (1, 2)\ndef view():\n    X.append(1)\n",
        "class View:\n    X = []\n    def get(self):\n        self.X = [*self.X, 1]\n"
        "        self.X.append(1)\n",
        "class View:\n    def get(self):\n        self.X = []\n        self.X.append(1)\n",
    ],
)
def test_what_only_looks_like_it_is_not_found(tmp_path: Path, text: str) -> None:
    assert scanned(tmp_path, one=text) == []


def test_state_is_followed_into_other_modules(tmp_path: Path) -> None:
    parts = scanned(
        tmp_path,
        state="LIST = []\nDICT = {}\ncurrent = None\n",
        near="from .state import LIST\ndef view():\n    LIST.append(1)\n",
        far="import app.state\ndef view():\n    app.state.DICT[1] = 2\n    app.state.current = 3\n",
        inside="def view():\n    from app import state\n    state.DICT.pop(1)\n",
    )

    assert parts == [
        ("E020", "app.state.DICT"),
        ("E020", "app.state.LIST"),
        ("E021", "app.state.current"),
    ]


def test_names_that_are_bound_anew_classes_caches_and_objects_are_found(tmp_path: Path) -> None:
    parts = scanned(
        tmp_path,
        one="""
            import functools
            from functools import lru_cache
            from django.core.cache.backends.locmem import LocMemCache

            latest = None
            def view():
                global latest
                latest = 1

            class Shared:
                seen = []
                made = None
                def get(self):
                    self.seen.append(1)
                @classmethod
                def the_one(cls):
                    cls.made = cls.made or cls()

            class Gate:
                def __init__(self):
                    self.open = True
                def close(self):
                    self.open = False

            class Constant:
                def __init__(self):
                    self.value = 1

            class Derived(Gate):
                pass

            gate = Derived()
            constant = Constant()
            own = LocMemCache("own", {})

            @functools.cache
            def prices(): ...

            class Reader:
                @lru_cache(maxsize=3)
                def read(self): ...
        """,
        broken="def view(:\n",
    )

    assert parts == [
        ("E021", "app.one.latest"),
        ("E022", "app.one.Shared.made"),
        ("E022", "app.one.Shared.seen"),
        ("E026", "app.one.own"),
        ("W023", "app.one.Reader.read"),
        ("W023", "app.one.prices"),
        ("W024", "app.one.gate"),
        ("W025", "app.broken"),
    ]


def test_of_our_code_all_apps_are_read_and_no_tests_migrations_or_packages() -> None:
    names = {source.name for source in own_sources()}

    assert {"shop.views.cart", "settings.base", "storage", "failover.services"} <= names
    assert not any(
        part in name.split(".") for name in names for part in ("migrations", "tests", "allauth")
    )


# --- Baseline ----------------------------------------------------------------------------------


def test_our_baseline_accepts_exactly_what_is_found() -> None:
    assert run_checks(tags=[inventory.TAG]) == []


def test_without_the_baseline_our_code_is_found(settings: Settings) -> None:
    settings.ANYPORT_AUDIT_BASELINE = None

    messages = run_checks(tags=[inventory.TAG])

    assert ("anyport.E026", "storage.backend._own") in {(m.id, m.obj) for m in messages}
    assert all(message.hint for message in messages)


@pytest.mark.parametrize(
    ("text", "id", "where"),
    [
        ('id = "anyport.E001"\nwhere = "CACHES"\nreason = "once"', "W030", "CACHES"),
        ('id = "anyport.E010"\nwhere = "STORAGES"\nreason = " "', "W032", "STORAGES"),
        ('id = "anyport.E001"\nwhere = "no reason"', "E031", "ANYPORT_AUDIT_BASELINE"),
        ("no toml", "E031", "ANYPORT_AUDIT_BASELINE"),
    ],
)
def test_an_entry_that_is_stale_unreasoned_or_unreadable_is_found(
    settings: Settings, tmp_path: Path, text: str, id: str, where: str
) -> None:
    path = tmp_path / "more.toml"
    path.write_text(f"[[accepted]]\n{text}\n")
    settings.ANYPORT_AUDIT_BASELINE = [*settings.ANYPORT_AUDIT_BASELINE, path]

    messages = run_checks(tags=[inventory.TAG])

    assert (f"anyport.{id}", where) in {(message.id, message.obj) for message in messages}


def test_errors_and_warnings_are_told_apart() -> None:
    assert Part("anyport.E001", "x", "y", "z").is_error
    assert not Part("anyport.W023", "x", "y", "z").is_error
