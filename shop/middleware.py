"""What a request and its answer take from the session beside the view."""

import json
from collections.abc import Callable

from django.contrib.auth import SESSION_KEY
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.middleware import (
    AuthenticationMiddleware as DjangoAuthenticationMiddleware,
)
from django.contrib.auth.middleware import get_user
from django.contrib.auth.models import AnonymousUser
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.middleware.locale import LocaleMiddleware as DjangoLocaleMiddleware
from django.utils import translation
from django.utils.functional import SimpleLazyObject

from regions.routing import outlives_writer, without_writer
from sessions_ext.errors import SessionsUnavailable
from sessions_ext.signed_in import user_of
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


class AuthenticationMiddleware(DjangoAuthenticationMiddleware):
    """Django's, but while no server takes writes a standby says who is signed in.

    They can look at the shop then, too: every page says on top whether somebody is.
    """

    def process_request(self, request: HttpRequest) -> None:
        super().process_request(request)
        request.user = SimpleLazyObject(lambda: _signed_in(request))  # type: ignore[assignment]  # lazy


@outlives_writer
def _signed_in(request: HttpRequest) -> AbstractBaseUser | AnonymousUser:
    if without_writer() and SESSION_KEY in request.session:
        return _as_a_standby_knows(request)
    return get_user(request)


def _as_a_standby_knows(request: HttpRequest) -> AbstractBaseUser:
    """Raises OperationalError where Django would end the session: the standby may not know yet of
    the account, or of its latest password."""
    if user := user_of(request.session):
        return user
    raise OperationalError("no standby knows who this is, and no server takes writes")


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
