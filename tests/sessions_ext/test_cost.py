"""What a request asks the stores, and when it asks nothing."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import pytest
from django.test import Client
from redis import Redis

from sessions_ext import dynamodb_store, keys, redis_store
from sessions_ext.conf import ACTIVITY, conf
from sessions_ext.engine import SessionStore
from sessions_ext.health import redis_gate
from sessions_ext.record import Record
from storage.clients import dynamodb
from tests.factories import make_customer
from tests.sessions_ext.steps import Steps, stepping

pytestmark = pytest.mark.django_db

DAY: Final = 24 * 3600
MINUTE: Final = 60


@pytest.fixture(autouse=True)
def trusted() -> None:
    """The first question to Redis is whether it may be trusted; and scripts are known to it."""
    assert redis_gate.is_open()
    SessionStore().create()


def key_of(client: Client) -> str:
    return str(client.cookies["SESSION"].value)


def asked_for_sessions(steps: Steps) -> list[str]:
    """Commands that name one of the sessions' keys; pages ask the cache beside them."""
    return [step.name for step in steps.redis if conf.prefix in repr(step.arguments)]


def asks(work: Callable[[], Any]) -> tuple[list[str], list[str]]:
    with stepping() as steps:
        work()
    return asked_for_sessions(steps), [step.name for step in steps.dynamodb]


@pytest.fixture
def shopper(client: Client) -> Client:
    client.force_login(make_customer())
    client.post("/currency/", {"currency": "JPY"})
    client.get("/cart/")  # notes the activity
    client.get("/api/cart")  # notes what total was told
    return client


def test_a_request_that_changes_nothing_asks_redis_once_and_dynamodb_never(
    shopper: Client,
) -> None:
    for path in ("/", "/cart/", "/account/", "/api/session", "/api/cart"):
        assert asks(partial(shopper.get, path)) == (["HGETALL"], []), path


def test_a_request_that_changes_something_loads_saves_and_copies(shopper: Client) -> None:
    """Also the control of the test above."""
    redis, in_dynamodb = asks(lambda: shopper.post("/currency/", {"currency": "SGD"}))

    assert redis == ["HGETALL", "EVALSHA"]
    assert in_dynamodb == ["PutItem"]


def test_a_visitor_who_has_nothing_to_remember_costs_nothing(client: Client) -> None:
    for path in ("/", "/products/", "/cart/", "/api/products", "/accounts/login/"):
        with stepping() as steps:
            response = client.get(path)
        assert not {"SESSION", "SESSION_VERSION"} & response.cookies.keys(), path
        assert (asked_for_sessions(steps), steps.dynamodb) == ([], []), path
    assert redis_store.count_live(conf.redis()) == 1  # that of the fixture


GARBAGE: Final = {
    "empty": "",
    "short": "abc",
    "long": "a" * 5000,
    "form-of-ours": "0123456789abcdefghijklmnopqrstuv",
    "not-ascii": "ä" * 32,
    "path": "../../../etc/passwd",
    "redis": "x\r\nFLUSHALL\r\n" + "x" * 19,
    "capitals": "A" * 32,
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
@pytest.mark.parametrize("version", [None, "forged", "1f.0123456789abcdef01234567", "ä.ä"])
def test_a_made_up_cookie_reaches_no_store(
    client: Client, garbage: str, version: str | None
) -> None:
    client.cookies["SESSION"] = garbage
    if version:
        client.cookies["SESSION_VERSION"] = version

    for method, path in (("get", "/cart/"), ("get", "/api/session"), ("post", "/accounts/logout/")):
        with stepping() as steps:
            response = getattr(client, method)(path)
        assert response.status_code < 400
        assert (asked_for_sessions(steps), steps.dynamodb) == ([], []), path
        client.cookies["SESSION"] = garbage


def test_flushing_a_made_up_session_unread_reaches_no_store() -> None:
    assert asks(SessionStore("0123456789abcdefghijklmnopqrstuv").flush) == ([], [])


def test_an_id_of_ours_with_a_forged_version_is_asked_for_as_without(shopper: Client) -> None:
    shopper.cookies["SESSION_VERSION"] = "fffffffffff." + "0" * 24

    assert asks(lambda: shopper.get("/cart/")) == (["HGETALL"], [])


def test_indexes_know_of_a_session_as_long_as_it_lives(shopper: Client) -> None:
    """A save tells them only where that changes the minute."""
    key = key_of(shopper)
    digest, user = keys.digest_of(key), keys.pseudonym_of(SessionStore(key)["_auth_user_id"])
    indexes = (redis_store.live_key(), redis_store.user_key(user))

    for age in (3600, 3600, 7200, 1800, 60, 86400):
        session = SessionStore(key)
        session.set_expiry(age)
        session.save()
        for index in indexes:
            score: Any = conf.redis().zscore(index, digest)
            assert 0 < score - session.expires_at <= MINUTE * 1000
        assert conf.redis().pexpiretime(indexes[1]) >= score


# --- Activity ------------------------------------------------------------------------------------


def activity(client: Client) -> dict[str, Any]:
    found: dict[str, Any] = SessionStore(key_of(client))[ACTIVITY]
    return found


def pass_time(client: Client, seconds: int) -> None:
    """As if the session had been left alone for so long: what is stored is that much older."""
    key = key_of(client)
    session = SessionStore(key)
    session[ACTIVITY] = session[ACTIVITY] | {"at": session[ACTIVITY]["at"] - seconds}
    session.save()
    for age in ends(client):
        assert age > 0
    digest = keys.digest_of(key)
    record = redis_store.read(conf.redis(), digest)
    assert record is not None
    moved = record.expires_at - seconds * 1000
    hash_ = redis_store.session_key(digest)
    redis: Redis = conf.redis()
    redis.hset(hash_, "x", str(moved))
    redis.pexpireat(hash_, moved)
    dynamodb().update_item(
        TableName=conf.table,
        Key={"pk": {"S": digest}, "sk": {"S": "session"}},
        UpdateExpression="SET x = :x",
        ExpressionAttributeValues={":x": {"N": str(moved)}},
    )
    client.cookies["SESSION_VERSION"] = keys.sign_version(key, record.version)


def ends(client: Client) -> list[int]:
    """Seconds that the session has left: in Redis, by its own clock; in Redis; in DynamoDB."""
    digest = keys.digest_of(key_of(client))
    there = dynamodb_store.read(dynamodb(), digest)
    here = redis_store.read(conf.redis(), digest)
    if not isinstance(there, Record) or here is None:
        return [0, 0, 0]
    left: Any = conf.redis().pttl(redis_store.session_key(digest))
    now = time.time()
    return [left // 1000, round(here.expires_at / 1000 - now), round(there.expires_at / 1000 - now)]


def test_activity_is_written_once_in_the_interval(shopper: Client) -> None:
    before = activity(shopper)
    for _ in range(3):
        assert asks(lambda: shopper.get("/cart/"))[1] == []
    assert activity(shopper) == before

    pass_time(shopper, conf.activity_interval)
    assert asks(lambda: shopper.get("/cart/")) == (["HGETALL", "EVALSHA"], ["PutItem"])

    assert activity(shopper)["at"] >= before["at"]
    assert activity(shopper)["since"] == before["since"]
    assert asks(lambda: shopper.get("/cart/")) == (["HGETALL"], [])


def test_a_shopper_who_comes_back_now_and_then_stays_for_days(shopper: Client) -> None:
    key = key_of(shopper)
    for _ in range(4):  # of 20 hours
        pass_time(shopper, 20 * 3600)
        assert max(ends(shopper)) < 5 * 3600

        response = shopper.get("/account/")

        assert response.status_code == 200
        for left in ends(shopper):
            assert DAY <= left <= DAY + conf.margin
        for name in ("SESSION", "SESSION_VERSION"):
            assert DAY <= response.cookies[name]["max-age"] <= DAY + conf.margin
    assert key_of(shopper) == key


def test_a_shopper_who_stays_away_for_a_day_is_a_guest(shopper: Client) -> None:
    pass_time(shopper, DAY + conf.margin + 1)

    response = shopper.get("/account/")

    assert response.status_code == 302
    assert ends(shopper) == [0, 0, 0]
