"""Sessions, and what each store holds of them, for tests that make the stores differ."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final

from sessions_ext import dynamodb_store, health, keys, redis_store
from sessions_ext.conf import conf
from sessions_ext.engine import SessionStore
from sessions_ext.health import redis_gate
from sessions_ext.record import Record
from tests.sessions_ext.outage import forget_clients

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

WAIT: Final = 120  # seconds


def stored(**content: object) -> SessionStore:
    session = SessionStore()
    session.update(content)
    session.create()
    return session


def again(session: SessionStore, *, known: int | None = None) -> SessionStore:
    """As another request sees it; without `known`, one that brings no version cookie."""
    other = SessionStore(session.session_key)
    other.known_version = known
    return other


def content_of(session: SessionStore) -> dict[str, Any]:
    return dict(again(session).items())


def change(session: SessionStore, **content: object) -> None:
    session.update(content)
    session.save()


def digest_of(session: SessionStore) -> str:
    return keys.digest_of(str(session.session_key))


def dynamodb() -> "DynamoDBClient":
    client = conf.dynamodb()
    assert client is not None
    return client


def in_redis(session: SessionStore) -> Record | None:
    return redis_store.read(conf.redis(), digest_of(session))


def in_dynamodb(session: SessionStore) -> dynamodb_store.Found:
    return dynamodb_store.read(dynamodb(), digest_of(session))


def assert_both_hold_the_same(session: SessionStore) -> None:
    assert in_redis(session) is not None
    assert in_redis(session) == in_dynamodb(session)


@contextmanager
def away(*stores: Callable[[], Any]) -> Iterator[None]:
    """This process asks nobody there; what follows is done by one that knows that they are back."""
    with ExitStack() as gone:
        for store in stores:
            gone.enter_context(store())
        forget_clients()
        yield
    forget_clients()


def trust_redis() -> None:
    """As a process for which Redis was never away, and which reconciles nothing."""
    redis_gate._open = redis_gate._tried = True
    conf.redis().ping()
    redis_gate._address = health._address_of(conf.redis())


@contextmanager
def redis_loses_what_follows() -> Iterator[None]:
    """Afterwards Redis holds what it held before: a replica without the last writes took over."""
    client = conf.redis()
    held = {key: client.dump(key) for key in client.scan_iter(f"{conf.prefix}*")}
    yield
    for key in client.scan_iter(f"{conf.prefix}*"):
        client.delete(key)
    for key, dumped in held.items():
        assert dumped is not None
        client.restore(key, 0, dumped, replace=True)
