"""Ending a customer's sessions where nobody asked for one of them by itself."""

import logging

from django.conf import settings
from django.http import HttpRequest

from sessions_ext.directory import sign_out_all
from sessions_ext.errors import SessionsUnavailable
from sessions_ext.keys import digest_of

logger = logging.getLogger(__name__)


def end_former_sessions(request: HttpRequest, *, user_id: object) -> None:
    """After another password was set: end what was signed in with the former one.

    None of it lets anybody in any more; nor shall it be listed. The session that asks goes on.
    It is kept by its cookie's id: the new one that it has just got is saved with the answer.
    """
    cookie = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
    try:
        sign_out_all(user_id, keep=digest_of(cookie) if cookie else None)
    except SessionsUnavailable:  # they end by themselves, when they are used or expire
        logger.warning("Sessions of a former password could not be ended")
