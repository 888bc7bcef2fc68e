"""Which port everything listens on, and whether it is free."""

import os
import random
import socket
from collections.abc import Iterable, Iterator

DEFAULT_FRONT_PORT = 8000
# Below Linux's ephemeral range (32768 up): a port from that range could be taken by any outgoing
# connection in the second between the death of a process and its restart.
FREE_RANGE = range(10_000, 32_000)
RANGE_VARIABLE = "ANYPORT_PORTS"
"""`10000-15999` narrows it: keeps apart stacks that look for free ports at the same moment."""
# What a region has one of: the first region gets the number given, the next one the next number.
_REGIONAL = {"web": 8101, "ws": 8111, "postgres": 7301, "valkey": 7101, "sentinel": 7201}
LOOPBACK = "127.0.0.1"


class PortTaken(Exception):
    """A wanted port has another listener. Carries what to tell the person who started us."""

    def __init__(self, port: int, purpose: str) -> None:
        self.port = port
        self.purpose = purpose
        super().__init__(
            f"port {port}, wanted for the {purpose}, is taken by another program.\n"
            f"Stop that program (`ss -ltnp 'sport = :{port}'` or `lsof -i :{port}` names it), "
            "or start with other ports: `manage.py up --port 0` takes free ones for everything"
            + (", `--port N` another front door." if purpose == "front door" else ".")
        )


def wanted_names(regions: tuple[str, ...]) -> Iterator[tuple[str, int]]:
    """Every listener of a stack with its default port. `supervisor` has none: any free one."""
    yield "front", DEFAULT_FRONT_PORT
    yield "aws", 7400
    yield "stripe", 7500
    for kind, first in _REGIONAL.items():
        if kind == "sentinel" and len(regions) == 1:
            continue
        for offset, region in enumerate(regions):
            yield f"{kind}-{region}", first + offset


def choose_ports(regions: tuple[str, ...], front: int, previous: dict[str, int]) -> dict[str, int]:
    """Ports by listener name (`front`, `aws`, `web-tokyo`, …, `supervisor`).

    `front` 0 means free ports for everything: those of the `previous` run where they are still
    free, so that a restarted stack keeps its addresses. Raises PortTaken for a default or wanted
    port that has another listener.
    """
    ports: dict[str, int] = {}
    for name, default in wanted_names(regions):
        if front == 0:
            ports[name] = _kept_or_free(previous.get(name), ports.values())
            continue
        port = front if name == "front" else default
        if not is_free(port) or (name == "front" and not is_free(port, "::1")):
            raise PortTaken(port, "front door" if name == "front" else name.replace("-", " "))
        ports[name] = port
    ports["supervisor"] = _kept_or_free(None, ports.values())
    return ports


def _kept_or_free(previous: int | None, taken: Iterable[int]) -> int:
    taken = set(taken)
    if previous and previous not in taken and is_free(previous):
        return previous
    allowed = _allowed()
    for port in random.sample(allowed, min(500, len(allowed))):
        if port not in taken and is_free(port) and is_free(port, "::1"):
            return port
    raise PortTaken(allowed.start, "whole stack (500 random ports were tried)")


def _allowed() -> range:
    first, _, last = os.environ.get(RANGE_VARIABLE, "").partition("-")
    return range(int(first), int(last) + 1) if last else FREE_RANGE


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Whether nobody listens on the port. A host that this machine lacks (::1) counts as free."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            # As every server does: connections of a former listener in TIME_WAIT do not matter.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            # SO_REUSEADDR lets a bind pass beside a listener on 0.0.0.0 on some systems.
            probe.listen(1)
    except OSError as error:
        return family == socket.AF_INET6 and not has_ipv6() and error.errno is not None
    return True


def has_ipv6() -> bool:
    """Whether this machine has ::1 (containers often have not)."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def accepts(port: int, timeout: float = 0.3) -> bool:
    """Whether something accepts connections on the port, within `timeout` seconds."""
    try:
        socket.create_connection((LOOPBACK, port), timeout).close()
    except OSError:
        return False
    return True
