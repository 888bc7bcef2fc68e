"""What every test shares. The stores are real: `tests/stack.py` started them."""

from collections.abc import Callable, Iterator

import psycopg
import pytest
import pytest_django
from django.conf import settings
from django.db import connection, connections
from django.test import TransactionTestCase
from django.utils import translation
from hypothesis import settings as examples
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from regions.postgres import writer
from sessions_ext import health, pulse
from storage import drain
from storage.buckets import create_buckets
from storage.redis import redis_primary
from storage.tables import create_tables
from tests.bank import bank  # noqa: F401 (a fixture)
from tests.ledger import move_stock
from tests.sessions_ext.outage import wait_for_gates
from tests.sessions_ext.stores import trust_redis
from tests.stack import Stack

OWN_STACK = (
    "embedded/test_region_loss.py",
    "faults/test_bounded_waits.py",
    "faults/test_primary_killed.py",
    "faults/test_promotion.py",
    "faults/test_watch.py",
    "failover/test_drill_controls.py",
    "embedded/test_failover.py",
    "failover/test_drills.py",
)
"""Files that share the stack `own_stack`; the last but one ends it, and the last one starts another
beside the session's, with watchers."""
SESSIONS_STACK = (
    "faults/test_sessions_redis.py",
    "faults/test_sessions_dynamodb.py",
    "faults/test_sessions_replica.py",
)
"""Files that share the stack `shop`."""
KEPT = {"django_content_type", "auth_permission", "django_site", "django_migrations"}
"""Tables that the migrations have filled."""
LONGEST_FIRST = (
    "sessions_ext/test_resurrection.py",
    *OWN_STACK,
    "embedded/test_lifecycle.py",
    "concurrency/test_crash_boundaries.py",
    *SESSIONS_STACK,
    "concurrency/test_stock_race.py",
    "embedded/test_front.py",
    "test_bad_input.py",
    "storage/test_redis.py",
)
"""Files that take a minute or so each."""


def pytest_configure() -> None:
    """Nobody acts beside the tests: a test file that imports settings.asgi would start threads."""
    pulse._started.acquire(blocking=False)
    drain.follower._started.acquire(blocking=False)
    drain.follower.looked.set()
    examples.register_profile("patient", parent=examples(), deadline=None)
    examples.load_profile("patient")
    writer.PATIENCE = 30.0  # type: ignore[misc]  # many threads, and a pool that connects in turn


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let every database test read through `replica`, which mirrors `default`; browsers last."""
    for item in items:
        marker = item.get_closest_marker("django_db")
        if marker and "databases" not in marker.kwargs:
            databases = ["default", "replica"]
            item.add_marker(
                pytest.mark.django_db(**marker.kwargs, databases=databases), append=False
            )
    # Playwright keeps an event loop running in the main thread, where Django then refuses to work
    # synchronously: whoever drives a browser comes last. Long files come first, or one worker
    # would be left with them at the end.
    items.sort(key=lambda item: (item.get_closest_marker("browser") is not None, _place(item)))


def _place(item: pytest.Item) -> int:
    path = _file_of(item.nodeid)
    return LONGEST_FIRST.index(path) if path in LONGEST_FIRST else len(LONGEST_FIRST)


def _file_of(nodeid: str) -> str:
    return nodeid.partition("::")[0].removeprefix("tests/")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling:
    """With `-n 2` a worker is given a file at a time, in the order above."""
    config.option.loadscopereorder = False
    return _ByFile(config, log)


class _ByFile(LoadFileScheduling):  # type: ignore[misc]  # untyped
    def _split_scope(self, nodeid: str) -> str:
        path = _file_of(nodeid)
        return next((shared[0] for shared in (OWN_STACK, SESSIONS_STACK) if path in shared), path)


@pytest.fixture(scope="session")
def django_db_setup(
    django_db_setup: None, django_db_blocker: pytest_django.DjangoDbBlocker
) -> Iterator[None]:
    """Nobody analyses tables whose rows are never committed: the server would plan for none.

    The test database cannot be dropped while the mirror's pool holds connections to it.
    """
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        for name in connection.introspection.table_names():
            cursor.execute(f"ALTER TABLE {name} SET (autovacuum_enabled = off)")
    yield
    connections["replica"].close()  # gives its connection back; the pool closes what it holds
    connections["replica"].close_pool()  # type: ignore[attr-defined]  # PostgreSQL's wrapper has it


@pytest.fixture(scope="session", autouse=True)
def cheap_flush() -> Iterator[None]:
    """After a test that commits, only the tables that hold something are emptied.

    Django's own flush empties them all, and then makes content types and permissions again.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", _empty_what_was_written)
        yield


def _empty_what_was_written(case: TransactionTestCase) -> None:
    names = {*connection.introspection.table_names()} - KEPT  # of uninstalled apps, too
    with connection.cursor() as cursor:
        query = " UNION ALL ".join(
            f"SELECT '{name}' WHERE EXISTS (SELECT FROM {name})"  # noqa: S608 (our models')
            for name in sorted(names)
        )
        cursor.execute(query)
        if written := [name for (name,) in cursor.fetchall()]:
            cursor.execute(f"TRUNCATE {', '.join(written)} CASCADE")


@pytest.fixture(scope="session", autouse=True)
def provisioned() -> None:
    """Buckets and tables of the tests' own namespace, made once."""
    assert settings.ANYPORT_NAMESPACE == "anyport-test"
    create_buckets()
    create_tables()


@pytest.fixture(autouse=True)
def clean_redis() -> Iterator[None]:
    """Each test starts without sessions and cached pages, in the tests' own Redis database."""
    assert settings.REDIS_DB == 1
    wait_for_gates()  # a thread of the test before would write there
    redis_primary().flushdb()
    health.reset()
    trust_redis()  # or each test would read the journal of all the tests before it
    translation.activate(settings.LANGUAGE_CODE)  # of the last request of the test before
    yield


@pytest.fixture
def live(stack: Stack) -> Iterator[psycopg.Connection]:
    """The live shop's own database, on whichever server takes writes."""
    with stack.writer() as connection:
        yield connection


@pytest.fixture
def sku_with_stock(live: psycopg.Connection) -> Iterator[Callable[[int], tuple[str, str]]]:
    """Give a demo variant that many units; returns its product's slug and its SKU.

    Its former stock is put back afterwards. Both are movements: the database asks for them.
    """
    changed: list[tuple[int, int, int]] = []

    def choose(units: int) -> tuple[str, str]:
        row = live.execute(
            "SELECT variant.id, product.slug, variant.sku, stock.on_hand, stock.allocated"
            " FROM shop_variant variant"
            " JOIN shop_product product ON product.id = variant.product_id"
            " JOIN shop_stockitem stock ON stock.variant_id = variant.id"
            " WHERE product.is_active AND variant.is_active AND NOT variant.id = ANY(%s)"
            " ORDER BY variant.id LIMIT 1",
            [[variant for variant, _, _ in changed]],
        ).fetchone()
        assert row is not None, "the demo shop is empty"
        variant, slug, sku, on_hand, allocated = row
        changed.append((variant, on_hand, allocated))
        move_stock(live, variant, on_hand=units, allocated=0)
        return slug, sku

    yield choose
    for variant, on_hand, allocated in changed:
        move_stock(live, variant, on_hand=on_hand, allocated=allocated)
