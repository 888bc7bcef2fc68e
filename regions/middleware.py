"""Names the region that answered."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

HEADER = "Anyport-Region"


def region_header(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Put `Anyport-Region: tokyo` on every response. Stands outermost, so errors carry it too."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response.headers[HEADER] = settings.ANYPORT_REGION
        return response

    return middleware
