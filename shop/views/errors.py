"""Error pages. Each says what happened, what is safe, and what to do.

They are drawn without session, user, cache or database, for any of these may be what failed. The
JSON API gets the same as RFC 9457 problems.
"""

import logging
import sys
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import psycopg
from botocore.exceptions import BotoCoreError, ClientError
from django.contrib.sessions.exceptions import SessionInterrupted
from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent
from django.db import InterfaceError, InternalError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django_redis.exceptions import ConnectionInterrupted
from redis.exceptions import RedisError

from regions.regions import this_region
from sessions_ext.errors import SessionsUnavailable
from shop.problems import problem

logger = logging.getLogger(__name__)

API: Final = "/api/"
RETRY_AFTER: Final = 5
"""Seconds. Sentinel and libpq find a promoted server well within it."""

STORE_LOST: Final = (
    OperationalError,
    InterfaceError,
    RedisError,
    ConnectionInterrupted,
    BotoCoreError,
    ClientError,  # S3 or DynamoDB answers, and cannot or will not serve
    SessionsUnavailable,
)
DETAILS: Final[dict[HTTPStatus, str]] = {
    HTTPStatus.BAD_REQUEST: "The request could not be read. Nothing was changed.",
    HTTPStatus.FORBIDDEN: "This is not allowed to you. Nothing was changed.",
    HTTPStatus.NOT_FOUND: "There is nothing here. Check the address; /api/docs lists all.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The request is too large. Nothing was changed.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "The shop made a mistake. It is recorded. Try again.",
    HTTPStatus.SERVICE_UNAVAILABLE: (
        "A store could not be reached. A repeated request with the same key takes effect once. "
        f"Try again in {RETRY_AFTER} s."
    ),
}
"""What the API says. The pages' words are in `templates/shop/errors/`."""
INTERRUPTED: Final = (
    "The session ended while this request was answered: a log-in or log-out elsewhere ended it."
    " What the session was to keep is not kept. Log in, look at what was changed, and go on."
)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if isinstance(exception, SessionInterrupted):
        return _interrupted(request)
    too_large = isinstance(exception, RequestDataTooBig | TooManyFieldsSent)
    return _answer(
        request,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE if too_large else HTTPStatus.BAD_REQUEST,
        template="400",
    )


def _interrupted(request: HttpRequest) -> HttpResponse:
    """The session was deleted by another tab or device before this request could save it."""
    status = HTTPStatus.BAD_REQUEST
    if request.path_info.startswith(API):
        headers = {"Cache-Control": "no-store"}
        return problem(status, INTERRUPTED, kind="session-ended", headers=headers)
    return _answer(request, status, template="interrupted")


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, HTTPStatus.FORBIDDEN)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """The form's token is missing or old: mostly cookies are off, or the page waited for days."""
    logger.warning("CSRF check failed at %s: %s", request.path, reason)
    return _answer(request, HTTPStatus.FORBIDDEN, template="csrf")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, HTTPStatus.NOT_FOUND)


def server_error(request: HttpRequest) -> HttpResponse:
    """500, or 503 with Retry-After where a store could not be asked.

    Django calls this while the exception is being handled, whichever layer raised it: a view, a
    middleware that saves the session, a template.
    """
    error = sys.exception()
    if error and _store_was_lost(error):
        retry = {"Retry-After": str(RETRY_AFTER)}
        return _answer(request, HTTPStatus.SERVICE_UNAVAILABLE, headers=retry)
    return _answer(request, HTTPStatus.INTERNAL_SERVER_ERROR)


def _answer(
    request: HttpRequest,
    status: HTTPStatus,
    *,
    template: str = "",
    headers: Mapping[str, str] | None = None,
) -> HttpResponse:
    headers = {"Cache-Control": "no-store", **(headers or {})}
    if request.path_info.startswith(API):
        return problem(status, DETAILS[status], headers=headers)
    # No request is given to the template: its context processors would ask for the session.
    page = render_to_string(
        f"shop/errors/{template or status.value}.html",
        {
            "status": status.value,
            "region": this_region(),
            "again": request.get_full_path() if request.method in ("GET", "HEAD") else "",
        },
    )
    return HttpResponse(page, status=status, headers=headers)


def _store_was_lost(error: BaseException) -> bool:
    if isinstance(error, InternalError):
        # A write that reached a server just demoted to a standby.
        return isinstance(error.__cause__, psycopg.errors.ReadOnlySqlTransaction)
    return isinstance(error, STORE_LOST)
