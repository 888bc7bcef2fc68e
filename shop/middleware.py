"""What a request and its answer take from the session beside the view."""

import json
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.middleware.locale import LocaleMiddleware as DjangoLocaleMiddleware
from django.utils import translation

from sessions_ext.errors import SessionsUnavailable
from shop.preferences import chosen_language

TELLS_VERSION = "tells_session_version"
"""Attribute of a response whose JSON has the session's `version`."""


class LocaleMiddleware(DjangoLocaleMiddleware):
    """Django's, but what the session chose outweighs cookie and browser, in every region.

    Who has no session is not given one. Stands below the session's middleware.
    """

    def process_request(self, request: HttpRequest) -> None:
        super().process_request(request)
        if request.session.session_key is None or "Authorization" in request.headers:
            return  # a token says who asks, and no store is to be asked because of a cookie
        try:
            chosen = chosen_language(request)
        except SessionsUnavailable:  # a page that needs no session is served all the same
            request.session.accessed = False  # so that nobody notes this as activity
            return
        if chosen:
            translation.activate(chosen)
            request.LANGUAGE_CODE = chosen


def session_version(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Fill in the version that the session has got by being saved with this very answer.

    Stands above the session's middleware, which saves: until then nobody knows it.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if hasattr(response, TELLS_VERSION):
            document = json.loads(response.content) | {"version": request.session.version}  # type: ignore[attr-defined]  # our engine's
            response.content = json.dumps(document).encode()
            response.headers["Content-Length"] = str(len(response.content))
        return response

    return middleware
