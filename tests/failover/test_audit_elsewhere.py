"""The audit in a project that is not ours: it finds what such projects are made of."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
OURS = ("regions", "storage", "sessions_ext", "realtime", "jobs", "shop", "orders", "settings")

type Run = Callable[..., subprocess.CompletedProcess[str]]

PROJECT = {
    "harbour/__init__.py": "from harbour.celery import app",
    "harbour/celery.py": """
        from celery import Celery

        app = Celery("harbour", broker="redis://redis")
        app.conf.beat_schedule = {"hourly": {"task": "berths.tasks.count", "schedule": 3600}}
    """,
    "harbour/settings.py": """
        from pathlib import Path

        BASE_DIR = Path(__file__).parent
        SECRET_KEY = "x" * 50
        INSTALLED_APPS = [
            "django.contrib.contenttypes",
            "django.contrib.auth",
            "django.contrib.sessions",
            "berths",
            "failover.audit",
        ]
        MIDDLEWARE = ["django.contrib.sessions.middleware.SessionMiddleware"]
        DATABASES = {
            "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "db.sqlite3"}
        }
        DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
        ROOT_URLCONF = "harbour.urls"
        MEDIA_ROOT = BASE_DIR / "media"
    """,
    "harbour/urls.py": "urlpatterns = []",
    "harbour/throttle.py": """
        attempts = {}

        def allow(address):
            attempts[address] = attempts.get(address, 0) + 1
            return attempts[address] < 10
    """,
    "berths/__init__.py": "",
    "berths/models.py": """
        from django.core.files.storage import FileSystemStorage
        from django.db import models

        class Berth(models.Model):
            plan = models.FileField(storage=FileSystemStorage("/srv/plans"))
    """,
    "berths/migrations/__init__.py": "seen = []\n\ndef forwards(apps, editor):\n    seen.append(1)",
    "berths/tests.py": "calls = []\n\ndef test_it():\n    calls.append(1)",
}
FOUND = {
    ("anyport.E001", "CACHES['default']"),
    ("anyport.E005", "SESSION_ENGINE"),
    ("anyport.E009", "STORAGES['default']"),
    ("anyport.E011", "berths.Berth.plan"),
    ("anyport.E013", "celery: beat_scheduler"),
    ("anyport.E017", "DATABASES['default']"),
    ("anyport.E020", "harbour.throttle.attempts"),
}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    for name, text in PROJECT.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text))

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{tmp_path}{os.pathsep}{REPOSITORY}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "DJANGO_SETTINGS_MODULE": "harbour.settings",
        }
        return subprocess.run(
            [sys.executable, *words],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def test_check_shows_the_inventory_until_each_part_is_accepted(run: Run, tmp_path: Path) -> None:
    before = run("-m", "django", "check")
    listed = run("-m", "django", "audit", "--json")
    entries = run("-m", "django", "audit", "--baseline")
    (tmp_path / "accepted.toml").write_text(
        entries.stdout.replace('reason = ""', 'reason = "until the move"')
    )
    with (tmp_path / "harbour" / "settings.py").open("a") as settings:
        settings.write('ANYPORT_AUDIT_BASELINE = BASE_DIR.parent / "accepted.toml"\n')
    after = run("-m", "django", "check")

    assert before.returncode == 1, before.stderr
    for id, where in FOUND:
        assert f"{where}: ({id})" in before.stderr
    assert before.stderr.count("HINT: ") == len(FOUND)
    assert listed.returncode == 1
    assert {(part["id"], part["where"]) for part in json.loads(listed.stdout)} == FOUND
    assert (after.returncode, after.stderr) == (0, "")


def test_it_brings_none_of_our_apps_along(run: Run) -> None:
    code = (
        "import django, sys; django.setup();"
        "from django.core.checks import run_checks; run_checks();"
        f"print(sorted(set({OURS!r}) & set(sys.modules)))"
    )

    done = run("-c", code)

    assert (done.stdout, done.returncode) == ("[]\n", 0), done.stderr
