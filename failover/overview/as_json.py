"""An overview for programs, with stable names. What did not answer has a `problem`, no figures."""

import json
from typing import Any

from failover.overview.model import Database, Drain, Lease, Overview, Redis, RegionView, Web
from failover.report import EXIT_CODES

DOCUMENTS = ("writer", "promotion", "watch", "drill")
"""Told as they stand in DynamoDB; null when they were never written."""


def as_json(overview: Overview, *, indent: int | None = 2) -> str:
    return json.dumps(as_data(overview), ensure_ascii=False, indent=indent)


def as_data(overview: Overview) -> dict[str, Any]:
    return {
        "status": overview.state,
        "exit_code": EXIT_CODES[overview.state],
        "at": overview.at.isoformat(timespec="milliseconds"),
        "regions": {one.name: _region(one) for one in overview.regions},
        "sessions": overview.sessions,
        "dynamodb": {"problem": overview.control.problem},
        **{name: overview.document(name) or None for name in DOCUMENTS},
        "leases": [_lease(lease) for lease in overview.control.leases],
        "attention": [
            {"status": note.state, "what": note.what, "advice": note.advice}
            for note in overview.notes
        ],
    }


def _region(one: RegionView) -> dict[str, Any]:
    return {
        "status": one.state,
        "ready": one.web.ready,
        "drained": _drain(one.drain) if one.drain else None,
        "web": _web(one.web),
        "postgresql": _database(one.database) if one.database else None,
        "redis": _redis(one.redis) if one.redis else None,
    }


def _drain(drain: Drain) -> dict[str, Any]:
    since = drain.since.isoformat() if drain.since else None
    return {"since": since, "by": drain.by, "why": drain.why}


def _web(web: Web) -> dict[str, Any]:
    return {
        "problem": web.problem,
        "reason": web.reason,
        "version": web.version,
        "requests_per_second": round(web.rate.requests, 3) if web.rate else None,
        "errors_per_second": round(web.rate.errors, 3) if web.rate else None,
        "sockets": web.sockets,
    }


def _database(database: Database) -> dict[str, Any]:
    if database.problem:
        return {"problem": database.problem}
    return {
        "problem": "",
        "role": "writer" if database.writer else "standby",
        "timeline": database.timeline,
        "receives": database.receives,
        "lag_bytes": database.lag_bytes,
        "lag_seconds": database.lag_seconds,
    }


def _redis(redis: Redis) -> dict[str, Any]:
    if redis.problem:
        return {"problem": redis.problem}
    return {
        "problem": "",
        "role": "primary" if redis.primary else "replica",
        "receives": redis.receives,
        "lag_bytes": redis.lag_bytes,
        "heard_seconds_ago": redis.heard,
    }


def _lease(lease: Lease) -> dict[str, Any]:
    return {
        "name": lease.name,
        "owner": lease.owner,
        "attempt": lease.attempt,
        "duration": lease.duration,
        "age": round(lease.age, 3),
        "released": lease.released,
        "silent": lease.is_silent,
    }
