"""Lets an open socket be closed while nothing comes from its browser.

granian (2.8.7) sends the frame of a `websocket.close` only when no `receive` is waiting: both need
one lock, which a waiting `receive` keeps until the browser says something. (The code of its
`close`, src/asgi/io.rs: `ws_rx.lock().await`.) Channels always waits in `receive`, so a socket that
a drain, a token's end or a silence closes would stay open, deaf, for up to a ping.
"""

import asyncio
from typing import Any


class CloseAtOnce:
    """Around a WebSocket application: ends the waiting `receive`, closes, and waits again."""

    def __init__(self, application: Any) -> None:
        self.application = application

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        line = _Line(receive, send)
        await self.application(scope, line.receive, line.send)


class _Line:
    def __init__(self, receive: Any, send: Any) -> None:
        self._receive, self._send = receive, send
        self._waiting: asyncio.Task[Any] | None = None
        self._closed: asyncio.Future[None] | None = None

    async def receive(self) -> Any:
        self._waiting = asyncio.create_task(self._next())
        try:
            return await self._waiting
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if self._closed is None or (task and task.cancelling()):
                raise  # whoever waits was cancelled, and with them what they waited for
        await self._closed
        return await self._next()  # the end of it

    async def _next(self) -> Any:
        return await self._receive()

    async def send(self, message: Any) -> None:
        if message["type"] != "websocket.close" or self._closed:
            await self._send(message)
            return
        self._closed = asyncio.get_running_loop().create_future()
        try:
            if self._waiting and not self._waiting.done():
                self._waiting.cancel()
                await asyncio.wait([self._waiting])
            await self._send(message)
        finally:
            self._closed.set_result(None)
