"""Django's session middleware, and what our engine needs of a request beside it."""

import time
from http.cookies import Morsel
from typing import Any, Final

from django.conf import settings
from django.contrib.sessions.middleware import SessionMiddleware as DjangoSessionMiddleware
from django.http import HttpRequest, HttpResponse
from django.utils.http import http_date

from sessions_ext import keys
from sessions_ext.conf import ACTIVITY, conf
from sessions_ext.engine import SessionStore

LONGEST_AGENT: Final = 300


class SessionMiddleware(DjangoSessionMiddleware):
    """Takes the place of Django's.

    It reads and sets the version cookie, so that the region's replica may answer without showing
    anybody an older session than theirs, and notes now and then when and whence a session is used.
    """

    def process_request(self, request: HttpRequest) -> None:
        super().process_request(request)
        session = request.session
        if not isinstance(session, SessionStore):
            return
        session.deferring = True
        cookie = request.COOKIES.get(conf.version_cookie)
        if session.session_key and cookie:
            session.known_version = keys.read_version(session.session_key, cookie)

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        session = request.session
        if not isinstance(session, SessionStore):
            return super().process_response(request, response)
        if response.status_code < 500:
            _note_activity(request, session)
        response = super().process_response(request, response)
        morsel = response.cookies.get(settings.SESSION_COOKIE_NAME)
        if morsel is not None:
            _with_version(response, morsel, session)
        return response


def _note_activity(request: HttpRequest, session: SessionStore) -> None:
    """With every log-in and first save, and else once in the interval."""
    if not session.accessed or not (session.modified or session.session_key):
        return
    now, before = int(time.time()), session.get(ACTIVITY)
    fresh = isinstance(before, dict) and now - before["at"] < conf.activity_interval
    if fresh and not session.is_renamed:
        return
    if not session.keys() - {ACTIVITY} and not session.is_stored:  # looked at, as it may be forged
        return
    session[ACTIVITY] = {
        "at": now,
        "since": before["since"] if isinstance(before, dict) and not session.is_renamed else now,
        "region": conf.region,
        "agent": request.headers.get("User-Agent", "")[:LONGEST_AGENT],
    }


def _with_version(response: HttpResponse, morsel: "Morsel[Any]", session: SessionStore) -> None:
    """The version cookie comes and goes with the session's, and both live as long as it does."""
    if not morsel.value or session.session_key is None:
        response.delete_cookie(
            conf.version_cookie,
            path=settings.SESSION_COOKIE_PATH,
            domain=settings.SESSION_COOKIE_DOMAIN,
            samesite=settings.SESSION_COOKIE_SAMESITE,  # type: ignore[arg-type]  # a str in the stubs
        )
        return
    lives = session.expires_at // 1000 - int(time.time())
    if morsel["max-age"]:
        morsel["max-age"], morsel["expires"] = lives, http_date(time.time() + lives)
    response.cookies[conf.version_cookie] = keys.sign_version(
        session.session_key, session.known_version or 0
    )
    attributes = dict(morsel)
    response.cookies[conf.version_cookie].update(attributes)
