"""Health, which orchestrators and front doors ask for once a second, and metrics.

Without a trailing slash, as is the custom.
"""

import os
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotFound, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from regions.readiness import why_not_ready


@require_safe
@never_cache
def live(request: HttpRequest) -> JsonResponse:
    """The process answers. A restart would not help it."""
    return JsonResponse({"status": "live", "region": settings.ANYPORT_REGION})


@require_safe
@never_cache
def ready(request: HttpRequest) -> JsonResponse:
    """Would another region serve this better? Only then is the answer not 200.

    Shared stores are not asked: were one to fail, every region would leave the front door at
    once. A request that needs a missing store says so itself, with 503. Why one answers so is
    registered in regions.readiness: an operator drained it, or it is cut off from the others.
    """
    if why := why_not_ready():
        answer = {"status": "not ready", "region": settings.ANYPORT_REGION, "reason": why}
        response = JsonResponse(answer, status=503)
        # Django would log it as an error, once a second for each front door that asks.
        response._has_been_logged = True  # type: ignore[attr-defined]  # Django's own mark
        return response
    return JsonResponse({"status": "ready", "region": settings.ANYPORT_REGION})


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """What this process has counted, for Prometheus; or all that share PROMETHEUS_MULTIPROC_DIR.

    `?name[]=…` names those that are wanted, as of any Prometheus client: the others are not asked.
    For the operators' network: whatever came through a front door is not answered, should one
    be set up that lets it pass.
    """
    if "X-Forwarded-For" in request.headers:
        return HttpResponseNotFound()
    registry: Any = REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:  # whose files answer for all names, or none
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # untyped there
    elif names := request.GET.getlist("name[]"):
        registry = registry.restricted_registry(names)
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
