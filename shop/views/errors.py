"""Error pages. Each says what happened, what is safe, and what to do."""

import logging
import sys
from http import HTTPStatus
from typing import Final

import psycopg
from botocore.exceptions import BotoCoreError
from django.db import InterfaceError, InternalError, OperationalError
from django.http import HttpRequest, HttpResponse
from django_redis.exceptions import ConnectionInterrupted
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

RETRY_AFTER: Final = 5
"""Seconds. Sentinel and libpq find a promoted server well within it."""

STORE_LOST: Final = (
    OperationalError,
    InterfaceError,
    RedisError,
    ConnectionInterrupted,
    BotoCoreError,
)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return HttpResponse("400", status=HTTPStatus.BAD_REQUEST)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    return HttpResponse("403", status=HTTPStatus.FORBIDDEN)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return HttpResponse("403", status=HTTPStatus.FORBIDDEN)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return HttpResponse("404", status=HTTPStatus.NOT_FOUND)


def server_error(request: HttpRequest) -> HttpResponse:
    """500, or 503 with Retry-After where a store could not be asked.

    Django calls this while the exception is being handled, whichever layer raised it: a view, a
    middleware that saves the session, a template.
    """
    error = sys.exception()
    if error and _store_was_lost(error):
        response = HttpResponse("503", status=HTTPStatus.SERVICE_UNAVAILABLE)
        response.headers["Retry-After"] = str(RETRY_AFTER)
        return response
    return HttpResponse("500", status=HTTPStatus.INTERNAL_SERVER_ERROR)


def _store_was_lost(error: BaseException) -> bool:
    if isinstance(error, InternalError):
        # A write that reached a server just demoted to a standby.
        return isinstance(error.__cause__, psycopg.errors.ReadOnlySqlTransaction)
    return isinstance(error, STORE_LOST)
