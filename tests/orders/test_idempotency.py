"""The guard itself, around an effect that nothing else protects: a row more with every run."""

import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection, transaction
from prometheus_client import REGISTRY

from orders import answers
from orders.answers import Answer
from orders.errors import EmptyCart
from orders.idempotency import KeyReused, StillRunning, idempotent
from orders.models import IdempotencyRecord, Order
from orders.problems import decline
from shop.errors import ShopError
from storage.redis import redis_primary
from tests.factories import make_order

pytestmark = pytest.mark.django_db

GUEST = ("session:mei",)
CUSTOMER = ("customer:1", "session:mei")


def run(
    key: UUID,
    *,
    owners: tuple[str, ...] = GUEST,
    content: str = "one rope bag",
    error: Exception | None = None,
    decline: Callable[[ShopError], Answer] | None = decline,
) -> tuple[Answer, bool]:
    """Make an order under the key; the answer, and whether it was replayed."""
    with idempotent(owners=owners, key=key, content={"asked": content}, decline=decline) as attempt:
        if not attempt.answer:
            order = make_order()
            if error:
                raise error
            headers = {"Content-Type": "text/x-number", "Location": f"/o/{order.number}"}
            attempt.answer = Answer(HTTPStatus.CREATED, order.number.encode(), headers)
    return attempt.settled, attempt.is_replayed


def forget_copies() -> None:
    redis_primary().flushdb()


def counted(outcome: str) -> float:
    return REGISTRY.get_sample_value("orders_idempotency_total", {"outcome": outcome}) or 0.0


@pytest.mark.parametrize("with_redis", [True, False])
def test_the_first_answer_comes_again_with_status_and_headers(with_redis: bool) -> None:
    key = uuid4()

    first = run(key)
    if not with_redis:
        forget_copies()
    again = run(key)

    assert first[1] is False
    assert again == (first[0], True)
    assert again[0].headers["Location"] == f"/o/{Order.objects.get().number}"


def test_another_owner_or_key_is_another_request() -> None:
    key = uuid4()

    for owners, name in ((GUEST, key), (("session:eve",), key), (GUEST, uuid4())):
        assert run(name, owners=owners)[1] is False

    assert Order.objects.count() == 3


@pytest.mark.parametrize("with_redis", [True, False])
def test_other_content_is_refused(with_redis: bool) -> None:
    key = uuid4()
    run(key)
    if not with_redis:
        forget_copies()

    with pytest.raises(KeyReused):
        run(key, content="two rope bags")

    assert Order.objects.count() == 1


def test_a_refusal_undoes_the_effect_and_stays() -> None:
    key = uuid4()

    refused = run(key, error=EmptyCart())
    forget_copies()
    again = run(key)

    assert refused[0].status == HTTPStatus.CONFLICT
    assert refused[0].headers == {"Content-Type": "application/problem+json"}
    assert json.loads(refused[0].body)["type"] == "urn:anyport:problem:empty-cart"
    assert again == (refused[0], True)
    assert Order.objects.count() == 0


class Unnamed(ShopError):
    """Nobody has a word for it."""


@pytest.mark.parametrize("error", [ValueError("a fault"), Unnamed()])
def test_what_was_not_decided_frees_the_key(error: Exception) -> None:
    """A fault (500), and an error that nobody has named a refusal."""
    key = uuid4()

    with pytest.raises(type(error)):
        run(key, error=error)

    assert Order.objects.count() == IdempotencyRecord.objects.count() == 0
    assert run(key)[1] is False


def test_without_a_word_for_it_a_refusal_passes_through() -> None:
    key = uuid4()

    with pytest.raises(EmptyCart):
        run(key, error=EmptyCart(), decline=None)

    assert run(key)[1] is False


def test_an_effect_without_an_answer_is_undone() -> None:
    with (
        pytest.raises(RuntimeError, match="without an answer"),
        idempotent(owners=GUEST, key=uuid4(), content={}),
    ):
        make_order()

    assert Order.objects.count() == IdempotencyRecord.objects.count() == 0


def test_a_guests_key_is_known_after_the_log_in_and_from_then_on_everywhere() -> None:
    key = uuid4()

    first = run(key)
    forget_copies()
    after_log_in = run(key, owners=CUSTOMER)
    forget_copies()
    on_another_device = run(key, owners=CUSTOMER[:1])

    assert after_log_in == on_another_device == (first[0], True)
    assert Order.objects.count() == 1


def test_a_customers_key_is_known_on_every_device() -> None:
    key = uuid4()

    first = run(key, owners=("customer:1", "session:here"))
    forget_copies()

    assert run(key, owners=("customer:1", "session:there")) == (first[0], True)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("owner", CUSTOMER)
def test_a_key_that_runs_under_one_name_is_not_run_under_the_other(owner: str) -> None:
    """As when a guest logs in while their order is under way."""
    key = uuid4()
    other = connection.copy()
    other.set_autocommit(False)
    with other.cursor() as cursor:
        cursor.execute(
            "INSERT INTO orders_idempotencyrecord (owner, key, fingerprint, created_at, expires_at)"
            " VALUES (%s, %s, '', now(), now())",
            [owner, key],
        )
    try:
        with pytest.raises(StillRunning):
            run(key, owners=CUSTOMER)
    finally:
        other.rollback()
        other.close()

    assert run(key, owners=CUSTOMER)[1] is False
    assert Order.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_the_wait_for_a_duplicate_does_not_shorten_the_effects_own() -> None:
    with (
        idempotent(owners=GUEST, key=uuid4(), content={}, wait_ms=1) as attempt,
        connection.cursor() as cursor,
    ):
        cursor.execute("SHOW lock_timeout")
        attempt.answer = Answer(HTTPStatus.OK, cursor.fetchone()[0].encode())

    assert attempt.settled.body == b"20s"


@pytest.mark.django_db(transaction=True)
def test_a_key_cannot_be_claimed_inside_another_transaction() -> None:
    """Its answer could be told and rolled back afterwards."""
    with pytest.raises(RuntimeError, match="durable"), transaction.atomic():
        run(uuid4())

    assert Order.objects.count() == 0


# --- Redis ---------------------------------------------------------------------------------------


def test_a_copy_answers_without_postgresql(django_assert_num_queries: Any) -> None:
    key = uuid4()
    first = run(key)

    with django_assert_num_queries(0):
        again = run(key)

    assert again == (first[0], True)


@pytest.mark.django_db(transaction=True)
def test_there_is_no_copy_of_what_is_not_committed() -> None:
    key = uuid4()
    with idempotent(owners=GUEST, key=key, content={}) as attempt:
        attempt.answer = Answer(HTTPStatus.OK, b"")
        inside = answers.recall(GUEST, key)
    with pytest.raises(ValueError, match="a fault"):
        run(failed := uuid4(), error=ValueError("a fault"))

    assert inside is None
    assert answers.recall(GUEST, key) is not None
    assert answers.recall(GUEST, failed) is None


@pytest.mark.parametrize("spoilt", [b"", b"{}", b"[1]", b'["", "x", 0, 0]', b"\xff\x00"])
def test_a_spoilt_copy_is_not_believed(spoilt: bytes) -> None:
    key = uuid4()
    first = run(key)
    (name,) = redis_primary().keys("*:idempotency:*")
    redis_primary().set(name, spoilt)

    assert run(key) == (first[0], True)


def test_copies_are_forgotten_soon_and_name_nobody() -> None:
    run(uuid4())

    names: Any = redis_primary().keys("*")
    (name,) = (name for name in names if b"idempotency" in name)
    assert name.startswith(b"anyport-test:idempotency:")
    assert not any(b"mei" in name for name in names)
    assert answers.TTL - 60 <= redis_primary().ttl(name) <= answers.TTL


def test_a_large_answer_is_not_copied() -> None:
    key = uuid4()
    with idempotent(owners=GUEST, key=key, content={}) as attempt:
        attempt.answer = Answer(HTTPStatus.OK, bytes(answers.LARGEST + 1))

    assert answers.recall(GUEST, key) is None


def test_outcomes_are_counted() -> None:
    names = ("done", "replayed_by_redis", "replayed", "declined", "failed", "reused")
    before = {name: counted(name) for name in names}
    key, refused = uuid4(), uuid4()

    run(key)
    run(key)
    forget_copies()
    run(key)
    run(refused, error=EmptyCart())
    with pytest.raises(KeyReused):
        run(key, content="other")
    with pytest.raises(ValueError, match="a fault"):
        run(uuid4(), error=ValueError("a fault"))

    assert {name: counted(name) - before[name] for name in names} == dict.fromkeys(names, 1.0)
