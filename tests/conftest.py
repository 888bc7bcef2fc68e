"""What every test shares. The stores are real: `tests/stack.py` started them."""

from collections.abc import Iterator

import pytest
from django.conf import settings

from storage.buckets import create_buckets
from storage.redis import redis_primary
from storage.tables import create_tables


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
    redis_primary().flushdb()
    yield
