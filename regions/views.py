"""Health: what orchestrators and front doors ask, once a second, without a trailing slash."""

from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe


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
    once. A request that needs a missing store says so itself, with 503.
    """
    return JsonResponse({"status": "ready", "region": settings.ANYPORT_REGION})
