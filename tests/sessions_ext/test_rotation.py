"""`manage.py sessions rotate-keys`: which keys are in use, and sealing everything anew."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import chain
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command

from regions.embedded.plan import REPOSITORY
from sessions_ext import dynamodb_store, keys, redis_store, rotation
from sessions_ext.conf import conf
from sessions_ext.engine import SessionStore
from sessions_ext.envelope import key_id_of, stamp_of
from sessions_ext.record import Record
from storage.tables import create_tables, sessions_table
from tests.sessions_ext.moving import ours
from tests.sessions_ext.outage import dynamodb_gone, forget_clients
from tests.stack import wait_until

OLD = {"2025-a": b"o" * 32}
NEW = {"2026-a": b"n" * 32}
PLENTY = 150


@pytest.fixture(autouse=True)
def table(settings: LazySettings) -> Iterator[None]:
    """A table of its own: the tests' other sessions are sealed with other keys."""
    settings.ANYPORT_NAMESPACE = "anyport-rotation"
    settings.SESSION_DYNAMODB_TABLE = sessions_table()
    settings.SESSION_KEYS = OLD
    create_tables()
    yield
    client = conf.dynamodb()
    assert client is not None
    client.delete_table(TableName=sessions_table())


def rotate_keys(capsys: pytest.CaptureFixture[str], *options: str) -> tuple[object, dict[str, Any]]:
    """Its exit code and what it says."""
    with pytest.raises(SystemExit) as stopped:
        call_command("sessions", "rotate-keys", "--json", *options)
    return stopped.value.code, json.loads(capsys.readouterr().out)


def used(said: dict[str, Any]) -> dict[str, tuple[int, int]]:
    """Sessions in Redis and in DynamoDB by key."""
    return {row["key"]: (row["redis"], row["dynamodb"]) for row in said["keys"]}


def copies(session: SessionStore) -> tuple[Record, Record]:
    client = conf.dynamodb()
    digest = keys.digest_of(str(session.session_key))
    assert client is not None
    in_redis, copy = redis_store.read(conf.redis(), digest), dynamodb_store.read(client, digest)
    assert isinstance(in_redis, Record) and isinstance(copy, Record)
    return in_redis, copy


def key_ids(record: Record) -> set[str]:
    return {key_id_of(sealed) for sealed in record.fields.values() if len(sealed) > 8}


def test_everything_under_the_only_key_needs_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    ours(currency="JPY")

    code, said = rotate_keys(capsys, "--check")

    assert (code, used(said)) == (0, {"2025-a": (1, 1)})
    assert said["advice"] == ["nothing to do: everything is under the only key, 2025-a."]


def test_an_older_key_is_counted_in_both_stores(
    capsys: pytest.CaptureFixture[str], settings: LazySettings
) -> None:
    ours(currency="JPY")
    both = ours(currency="JPY")
    settings.SESSION_KEYS = NEW | OLD
    both["language"] = "ja"
    both.save()
    ours(currency="TWD")

    code, said = rotate_keys(capsys, "--check")

    assert (code, used(said)) == (1, {"2026-a": (2, 2), "2025-a": (2, 2)})
    assert said["advice"] == [
        "key 2025-a must stay: 2 sessions need it. Run `manage.py sessions rotate-keys`, then"
        " check again."
    ]


def test_a_key_that_is_only_in_dynamodb_is_counted(
    capsys: pytest.CaptureFixture[str], settings: LazySettings
) -> None:
    ours(currency="JPY")
    conf.redis().flushdb()
    settings.SESSION_KEYS = NEW | OLD

    code, said = rotate_keys(capsys, "--check")

    assert (code, used(said)) == (1, {"2026-a": (0, 0), "2025-a": (0, 1)})


def test_an_unknown_key_is_named(
    capsys: pytest.CaptureFixture[str], settings: LazySettings
) -> None:
    ours(currency="JPY")
    settings.SESSION_KEYS = NEW

    code, said = rotate_keys(capsys, "--check")

    assert (code, used(said)) == (2, {"2026-a": (0, 0), "2025-a": (1, 1)})
    assert said["advice"] == [
        "key 2025-a is not in SESSION_KEYS: 1 sessions cannot be opened. Put it back, last in the"
        " ring, and restart every instance."
    ]


def test_rotating_frees_the_older_key(
    capsys: pytest.CaptureFixture[str], settings: LazySettings
) -> None:
    sessions = [ours(number=n, text="x" * 900) for n in range(5)]
    settings.SESSION_KEYS = NEW
    assert "number" not in SessionStore(sessions[0].session_key)  # the control: it is needed
    settings.SESSION_KEYS = NEW | OLD

    code, said = rotate_keys(capsys, "--batch", "2")

    assert (code, used(said)) == (0, {"2026-a": (5, 5), "2025-a": (0, 0)})
    assert said["rotated"] == {"resealed": 10, "current": 0, "refused": 0, "overtaken": 0}
    assert said["advice"] == [
        "key 2025-a may be removed: nothing uses it. Make sure that every instance was restarted"
        " since another key became the first."
    ]
    settings.SESSION_KEYS = NEW
    again = [SessionStore(session.session_key) for session in sessions]
    assert [session["number"] for session in again] == [0, 1, 2, 3, 4]


def test_rotating_changes_neither_content_nor_versions_nor_stamps(
    capsys: pytest.CaptureFixture[str], settings: LazySettings
) -> None:
    session = ours(currency="JPY", removed=1)
    del session["removed"]
    session["language"] = "ja"
    session.save()
    before = copies(session)
    settings.SESSION_KEYS = NEW | OLD

    rotate_keys(capsys)

    for former, now in zip(before, copies(session), strict=True):
        assert [key_ids(former), key_ids(now)] == [{"2025-a"}, {"2026-a"}]
        for each in (former, now):
            object.__setattr__(each, "fields", {n: stamp_of(s) for n, s in each.fields.items()})
        assert now == former
    assert dict(SessionStore(session.session_key).items()) == {"currency": "JPY", "language": "ja"}


def test_a_second_run_changes_nothing(
    capsys: pytest.CaptureFixture[str], settings: LazySettings
) -> None:
    session = ours(currency="JPY")
    settings.SESSION_KEYS = NEW | OLD
    rotate_keys(capsys)
    before = copies(session)

    _, said = rotate_keys(capsys)

    assert said["rotated"] == {"resealed": 0, "current": 2, "refused": 0, "overtaken": 0}
    assert copies(session) == before


def test_a_dry_run_changes_nothing(
    capsys: pytest.CaptureFixture[str], settings: LazySettings
) -> None:
    session = ours(currency="JPY")
    before = copies(session)
    settings.SESSION_KEYS = NEW | OLD

    code, said = rotate_keys(capsys, "--dry-run")

    assert (code, said["rotated"]["resealed"]) == (1, 2)
    assert copies(session) == before


def test_a_session_that_is_saved_meanwhile_is_not_harmed(
    capsys: pytest.CaptureFixture[str],
    settings: LazySettings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Saved between the reading and the sealing, in both stores."""
    session = ours(currency="JPY", kept="k")
    settings.SESSION_KEYS = NEW | OLD
    saved = chain(["TWD", "SGD"], iter(str, "x"))

    def seal_after_a_save(digest: str, *args: Any) -> dict[bytes, bytes]:
        fields = resealed(digest, *args)
        if currency := next(saved):
            other = SessionStore(session.session_key)
            other["currency"] = currency
            other.save()
        return fields

    resealed = rotation._resealed
    monkeypatch.setattr(rotation, "_resealed", seal_after_a_save)
    rotate_keys(capsys)

    assert dict(SessionStore(session.session_key).items()) == {"currency": "SGD", "kept": "k"}
    in_redis, copy = copies(session)
    assert (in_redis.version, key_ids(in_redis)) == (copy.version, {"2026-a"})


def test_a_session_that_is_deleted_meanwhile_stays_deleted(
    capsys: pytest.CaptureFixture[str],
    settings: LazySettings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session = ours(currency="JPY")
    settings.SESSION_KEYS = NEW | OLD

    def seal_after_a_log_out(*args: Any) -> dict[bytes, bytes]:
        fields = resealed(*args)
        SessionStore(session.session_key).flush()
        return fields

    resealed = rotation._resealed
    monkeypatch.setattr(rotation, "_resealed", seal_after_a_log_out)
    _, said = rotate_keys(capsys)

    assert dict(SessionStore(session.session_key).items()) == {}
    assert said["sessions"] == {"redis": 0, "dynamodb": 0}


def test_a_damaged_value_is_left_and_told(
    capsys: pytest.CaptureFixture[str], settings: LazySettings
) -> None:
    session = ours(currency="JPY", kept="k")
    digest = keys.digest_of(str(session.session_key))
    field = keys.field_of(str(session.session_key), "currency")
    sealed = copies(session)[0].fields[field]
    damaged = sealed[:-1] + bytes([sealed[-1] ^ 1])
    conf.redis().hset(redis_store.session_key(digest), field, damaged)
    settings.SESSION_KEYS = NEW | OLD

    code, said = rotate_keys(capsys)

    assert (code, said["rotated"]["refused"]) == (2, 1)
    assert copies(session)[0].fields[field] == damaged
    assert dict(SessionStore(session.session_key).items()) == {"kept": "k"}


def test_a_run_that_is_killed_is_resumed(
    capsys: pytest.CaptureFixture[str], settings: LazySettings
) -> None:
    sessions = [ours(number=n) for n in range(PLENTY)]
    settings.SESSION_KEYS = NEW | OLD
    first = subprocess.Popen(
        [sys.executable, "manage.py", "sessions", "rotate-keys", "--batch", "1"],
        cwd=REPOSITORY,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "tests.sessions_ext.settings_rotation"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    client = conf.dynamodb()
    assert client is not None

    def sealed_copies() -> int:
        return sum(key_ids(record) == {"2026-a"} for _, record in dynamodb_store.scan(client))

    wait_until(lambda: sealed_copies() > 3, 180, "it seals copies")
    first.send_signal(signal.SIGKILL)
    assert first.wait(60) == -signal.SIGKILL
    done = sealed_copies()
    assert 3 < done < PLENTY  # it was in the middle

    code, said = rotate_keys(capsys)

    assert (code, said["rotated"]["resealed"]) == (0, PLENTY - done)
    assert said["rotated"]["current"] == PLENTY + done
    settings.SESSION_KEYS = NEW
    assert [SessionStore(s.session_key)["number"] for s in sessions] == list(range(PLENTY))


def test_an_operator_reads_a_table_and_what_to_do(
    capsys: pytest.CaptureFixture[str], settings: LazySettings
) -> None:
    ours(currency="JPY")
    settings.SESSION_KEYS = NEW | OLD

    with pytest.raises(SystemExit):
        call_command("sessions", "rotate-keys")

    out = capsys.readouterr().out
    assert "Sealed 2 copies of sessions under 2026-a" in out
    assert "key 2025-a may be removed: nothing uses it." in out


def test_a_store_that_does_not_answer_stops_it(settings: LazySettings) -> None:
    ours(currency="JPY")
    with dynamodb_gone():
        forget_clients()
        with pytest.raises(CommandError, match="a store does not answer") as error:
            call_command("sessions", "rotate-keys", "--check")
    forget_clients()

    assert error.value.returncode == 3


def test_an_empty_ring_is_said_so(settings: LazySettings) -> None:
    settings.SESSION_KEYS = {}

    with pytest.raises(CommandError, match="SESSION_KEYS is empty") as error:
        call_command("sessions", "rotate-keys", "--check")

    assert error.value.returncode == 3
