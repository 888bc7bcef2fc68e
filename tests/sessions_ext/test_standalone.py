"""`sessions_ext` in another Django project: a copy of its folder, and nothing else of ours."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as ours

from regions.embedded.plan import REPOSITORY
from storage.clients import dynamodb
from storage.redis import redis_primary
from storage.tables import sessions_table
from tests.stack import Stack

SETTINGS = """
SECRET_KEY = "of another project"
SESSION_ENGINE = "sessions_ext.engine"
SESSION_KEYS = {{"2026-a": bytes(range(32))}}
CACHES = {{
    "default": {{"BACKEND": "django_redis.cache.RedisCache", "LOCATION": {redis!r}}},
}}
SESSION_DYNAMODB_CLIENT = "project.dynamodb"
SESSION_DYNAMODB_TABLE = {table!r}

ALLOWED_HOSTS = ["testserver"]
DATABASES = {{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}}}}
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "sessions_ext"]
MIDDLEWARE = [
    "sessions_ext.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
ROOT_URLCONF = "project"
USE_TZ = True
"""

PROJECT = """
import json
from functools import cache

import boto3
from django.contrib import auth
from django.contrib.auth.models import User
from django.http import HttpResponse, JsonResponse
from django.urls import path


@cache
def dynamodb():
    return boto3.client(
        "dynamodb", region_name={aws_region!r}, endpoint_url={aws!r},
        aws_access_key_id="local", aws_secret_access_key="local",
    )


def put(request):
    request.session["cart"] = 7
    return HttpResponse()


def log_in(request):
    user, _ = User.objects.get_or_create(username="mei")
    auth.login(request, user)
    return HttpResponse()


def log_out(request):
    auth.logout(request)
    return HttpResponse()


def who(request):
    return JsonResponse({{"user": request.user.username, "cart": request.session.get("cart")}})


urlpatterns = [path(f"{{view.__name__}}/", view) for view in (put, log_in, log_out, who)]
"""

MANAGE = """
import os
import sys

from django.core.management import execute_from_command_line

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "good")
execute_from_command_line(sys.argv)
"""

# One request, through every middleware, in a process of its own.
VISIT = """
import json
import os
import sys

import django
from django.test import Client

_, settings, path, cookies = sys.argv
os.environ["DJANGO_SETTINGS_MODULE"] = settings
django.setup()
client = Client()
client.cookies.load(json.loads(cookies))
response = client.get(path)
left = {name: morsel.value for name, morsel in client.cookies.items() if morsel.value}
json.dump([response.status_code, response.content.decode(), left], sys.stdout)
"""

OUR_APPS = ("failover", "jobs", "orders", "realtime", "regions", "settings", "shop", "storage")


class Project:
    """A directory with a Django project that knows `sessions_ext` only by its copy."""

    def __init__(self, home: Path, redis: str, aws: str) -> None:
        self.home = home
        shutil.copytree(
            REPOSITORY / "sessions_ext",
            home / "sessions_ext",
            ignore=shutil.ignore_patterns("__pycache__"),
        )
        self.write("good", SETTINGS.format(redis=redis, table=sessions_table()))
        self.write("project", PROJECT.format(aws=aws, aws_region=dynamodb().meta.region_name))
        self.write("manage", MANAGE)
        self.write("visit", VISIT)

    def write(self, module: str, text: str) -> None:
        (self.home / f"{module}.py").write_text(text)

    def settings(self, module: str, *changes: str) -> str:
        """Other settings, and the name of their module."""
        self.write(module, "\n".join(["from good import *", *changes, ""]))
        return module

    def run(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run a script or `-c`; fails the test on another exit code."""
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.home,
            env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"]},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done

    def check(self, settings: str, *, code: int) -> str:
        arguments = ("manage.py", "check", "--fail-level", "WARNING", "--settings", settings)
        done = self.run(*arguments, code=code)
        return done.stdout + done.stderr

    def visit(
        self, view: str, cookies: dict[str, str], settings: str
    ) -> tuple[Any, dict[str, str]]:
        """One visit by a process that has just started: what it answers, and the cookies left."""
        done = self.run("visit.py", settings, f"/{view}/", json.dumps(cookies))
        status, body, left = json.loads(done.stdout)
        assert status == 200, body
        return json.loads(body or "null"), left


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, stack: Stack) -> Project:
    stores = stack.description["stores"]
    redis = f"redis://{stores['valkey'][stack.roles['valkey']]}/{ours.REDIS_DB}"
    made = Project(tmp_path_factory.mktemp("standalone"), redis, stores["aws"])
    made.run("manage.py", "migrate", "--verbosity", "0")
    return made


@pytest.mark.parametrize("app", OUR_APPS)
def test_the_project_has_nothing_else_of_ours(project: Project, app: str) -> None:
    done = project.run("-c", f"import {app}", code=1)

    assert f"No module named '{app}'" in done.stderr


def test_check_finds_nothing_wrong(project: Project) -> None:
    assert "System check identified no issues (0 silenced)." in project.check("good", code=0)


def test_another_process_knows_who_has_logged_in(project: Project) -> None:
    _, guest = project.visit("put", {}, "good")
    _, member = project.visit("log_in", guest, "good")

    found, _ = project.visit("who", member, "good")
    stranger, _ = project.visit("who", guest, "good")

    assert found == {"user": "mei", "cart": 7}
    assert member["sessionid"] != guest["sessionid"]
    assert stranger == {"user": "", "cart": None}  # a log-in renames the session


def test_another_process_knows_who_has_logged_out(project: Project) -> None:
    _, member = project.visit("log_in", {}, "good")

    _, left = project.visit("log_out", member, "good")
    found, _ = project.visit("who", member, "good")

    assert left == {}
    assert found == {"user": "", "cart": None}


def without_copy(project: Project) -> str:
    return project.settings("without_copy", "del SESSION_DYNAMODB_CLIENT")


def with_copy(project: Project) -> str:
    return "good"


@pytest.mark.parametrize(
    ("choose", "found"),
    [
        (with_copy, {"user": "mei", "cart": None}),
        (without_copy, {"user": "", "cart": None}),  # what the copy is for
    ],
)
def test_a_session_outlives_redis_where_there_is_a_copy(
    project: Project, choose: Callable[[Project], str], found: dict[str, Any]
) -> None:
    settings = choose(project)
    _, member = project.visit("log_in", {}, settings)
    known, _ = project.visit("who", member, settings)

    redis_primary().flushdb()

    assert known == {"user": "mei", "cart": None}
    assert project.visit("who", member, settings)[0] == found


WRONG = {
    "no_keys": ("del SESSION_KEYS", "E001", "secrets.token_bytes(32)"),
    "empty_keys": ("SESSION_KEYS = {}", "E001", "secrets.token_bytes(32)"),
    "short_key": ("SESSION_KEYS = {'2026-a': b'short'}", "E002", "AES-256 needs 32 bytes"),
    "text_as_key": ("SESSION_KEYS = {'2026-a': 'x' * 32}", "E002", "AES-256 needs 32 bytes"),
    "nameless_key": ("SESSION_KEYS = {'': bytes(32)}", "E003", "'2026-a'"),
    "djangos_middleware": (
        "MIDDLEWARE[0] = 'django.contrib.sessions.middleware.SessionMiddleware'",
        "W004",
        "put 'sessions_ext.middleware.SessionMiddleware' in the place of",
    ),
    "client_that_is_not_there": (
        "SESSION_DYNAMODB_CLIENT = 'project.nowhere'",
        "E005",
        "dotted name of a function",
    ),
    "no_copy": ("del SESSION_DYNAMODB_CLIENT", "W006", "boto3.client('dynamodb')"),
    "no_redis": (
        "CACHES = {'default': {'BACKEND': 'django.core.cache.backends.locmem.LocMemCache'}}",
        "E007",
        "django_redis.cache.RedisCache",
    ),
    "no_such_cache": ("SESSION_CACHE_ALIAS = 'sessions'", "E007", "SESSION_CACHE_ALIAS"),
    "each_request_saves": ("SESSION_SAVE_EVERY_REQUEST = True", "W008", "SESSION_ACTIVITY"),
    "long_token": ("SESSION_TOKEN_AGE = 3600", "E020", "outlives its session"),
}


@pytest.mark.parametrize("name", WRONG)
def test_check_explains_what_is_wrong(project: Project, name: str) -> None:
    change, check, hint = WRONG[name]
    said = project.check(project.settings(name, change), code=1)

    assert said.count("(sessions_ext.") == 1, said
    assert f"(sessions_ext.{check})" in said
    assert hint in said.partition("HINT: ")[2]
    assert "System check identified 1 issue (0 silenced)." in said
