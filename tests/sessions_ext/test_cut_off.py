"""A region that is cut off: neither DynamoDB nor a replica answers, and Redis' primary is its own.

What the primary takes then is gone when it comes back and finds another one in its place.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sessions_ext import redis_store, vault
from sessions_ext.conf import conf
from sessions_ext.engine import SessionStore
from sessions_ext.errors import SessionsUnavailable
from sessions_ext.health import has_follower, redis_gate
from tests.sessions_ext.outage import dynamodb_gone, forget_clients, redis_gone
from tests.sessions_ext.stores import again, away, change, redis_loses_what_follows, stored
from tests.stack import wait_until
from tests.valkey import Valkey, as_primary, running


@pytest.fixture
def replica(tmp_path: Path) -> Iterator[Valkey]:
    """Of a primary that this process uses."""
    with (
        running(tmp_path, "--repl-diskless-sync-delay", "0") as primary,
        as_primary(primary),
        running(tmp_path, "--replicaof", "127.0.0.1", str(primary.port)) as replica,
    ):
        with primary.client() as own:
            wait_until(lambda: has_follower(own.info("replication")), 120, "it follows")
            wait_until(lambda: redis_store.is_replicated(own), 120, "it confirms")
        forget_clients()
        wait_until(redis_gate.is_open, 120, "Redis is trusted")
        yield replica
    forget_clients()


def _save(session: SessionStore) -> None:
    change(session, currency="JPY")


def _create(session: SessionStore) -> None:
    stored(cart="c-2")


def _log_in(session: SessionStore) -> None:
    session.cycle_key()
    session.save()


def _log_out(session: SessionStore) -> None:
    session.flush()


ACTS = [_save, _create, _log_in, _log_out]


@pytest.mark.parametrize("act", ACTS)
def test_what_only_a_lonely_primary_knows_is_not_acknowledged(
    replica: Valkey, act: Callable[[SessionStore], None]
) -> None:
    session = stored(cart="c-1")

    with away(dynamodb_gone):
        wait_until(redis_gate.is_open, 120, "Redis is trusted")
        replica.freeze()
        redis_gate.had_replicas = True  # as in a process that has served before
        with pytest.raises(SessionsUnavailable):
            act(session)
        replica.thaw()


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine's replica confirms later; as long as the client waits for an answer."""
    monkeypatch.setattr(redis_store, "CONFIRM_WITHIN", 900)


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("act", ACTS)
def test_while_a_replica_follows_dynamodb_may_be_away(
    replica: Valkey, act: Callable[[SessionStore], None]
) -> None:
    session = stored(cart="c-1")

    with away(dynamodb_gone):
        act(session)


@pytest.mark.parametrize("act", ACTS)
def test_control_unguarded_it_is_acknowledged(
    replica: Valkey, act: Callable[[SessionStore], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    session = stored(cart="c-1")
    monkeypatch.setattr(vault, "rely_on_redis", lambda: None)
    monkeypatch.setattr("sessions_ext.endings.rely_on_redis", lambda: None)

    with away(dynamodb_gone):
        wait_until(redis_gate.is_open, 120, "Redis is trusted")
        replica.freeze()
        redis_gate.had_replicas = True
        act(session)
        replica.thaw()


def test_older_session_than_the_browser_has_seen_is_hoped_for(
    replica: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DynamoDB, which has the newer one, mostly answers again at once; after a while it counts."""
    session = stored(cart="c-1")
    with redis_loses_what_follows():
        change(session, currency="JPY")

    def seen_again() -> object:
        return again(session, known=session.version).get("currency")

    with away(dynamodb_gone):
        wait_until(redis_gate.is_open, 120, "Redis is trusted")
        with pytest.raises(SessionsUnavailable):
            seen_again()

        monkeypatch.setattr(vault, "HOPE", 0.0)  # what half a minute does
        assert seen_again() is None
        replica.freeze()
        redis_gate.had_replicas = True  # as in a process that has served before
        with pytest.raises(SessionsUnavailable):
            seen_again()
        replica.thaw()
    assert seen_again() == "JPY"


@pytest.mark.usefixtures("patient")
def test_older_copy_in_dynamodb_is_hoped_for_as_well(
    replica: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = stored(cart="c-1")
    with away(dynamodb_gone):
        wait_until(redis_gate.is_open, 120, "Redis is trusted")
        change(session, currency="JPY")

    with away(redis_gone):
        with pytest.raises(SessionsUnavailable):
            again(session, known=session.version).get("currency")
        monkeypatch.setattr(vault, "HOPE", 0.0)
        assert again(session, known=session.version).get("currency") is None


def test_redis_that_never_had_a_replica_serves_alone(tmp_path: Path) -> None:
    with running(tmp_path) as primary, as_primary(primary), away(dynamodb_gone):
        wait_until(redis_gate.is_open, 120, "Redis is trusted")
        session = stored(cart="c-1")
        change(session, currency="JPY")

        assert conf.dynamodb() is not None
        assert again(session)["currency"] == "JPY"
