"""What a region's own web process says: is it ready, what code, how many requests."""

import json
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Final

from django.conf import settings
from prometheus_client.parser import text_string_to_metric_families

from failover.overview.model import Rate, Sample, Web
from regions import direct
from regions.whereabouts import stack

TIMEOUT: Final = 1.5  # seconds for a connection, and for each wait on it
_METRICS: Final = (
    "/metrics?name[]=anyport_requests_total&name[]=anyport_build_info"
    "&name[]=process_start_time_seconds&name[]=anyport_sockets_open"
)
"""Named, so that the process asks no store for the others."""
NEAREST: Final = 0.2
"""Seconds between two samples that a rate is told of, at least; and at most, below."""
FURTHEST: Final = 120.0


@dataclass(frozen=True)
class _Counted:
    at: float
    born: float
    answered: int
    errors: int
    version: str
    sockets: int | None


def ask_web(region: str) -> Web:
    """Raises OSError or HTTPException when it does not answer."""
    address = settings.ANYPORT_REGION_URLS.get(region)
    if address is None:
        raise OSError("ANYPORT_REGION_URLS is not set")
    reply = direct.get(address, "/health/ready", timeout=TIMEOUT)
    ready = reply.status == HTTPStatus.OK
    counted = _counted(address)
    return Web(
        ready=ready,
        reason="" if ready else _reason(reply),
        version=counted.version,
        sample=Sample(counted.at, counted.born, counted.answered, counted.errors),
    )


def ask_sockets(region: str) -> int | None:
    """Open WebSockets, where the stack on this machine says who serves them; None elsewhere."""
    address: str = stack().get("regions", {}).get(region, {}).get("ws", "")
    if not address:
        return None
    return _counted(address.replace("ws://", "http://")).sockets


def with_rate(web: Web, before: Sample | None) -> Web:
    """The rate since then, if the same process answered."""
    now = web.sample
    if now is None or before is None or before.born != now.born:
        return web
    seconds, answered = now.at - before.at, now.answered - before.answered
    errors = now.errors - before.errors
    if not NEAREST <= seconds <= FURTHEST or min(answered, errors) < 0:
        return web
    return replace(web, rate=Rate(answered / seconds, errors / seconds))


def _reason(reply: direct.Reply) -> str:
    try:
        reason = json.loads(reply.body)["reason"]
    except (ValueError, KeyError, TypeError):
        return f"HTTP {reply.status}"
    return str(reason)


def _counted(address: str) -> _Counted:
    reply = direct.get(address, _METRICS, timeout=TIMEOUT)
    born, answered, errors, version, sockets = 0.0, 0, 0, "", None
    for family in text_string_to_metric_families(reply.body.decode()):
        for sample in family.samples:
            value = int(sample.value)
            if sample.name == "anyport_requests_total":
                answered += value
                errors += value if sample.labels["status"] == "5xx" else 0
            elif sample.name == "anyport_build_info":
                version = sample.labels["version"]
            elif sample.name == "process_start_time_seconds":
                born = sample.value
            elif sample.name == "anyport_sockets_open":
                sockets = (sockets or 0) + value
    return _Counted(reply.received, born, answered, errors, version, sockets)
