"""`manage.py sessions migrate`: nobody is signed out, whatever happens to the run."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth import SESSION_KEY
from django.core.cache import cache, caches
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from regions.embedded.plan import REPOSITORY
from sessions_ext import keys, redis_store
from sessions_ext.conf import conf
from sessions_ext.fallback import MovingStore
from sessions_ext.former import former
from tests.sessions_ext.moving import CACHE, DB, FORMER, ours, plain, theirs
from tests.stack import wait_until

PLENTY = 600


@pytest.fixture(params=FORMER, ids=lambda name: name.rpartition(".")[2])
def engine(request: pytest.FixtureRequest, session_table: None, db: None) -> Iterator[str]:
    """The former engine; the fallback is not set, so that nothing moves but by the command."""
    former.cache_clear()
    yield request.param
    former.cache_clear()


def migrate(
    engine: str, capsys: pytest.CaptureFixture[str], *options: str
) -> tuple[object, dict[str, int]]:
    """Its exit code and the counts that are not 0."""
    with pytest.raises(SystemExit) as stopped:
        call_command("sessions", "migrate", "--from", engine, "--json", *options)
    counts = json.loads(capsys.readouterr().out)
    return stopped.value.code, {fate: count for fate, count in counts.items() if count}


def here(key: str | None, engine: str) -> dict[str, Any]:
    """What ours has, without asking the former engine. As a browser with a version cookie does."""
    store = ours(key)
    store.known_version = 0
    return plain(store)


def test_sessions_are_here_afterwards(engine: str, capsys: pytest.CaptureFixture[str]) -> None:
    users = {theirs(engine, **{SESSION_KEY: str(n)}).session_key: str(n) for n in range(7)}
    assert [here(key, engine) for key in users] == [{}] * 7  # the control

    answer = migrate(engine, capsys, "--batch", "3")

    assert answer == (0, {"copied": 7})
    assert {key: here(key, engine)[SESSION_KEY] for key in users} == users


def test_expiry_is_kept(engine: str, capsys: pytest.CaptureFixture[str]) -> None:
    session = theirs(engine)
    session.set_expiry(1000)
    session.create()

    migrate(engine, capsys)

    record = redis_store.read(conf.redis(), keys.digest_of(session.session_key))
    found = former(engine).read(session.session_key)
    assert record is not None and found is not None
    assert abs(record.expires_at - found.expires_at) < 1000


def test_a_second_run_copies_nothing(engine: str, capsys: pytest.CaptureFixture[str]) -> None:
    theirs(engine, currency="JPY")
    migrate(engine, capsys)

    assert migrate(engine, capsys) == (0, {"already there": 1})


def test_what_changed_here_is_kept(engine: str, capsys: pytest.CaptureFixture[str]) -> None:
    key = theirs(engine, currency="TWD", language="en").session_key
    migrate(engine, capsys)
    session = ours(key)
    session.known_version = 0
    session["currency"] = "JPY"
    session.save()

    assert migrate(engine, capsys) == (0, {"already there": 1})
    assert here(key, engine) == {"currency": "JPY", "language": "en"}


def test_what_changed_there_since_the_last_run_is_taken_over_once(
    engine: str, capsys: pytest.CaptureFixture[str]
) -> None:
    key = theirs(engine, currency="TWD", language="en").session_key
    migrate(engine, capsys)
    other = theirs(engine, key)
    other["language"] = "ja"
    other.save()

    assert migrate(engine, capsys) == (0, {"updated": 1})
    assert here(key, engine) == {"currency": "TWD", "language": "ja"}
    session = ours(key)
    session.known_version = 0
    session["language"] = "en"
    session.save()
    assert migrate(engine, capsys) == (0, {"already there": 1})
    assert here(key, engine)["language"] == "en"


def test_what_was_deleted_here_stays_deleted(
    engine: str, capsys: pytest.CaptureFixture[str]
) -> None:
    key = theirs(engine, user="42").session_key
    migrate(engine, capsys)
    session = ours(key)
    session.known_version = 0
    session.flush()

    assert migrate(engine, capsys) == (0, {"deleted": 1})
    assert here(key, engine) == {}


def test_what_was_deleted_before_it_was_copied_stays_deleted(
    engine: str, capsys: pytest.CaptureFixture[str], settings: LazySettings
) -> None:
    key = theirs(engine, user="42").session_key
    digest = keys.digest_of(key)
    redis_store.bury(conf.redis(), [digest], forget_at=2**42)

    assert migrate(engine, capsys) == (0, {"deleted": 1})
    assert here(key, engine) == {}


def test_a_dry_run_copies_nothing(engine: str, capsys: pytest.CaptureFixture[str]) -> None:
    key = theirs(engine, currency="TWD").session_key

    assert migrate(engine, capsys, "--dry-run") == (0, {"copied": 1})
    assert here(key, engine) == {}
    migrate(engine, capsys)
    assert migrate(engine, capsys, "--dry-run") == (0, {"already there": 1})


@pytest.mark.parametrize("engine", FORMER[:2], indirect=True)
def test_expired_and_unreadable_sessions_are_counted(
    engine: str, capsys: pytest.CaptureFixture[str]
) -> None:
    model = import_module(engine).SessionStore.get_model_class()
    future, past = timezone.now() + timedelta(days=1), timezone.now() - timedelta(days=1)
    theirs(engine, currency="JPY")
    model.objects.create(session_key="a" * 32, session_data="forged", expire_date=future)
    model.objects.create(session_key="b" * 32, session_data="", expire_date=past)

    assert migrate(engine, capsys) == (1, {"copied": 1, "expired": 1, "unreadable": 1})


@pytest.mark.parametrize("engine", [CACHE], indirect=True)
def test_what_is_no_session_is_unreadable(engine: str, capsys: pytest.CaptureFixture[str]) -> None:
    cache.set("django.contrib.sessions.cache" + "a" * 32, "no session")

    assert migrate(engine, capsys) == (1, {"unreadable": 1})


@pytest.mark.parametrize("engine", [CACHE], indirect=True)
def test_a_cache_that_cannot_list_its_keys_is_said_so(engine: str, settings: LazySettings) -> None:
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    assert caches["default"]

    with pytest.raises(CommandError, match="LocMemCache, which cannot list its keys") as error:
        call_command("sessions", "migrate", "--from", engine)

    assert error.value.returncode == 3


@pytest.mark.parametrize(
    ("engine", "said"),
    [
        ("sessions_ext.engine", "SESSION_ENGINE is still"),
        ("django.contrib.sessions.backends.signed_cookies", "cannot be moved from"),
        ("no.such.engine", "is no session engine"),
    ],
)
def test_an_engine_that_cannot_be_moved_from_is_said_so(engine: str, said: str) -> None:
    with pytest.raises(CommandError, match=said) as error:
        call_command("sessions", "migrate", "--from", engine)

    assert error.value.returncode == 3


def test_an_app_that_is_not_installed_is_said_so() -> None:
    answer = command("settings.test", DB)

    assert answer.wait(60) == 3
    assert answer.stderr is not None
    assert "Add 'django.contrib.sessions' to INSTALLED_APPS" in answer.stderr.read()


def test_a_run_that_is_killed_is_resumed(
    session_table: None, transactional_db: None, capsys: pytest.CaptureFixture[str]
) -> None:
    model = import_module(DB).SessionStore.get_model_class()
    store: Any = import_module(DB).SessionStore()
    expire_date = timezone.now() + timedelta(days=1)
    rows = [
        model(
            session_key=f"{n:032}",
            session_data=store.encode({SESSION_KEY: str(n)}),
            expire_date=expire_date,
        )
        for n in range(PLENTY)
    ]
    model.objects.all().delete()  # a table that pytest-django knows nothing of
    model.objects.bulk_create(rows)
    others = redis_store.count_live(conf.redis())
    try:
        first = command("tests.sessions_ext.settings_moving", DB, "--batch", "1")
        wait_until(lambda: redis_store.count_live(conf.redis()) > others + 20, 180, "it copies")
        first.send_signal(signal.SIGKILL)

        assert first.wait(60) == -signal.SIGKILL
        done = redis_store.count_live(conf.redis()) - others
        assert 20 < done < PLENTY  # it was in the middle

        second = command("tests.sessions_ext.settings_moving", DB, "--json")
        out, _ = second.communicate(timeout=600)
        counts = json.loads(out)
        assert second.returncode == 0
        assert counts["copied"] + counts["already there"] == PLENTY
        # The one that was on its way may be half there, and is copied again.
        assert counts["already there"] >= done - 1
        assert {here(row.session_key, DB)[SESSION_KEY] for row in rows} == {
            str(n) for n in range(PLENTY)
        }
    finally:
        model.objects.all().delete()


def test_the_log_of_a_run_without_a_terminal_has_lines(
    session_table: None, transactional_db: None
) -> None:
    session = theirs(DB, currency="JPY")
    try:
        run = command("tests.sessions_ext.settings_moving", DB)
        out, err = run.communicate(timeout=180)
    finally:
        session.delete()

    assert out == (
        "Done: 1 copied, 0 updated, 0 already there, 0 expired, 0 deleted, 0 unreadable.\n"
    )
    assert "copying: 1 of 1 sessions\n" in err


def command(settings_module: str, engine: str, *options: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "manage.py", "sessions", "migrate", "--from", engine, *options],
        cwd=REPOSITORY,
        env=os.environ
        | {
            "DJANGO_SETTINGS_MODULE": settings_module,
            "TEST_DATABASE": str(connection.settings_dict["NAME"]),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_ids_of_other_engines_are_let_in_only_while_they_move(
    engine: str, capsys: pytest.CaptureFixture[str], settings: LazySettings
) -> None:
    key = theirs(engine, currency="JPY").session_key
    migrate(engine, capsys)

    assert plain(ours(key)) == {}  # neither our proof nor a version cookie
    settings.SESSION_FALLBACK_ENGINE = engine
    session = ours(key)
    assert isinstance(session, MovingStore)
    assert plain(session) == {"currency": "JPY"}
