"""Names the region that answered, and counts what it answered."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from regions import metrics

HEADER = "Anyport-Region"
UNCOUNTED = ("/health/", "/metrics")
"""Asked every second by machines: they would drown the shoppers."""


def count_requests(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Count responses by class of status. Stands outermost, so that it sees every one."""
    metrics.tell_version()  # here, where a process that serves builds its handler
    counters = metrics.answered()

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if not request.path_info.startswith(UNCOUNTED):
            counters[response.status_code // 100].inc()
        return response

    return middleware


def region_header(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Put `Anyport-Region: tokyo` on every response, on errors too."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response.headers[HEADER] = settings.ANYPORT_REGION
        return response

    return middleware
