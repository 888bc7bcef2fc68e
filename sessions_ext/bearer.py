"""`Authorization: Bearer …`: who a request or a socket speaks for, by its token alone."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any, Final

from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from sessions_ext.keys import digest_of
from sessions_ext.tokens import Token, TokenRefused, user_of, verify

type Message = MutableMapping[str, Any]
type Receive = Callable[[], Awaitable[Message]]
type Send = Callable[[Message], Awaitable[None]]
type Application = Callable[[Any, Receive, Send], Awaitable[None]]

TOKEN_REFUSED: Final = 4401
"""Closing code of a socket whose token is not ours, or has ended."""


class UnkeptSession(SessionBase):
    """The session of whoever shows a token and no cookie: empty, and nothing of it is stored."""

    def exists(self, session_key: str) -> bool:
        return False

    def load(self) -> dict[str, Any]:
        return {}

    def create(self) -> None:
        pass

    def save(self, must_create: bool = False) -> None:
        pass

    def delete(self, session_key: str | None = None) -> None:
        pass


def bearer_of(header: str) -> str | None:
    """The token in an `Authorization` header; None when it is of another scheme."""
    scheme, _, text = header.partition(" ")
    return text.strip() if scheme.lower() == "bearer" else None


@contextmanager
def signed_in_by(request: HttpRequest, token: Token) -> Iterator[None]:
    """Inside, the request is the token's user, whatever its cookie says.

    The row is read when something asks for it; that raises TokenOfNobody. The cookie's session
    is there only if the token is of that very session: what one user does never ends up in the
    session of another.
    """
    session, user = request.session, request.user
    request.user = SimpleLazyObject(lambda: user_of(token))  # type: ignore[assignment]  # lazy
    if session.session_key is None or digest_of(session.session_key) != token.session:
        request.session = UnkeptSession()
    try:
        yield
    finally:  # the middleware above finds the session as it was, and answers for that one
        request.session, request.user = session, user


class BearerSockets:
    """ASGI: sockets that show a token go to `inner`, all others to `otherwise`.

    No session is loaded. Nor is the origin asked: no page can make a browser send this header.
    When the token ends, or if its user is gone, the socket is closed with TOKEN_REFUSED.
    """

    def __init__(self, inner: Application, *, otherwise: Application) -> None:
        self.inner = inner
        self.otherwise = otherwise

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        text = bearer_of(dict(scope["headers"]).get(b"authorization", b"").decode("latin-1"))
        if text is None:
            await self.otherwise(scope, receive, send)
            return
        try:
            token = verify(text)
        except TokenRefused:
            await receive()
            await send({"type": "websocket.accept"})  # a code is read only after it
            await send({"type": "websocket.close", "code": TOKEN_REFUSED})
            return
        user = SimpleLazyObject(lambda: user_of(token))
        scope = {**scope, "user": user, "session": UnkeptSession()}
        socket = _Ending(receive, send, token.seconds_left)
        try:
            await self.inner(scope, socket.receive, socket.send)
        except TokenRefused:
            await socket.end()


class _Ending:
    """A socket that closes after so many seconds. The application hears of a disconnect."""

    def __init__(self, receive: Receive, send: Send, seconds: float) -> None:
        self._receive, self._send = receive, send
        self._ends_at = asyncio.get_running_loop().time() + seconds
        self._ended = False

    async def receive(self) -> Message:
        try:
            async with asyncio.timeout_at(self._ends_at):
                return await self._receive()
        except TimeoutError:
            await self.end()
            return {"type": "websocket.disconnect", "code": TOKEN_REFUSED}

    async def send(self, message: Message) -> None:
        if not self._ended:  # the application may be in the middle of something
            await self._send(message)

    async def end(self) -> None:
        if not self._ended:
            self._ended = True
            await self._send({"type": "websocket.close", "code": TOKEN_REFUSED})
