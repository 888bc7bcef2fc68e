import pytest
from django.core.cache import cache

from storage.cache import SCHEMA_VERSION, TTLS, cache_key, invalidate, read_through
from storage.redis import redis_primary


def test_key_has_service_entity_and_id() -> None:
    assert cache_key("product", "page", "rope-bag") == "product:page:rope-bag"
    with pytest.raises(ValueError, match="colon"):
        cache_key("product:page", "x", 1)


def test_second_read_comes_from_the_cache_until_invalidated() -> None:
    loads: list[int] = []

    def load() -> dict[str, int]:
        loads.append(1)
        return {"loads": len(loads)}

    key = cache_key("product", "item", 1)

    assert read_through(key, load) == {"loads": 1}
    assert read_through(key, load) == {"loads": 1}
    invalidate(key)
    assert read_through(key, load) == {"loads": 2}


def test_none_is_a_value_and_is_cached() -> None:
    loads: list[int] = []

    def load() -> None:
        loads.append(1)

    for _ in range(3):
        assert read_through("product:item:none", load) is None

    assert len(loads) == 1


def test_time_to_live_follows_the_service_with_jitter() -> None:
    read_through("product:item:ttl", lambda: 1)

    milliseconds = redis_primary().pttl(cache.make_key("product:item:ttl", version=SCHEMA_VERSION))

    assert TTLS["product"] * 0.9 - 1 <= milliseconds / 1000 <= TTLS["product"]


def test_what_load_raises_passes_through_and_is_not_cached() -> None:
    def fail() -> int:
        raise LookupError

    with pytest.raises(LookupError):
        read_through("product:item:fails", fail)

    assert read_through("product:item:fails", lambda: 7) == 7
