"""`/health/deep`, for operators: what this very process sees of the stores."""

import threading
import time
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotFound, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from failover.report import as_dict, by_urgency
from failover.services import check_everything, overall
from regions.checkup import registered_facts
from regions.regions import region
from regions.version import code_version
from storage.checks.s3 import is_readable

LIMIT: Final = 1.2
"""Seconds a question may take here, unless `?limit=` says: whoever asks for all waits two."""
LONGEST: Final = 15.0
FRESH: Final = 2.0
"""Seconds that an answer is given again."""


@dataclass(frozen=True)
class _View:
    document: dict[str, Any]
    at: float


class _Looks:
    """One look at a time and one in two seconds, however many ask: stores are not overloaded."""

    def __init__(self) -> None:
        self._looking = threading.Lock()
        self._last: _View | None = None

    def latest(self, limit: float) -> _View | None:
        """Not older than FRESH, unless one is being taken. None while the first one is."""
        if not self._looking.acquire(blocking=False):
            return self._last
        try:
            if self._last is None or time.monotonic() - self._last.at > FRESH:
                self._last = _View(_look(limit), time.monotonic())
        finally:
            self._looking.release()
        return self._last


_looks = _Looks()
_object_looks = threading.Semaphore(2)


def _look(limit: float) -> dict[str, Any]:
    findings = by_urgency(check_everything(deep=True, limit=limit))
    return {
        "status": overall(findings),
        "region": settings.ANYPORT_REGION,
        "version": code_version(),
        "facts": {name: tell() for name, tell in registered_facts.items()},
        "checks": [as_dict(finding) for finding in findings],
    }


def _came_through_a_proxy(request: HttpRequest) -> bool:
    """Not for the public, should a front door be set up that lets it pass."""
    return "X-Forwarded-For" in request.headers


def _limit(request: HttpRequest) -> float:
    try:
        return min(LONGEST, max(0.1, float(request.GET.get("limit", LIMIT))))
    except ValueError:
        return LIMIT


def _busy() -> JsonResponse:
    return JsonResponse({"status": "busy"}, status=503, headers={"Retry-After": "1"})


@require_safe
@never_cache
def deep(request: HttpRequest) -> HttpResponse:
    """Every check in detail, as JSON. 200 whatever they say: this process has answered.

    `received` and `sent` are seconds since the epoch by this machine's clock.
    """
    received = time.time()
    if _came_through_a_proxy(request):
        return HttpResponseNotFound()
    view = _looks.latest(_limit(request))
    if view is None:
        return _busy()
    age = round(time.monotonic() - view.at, 3)
    times = {"age": age, "received": received, "sent": time.time()}
    return JsonResponse(view.document | times)


@require_safe
@never_cache
def deep_object(request: HttpRequest, of: str, name: UUID) -> HttpResponse:
    """Whether this process reads what a check put into a region's bucket."""
    if _came_through_a_proxy(request) or of not in settings.ANYPORT_REGIONS:
        return HttpResponseNotFound()
    if not _object_looks.acquire(blocking=False):
        return _busy()
    try:
        return JsonResponse({"found": is_readable(region(of), str(name))})
    except (BotoCoreError, ClientError) as error:
        return JsonResponse({"found": False, "problem": str(error)[:200]})
    finally:
        _object_looks.release()
