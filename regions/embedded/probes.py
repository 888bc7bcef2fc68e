"""When is a process ready? Asked of the process itself, never guessed from its age."""

import http.client
from collections.abc import Callable

from regions.embedded import postgres, valkey
from regions.embedded.plan import Plan
from regions.embedded.ports import LOOPBACK, accepts
from regions.embedded.supervise import Program

# What Celery writes when it has begun to work.
_CELERY_READY = {"worker": b" ready.", "beat": b"beat: Starting"}


def readiness(plan: Plan, part: Program) -> Callable[[], bool]:
    """A question that is answered within 2 seconds, and may be asked from any thread.

    Call this before the process starts: of a log only what is new counts.
    """
    region = part.region or ""
    port = part.port or 0
    match part.name:
        case "postgres":
            return lambda: postgres.accepts_reads(plan, region)
        case "valkey":
            return lambda: valkey.is_ready(plan, region)
        case "web" | "ws":
            return lambda: answers_ok(port, "/health/ready")
        case "worker" | "beat":
            return _logged(plan, part)
        case _:
            return lambda: accepts(port)


def answers_ok(port: int, path: str, timeout: float = 2.0) -> bool:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=timeout)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _logged(plan: Plan, part: Program) -> Callable[[], bool]:
    log = plan.log(part.key)
    offset = log.stat().st_size if log.exists() else 0

    def written() -> bool:
        if not log.exists():
            return False
        with log.open("rb") as file:
            file.seek(offset)
            return _CELERY_READY[part.name] in file.read()

    return written
