"""The clients, against a Valkey that is frozen, killed and restarted."""

import os
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import Barrier
from typing import Any, cast

import pytest
from django.conf import settings
from django.core.cache import cache
from django.test import override_settings
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError, ReadOnlyError, RedisError, ResponseError, TimeoutError
from redis.retry import Retry
from redis.sentinel import Sentinel

from settings.env import HostPort
from storage.breaker import FAILURES, CircuitOpen
from storage.cache import invalidate, read_through
from storage.redis import Sentinels, _options, redis_local, redis_primary
from tests.stack import wait_until
from tests.valkey import Valkey, as_primary, forget_clients, free_port, regain, running


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Valkey]:
    with running(tmp_path) as server, as_primary(server):
        yield server


def seconds(ask: Callable[[], object]) -> float:
    began = time.perf_counter()
    with pytest.raises(RedisError):
        ask()
    return time.perf_counter() - began


def lose() -> None:
    """Ask until the circuit is open."""
    for _ in range(FAILURES):
        with pytest.raises((ConnectionError, TimeoutError)):
            redis_primary().ping()
    assert redis_primary().circuit.is_open


def by_command() -> object:
    return redis_primary().get("a")


def by_pipeline() -> object:
    with redis_primary().pipeline() as pipeline:
        pipeline.get("a")
        return pipeline.execute()


def by_watching_pipeline() -> object:
    with redis_primary().pipeline() as pipeline:
        pipeline.watch("a")  # type: ignore[no-untyped-call]  # untyped there
        return pipeline.get("a")


def by_script() -> object:
    return redis_primary().register_script("return redis.call('GET', KEYS[1])")(keys=["a"])


def by_script_in_pipeline() -> object:
    with redis_primary().pipeline() as pipeline:
        redis_primary().register_script("return redis.call('GET', KEYS[1])")(
            keys=["a"], client=pipeline
        )
        return pipeline.execute()


WAYS = [by_command, by_pipeline, by_watching_pipeline, by_script, by_script_in_pipeline]


@pytest.mark.parametrize("ask", WAYS)
@pytest.mark.parametrize("fault", ["freeze", "stop"])
def test_every_way_to_redis_opens_the_circuit_is_refused_and_comes_back(
    valkey: Valkey, ask: Callable[[], object], fault: str
) -> None:
    ask()
    getattr(valkey, fault)()

    for _ in range(FAILURES):
        with pytest.raises((ConnectionError, TimeoutError)) as caught:
            ask()
        assert not isinstance(caught.value, CircuitOpen)
    with pytest.raises(CircuitOpen):
        ask()

    {"freeze": valkey.thaw, "stop": valkey.start}[fault]()
    regain()
    ask()


def test_a_refused_call_costs_nothing_beside_one_that_waits(valkey: Valkey) -> None:
    valkey.freeze()
    unguarded = Redis(connection_pool=redis_primary().connection_pool)

    waited = min(seconds(unguarded.ping) for _ in range(2))  # the control
    lose()
    refused = statistics.median(seconds(redis_primary().ping) for _ in range(1000))

    print(
        f"\nwaited {waited * 1e6:.0f} µs, refused {refused * 1e6:.1f} µs: {waited / refused:.0f}×"
    )
    assert waited / refused > 100


def test_an_answer_that_does_not_come_is_waited_for_once(valkey: Valkey) -> None:
    """The control asks with redis-py's own choice of errors to retry."""
    control = Redis(port=valkey.port, socket_timeout=0.2, retry=Retry(NoBackoff(), 2))

    assert _connections_for(valkey, control.ping) > 0
    # A gate of sessions may knock meanwhile, now and then; another try would knock each time.
    assert min(_connections_for(valkey, lambda: redis_primary().ping()) for _ in range(3)) == 0


def _connections_for(valkey: Valkey, ping: Callable[[], object]) -> int:
    """How many connections were made to wait again, after the first wait was in vain."""

    def answers() -> bool:
        with suppress(RedisError):
            return bool(ping())
        return False

    wait_until(answers, 20, "it is asked again, after the time before")
    with valkey.client() as own:
        before = _connections(own)
        valkey.freeze()
        with pytest.raises(TimeoutError):
            ping()
        valkey.thaw()
        return _connections(own) - before


def _connections(client: Redis) -> int:
    client.ping()  # whoever knocked while it was frozen is let in before the next command
    statistic: Any = client.info("stats")
    return int(statistic["total_connections_received"])


def test_a_lost_connection_is_made_again_without_a_failure(valkey: Valkey) -> None:
    redis_primary().set("a", "1")
    with valkey.client() as own:
        own.client_kill_filter(_type="normal", skipme=True)

    assert redis_primary().get("a") == b"1"
    assert redis_primary().circuit.openings == 0


def _no_replicas(own: Redis) -> None:
    own.config_set("min-replicas-to-write", 1)


def _demoted(own: Redis) -> None:
    own.replicaof("127.0.0.1", 1)


def _no_longer(own: Redis) -> None:
    own.config_set("min-replicas-to-write", 0)
    own.replicaof("NO", "ONE")


def by_set() -> object:
    return redis_primary().set("a", "1")


def by_set_in_pipeline(transaction: bool) -> object:
    with redis_primary().pipeline(transaction) as pipeline:
        pipeline.set("a", "1")
        return pipeline.execute()


def by_set_in_script() -> object:
    return redis_primary().eval("return redis.call('SET', KEYS[1], 1)", 1, "a")


WRITES = {
    "command": by_set,
    "transaction": partial(by_set_in_pipeline, True),
    "pipeline": partial(by_set_in_pipeline, False),
    "script": by_set_in_script,
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
@pytest.mark.parametrize("refuse", [_no_replicas, _demoted])
def test_a_primary_that_takes_no_writes_is_given_up_until_it_does(
    valkey: Valkey, refuse: Callable[[Redis], None], write: Callable[[], object]
) -> None:
    with valkey.client() as own:
        refuse(own)
        with pytest.raises((ReadOnlyError, ResponseError)):
            write()
        assert redis_primary().circuit.is_open

        probes = _commands(own, "del")
        wait_until(lambda: _refused_ping() and _commands(own, "del") > probes, 30, "nobody probes")
        assert redis_primary().circuit.is_open  # it answers, but takes no writes
        _no_longer(own)

    regain()
    write()


def _refused_ping() -> bool:
    with pytest.raises(CircuitOpen):
        redis_primary().ping()
    return True


def _commands(client: Redis, name: str) -> int:
    """Rejected ones too."""
    statistic: Any = client.info("commandstats")
    found = statistic.get(f"cmdstat_{name}", {"calls": 0, "rejected_calls": 0})
    return int(found["calls"]) + int(found["rejected_calls"])


def test_many_threads_through_an_outage_get_an_answer_or_an_error_and_recover(
    valkey: Valkey,
) -> None:
    redis_primary().set("a", "right")
    connections = len(valkey.client().client_list())

    def read_often(_: int) -> set[object]:
        seen: set[object] = set()
        for _ in range(400):
            try:
                seen.add(redis_primary().get("a"))
            except (ConnectionError, TimeoutError):
                seen.add("refused")
        return seen

    with ThreadPoolExecutor(8) as threads:
        futures = [threads.submit(read_often, n) for n in range(8)]
        valkey.freeze()
        seen = set().union(*(future.result(60) for future in futures))
        valkey.thaw()
    regain()

    assert seen <= {b"right", "refused"}
    assert "refused" in seen
    assert redis_primary().get("a") == b"right"
    with valkey.client() as own:  # nothing leaks: a connection a thread at most, and the probe's
        assert len(own.client_list()) <= connections + 10


def test_a_process_forked_in_an_outage_probes_by_itself(valkey: Valkey) -> None:
    valkey.freeze()
    lose()
    valkey.thaw()
    child = os.fork()
    if not child:
        try:
            regain()
            os._exit(0)
        except BaseException:
            os._exit(1)

    assert os.waitpid(child, 0)[1] == 0


def test_the_cache_degrades_to_slower_pages(valkey: Valkey) -> None:
    assert read_through("product:item:1", lambda: "loaded") == "loaded"
    valkey.stop()

    assert read_through("product:item:1", lambda: "loaded again") == "loaded again"
    lose()
    assert read_through("product:item:1", lambda: "and again") == "and again"
    invalidate("product:item:1")
    with pytest.raises(CircuitOpen):  # Django's cache itself says so
        cache.get("anything")

    valkey.start()
    regain()
    assert read_through("product:item:1", lambda: "fresh") == "fresh"
    assert read_through("product:item:1", lambda: "not asked") == "fresh"


@pytest.fixture
def replica(valkey: Valkey, tmp_path: Path) -> Iterator[Valkey]:
    with (
        running(tmp_path, "--replicaof", f"127.0.0.1 {valkey.port}") as server,
        override_settings(REDIS_LOCAL_URL=server.url),
    ):
        forget_clients()
        with server.client() as own:
            wait_until(
                lambda: own.info("replication")["master_link_status"] == "up",
                30,
                "the replica does not follow",
            )
        yield server


def local() -> Redis:
    client = redis_local()
    assert client
    return client


def said_nearby(key: str) -> object:
    try:
        return local().get(key)
    except RedisError:
        return None


def test_the_local_node_is_read_and_its_loss_is_not_the_primarys(
    valkey: Valkey, replica: Valkey
) -> None:
    redis_primary().set("a", "1")
    wait_until(lambda: said_nearby("a") == b"1", 30, "it is replicated")
    replica.freeze()

    for _ in range(FAILURES):
        with pytest.raises(TimeoutError):
            local().get("a")
    with pytest.raises(CircuitOpen):
        local().get("a")

    assert redis_primary().get("a") == b"1"


@pytest.mark.parametrize("local_url", ["", "{url}", "{url}/"])
def test_there_is_no_local_node_where_it_is_the_only_one(valkey: Valkey, local_url: str) -> None:
    with override_settings(REDIS_LOCAL_URL=local_url.format(url=valkey.url)):
        redis_local.cache_clear()

        assert redis_local() is None


@pytest.fixture
def sentinel(valkey: Valkey, replica: Valkey, tmp_path: Path) -> Iterator[Valkey]:
    """Watches both, and promotes the replica when the primary is away for a second."""
    configuration = tmp_path / "sentinel.conf"
    configuration.write_text(
        f"sentinel monitor own 127.0.0.1 {valkey.port} 1\n"
        "sentinel down-after-milliseconds own 1000\nsentinel failover-timeout own 4000\n"
    )
    with running(tmp_path, configuration=configuration) as server:
        with server.client() as own:
            watched: Any = own
            wait_until(lambda: len(watched.sentinel_slaves("own")) == 1, 120, "a replica is found")
        with override_settings(
            REDIS_URL="",
            REDIS_SENTINELS=[HostPort("127.0.0.1", server.port)],
            REDIS_MASTER_NAME="own",
        ):
            forget_clients()
            yield server


def test_a_promotion_is_found_by_the_probe_and_by_no_request(
    valkey: Valkey, replica: Valkey, sentinel: Valkey
) -> None:
    redis_primary().set("a", "1")
    valkey.freeze()
    lose()

    regain()

    assert redis_primary().set("a", "2")
    with replica.client() as own:
        assert own.execute_command("ROLE")[0] == b"master"
    assert redis_primary().circuit.openings == 1


def by_following_redis_pys_own_connection() -> Redis:
    """The control: a client like the shop's, whose connections are redis-py's."""
    options = _options(settings.REDIS_REQUEST_TIMEOUTS)
    options.pop("maint_notifications_config")
    sentinels: Any = redis_primary().connection_pool.sentinel_manager
    return cast(Redis, sentinels.master_for(settings.REDIS_MASTER_NAME, **options))


def ask_after_a_late_answer(client: Redis, server: Valkey) -> object:
    """What "b" is, asked right after the answer to what "a" is did not come in time."""
    client.mset({"a": "of a", "b": "of b"})
    server.freeze()
    with pytest.raises(TimeoutError):
        client.get("a")
    server.thaw()
    return client.get("b")


def test_a_late_answer_is_not_taken_for_another(
    valkey: Valkey, replica: Valkey, sentinel: Valkey
) -> None:
    assert ask_after_a_late_answer(redis_primary(), valkey) == b"of b"


def test_a_late_answer_of_the_local_node_is_not_taken_for_another(
    valkey: Valkey, replica: Valkey
) -> None:
    redis_primary().mset({"a": "of a", "b": "of b"})
    wait_until(lambda: said_nearby("b") == b"of b", 30, "it is replicated")
    replica.freeze()
    with pytest.raises(TimeoutError):
        local().get("a")
    replica.thaw()

    assert local().get("b") == b"of b"


def test_control_redis_pys_own_connection_takes_it(
    valkey: Valkey, replica: Valkey, sentinel: Valkey
) -> None:
    control = by_following_redis_pys_own_connection()

    assert ask_after_a_late_answer(control, valkey) == b"of a"


def stop_reading_half_way(client: Redis) -> object:
    """What "b" is, asked after something else than Redis ended the reading of two answers."""
    client.mset({"a": "of a", "b": "of b"})

    def interrupt(answer: object) -> object:
        raise InterruptedError

    client.set_response_callback("GET", interrupt)
    with pytest.raises(InterruptedError), client.pipeline(transaction=False) as pipeline:
        pipeline.get("a")
        pipeline.get("a")
        pipeline.execute()
    client.response_callbacks.pop("GET")
    return client.get("b")


def test_what_was_not_read_is_not_taken_for_another(
    valkey: Valkey, replica: Valkey, sentinel: Valkey
) -> None:
    assert stop_reading_half_way(redis_primary()) == b"of b"


def test_control_redis_pys_own_pool_hands_out_what_was_not_read(
    valkey: Valkey, replica: Valkey, sentinel: Valkey
) -> None:
    assert stop_reading_half_way(by_following_redis_pys_own_connection()) == b"of a"


def look_at_once(kind: type[Sentinel]) -> tuple[set[object], set[object]]:
    """Four threads look for the primary while the first Sentinel is gone: whom it asks from then
    on, and whom it was told of."""
    known = [("127.0.0.1", free_port()), *map(tuple, settings.REDIS_SENTINELS)]
    sentinels: Any = kind(known, sentinel_kwargs={"retry": Retry(NoBackoff(), 0)})
    everybody = set(sentinels.sentinels)
    answering, together = sentinels.sentinels[1], Barrier(4, timeout=60)
    ask = answering.sentinel_masters

    def ask_together() -> object:
        answer = ask()
        together.wait()
        return answer

    answering.sentinel_masters = ask_together
    with ThreadPoolExecutor(4) as threads:
        looks = [
            threads.submit(sentinels.discover_master, settings.REDIS_MASTER_NAME) for _ in range(4)
        ]
        assert len({look.result(60) for look in looks}) == 1
    return set(sentinels.sentinels), everybody


def test_threads_that_look_at_once_forget_no_sentinel() -> None:
    asked, known = look_at_once(Sentinels)

    assert asked == known


def test_control_redis_pys_own_forgets_one() -> None:
    asked, known = look_at_once(Sentinel)

    assert len(asked) == len(known) - 1


def test_sentinels_that_do_not_answer_are_asked_by_the_probe_alone(
    valkey: Valkey, sentinel: Valkey
) -> None:
    redis_primary().ping()
    sentinel.freeze()
    valkey.stop()

    waited = [seconds(redis_primary().ping) for _ in range(FAILURES)]
    refused = statistics.median(seconds(redis_primary().ping) for _ in range(1000))

    print(f"waited {waited} s, refused {refused * 1e6:.1f} µs")
    assert redis_primary().circuit.is_open
    assert min(waited) / refused > 100
