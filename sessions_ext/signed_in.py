"""Who is signed in to a session, for those who must not change it."""

from typing import Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, load_backend
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.contrib.sessions.backends.base import SessionBase
from django.utils.crypto import constant_time_compare
from django.utils.functional import SimpleLazyObject

from sessions_ext.bearer import Application, Receive, Send


def user_of(session: SessionBase) -> AbstractBaseUser | None:
    """Whom Django's `get_user` would find, also by a key of SECRET_KEY_FALLBACKS. Reads the stores.

    None where it would end the session, which is left to a request.
    """
    path = session.get(BACKEND_SESSION_KEY)
    if path not in settings.AUTHENTICATION_BACKENDS:
        return None
    user: AbstractBaseUser | None = load_backend(path).get_user(session.get(SESSION_KEY))
    if user is None:
        return None
    hashes = [user.get_session_auth_hash(), *user.get_session_auth_fallback_hash()]
    kept = session.get(HASH_SESSION_KEY, "")
    return user if any(constant_time_compare(kept, each) for each in hashes) else None


class SignedInSockets:
    """ASGI: the session's user in the scope, read when something asks for it.

    Instead of channels.auth, which reads it in the one thread that all sockets of a process share,
    and ends the session of whoever signed in before SECRET_KEY was changed.
    """

    def __init__(self, inner: Application) -> None:
        self.inner = inner

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        session = scope["session"]
        user = SimpleLazyObject(lambda: user_of(session) or AnonymousUser())
        await self.inner({**scope, "user": user}, receive, send)
