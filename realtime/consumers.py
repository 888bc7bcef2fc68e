"""The WebSocket that carries events (DESIGN §11).

Redis only says that something happened. What happened is read from PostgreSQL, from the last
sequence this browser has seen, so a lost, late, doubled or reordered announcement changes
nothing that the browser is sent.
"""

import asyncio
import contextlib
import json
import logging
import random
import time
from typing import Any, Final
from urllib.parse import parse_qsl

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.db import DatabaseError
from django_redis.exceptions import ConnectionInterrupted
from redis.exceptions import RedisError

from realtime import sockets
from realtime.audiences import Listener, resolve
from realtime.metrics import SOCKETS
from realtime.publish import group_name
from realtime.queries import BATCH, events_after
from storage import drain

logger = logging.getLogger(__name__)

BAD_REQUEST: Final = 4400
FORBIDDEN: Final = 4403
TRY_AGAIN: Final = 1013
SERVICE_RESTART: Final = 1012

STORE_TIMEOUT: Final = 5.0  # seconds for any one question to Redis or PostgreSQL
SEND_TIMEOUT: Final = 10.0  # seconds until a browser that does not read is let go
CHECK_EVERY: Final = 20.0  # seconds between looks for announcements that were lost
SILENCE: Final = 75.0  # seconds; the browser's script pings every 25
LEAVE_WITHIN: Final = 1.5  # seconds in which the sockets of a drained region close, one by one
LONGEST_MESSAGE: Final = 1024  # characters; a ping needs 15
LARGEST_SEQUENCE: Final = 2**63 - 1  # PostgreSQL's bigint

UNREACHABLE: Final = (
    DatabaseError,
    ConnectionInterrupted,
    RedisError,
    OSError,
    TimeoutError,
)


class BadRequest(Exception):
    pass


def parse_query(raw: bytes) -> tuple[dict[str, str], int]:
    """The query and its `last` sequence, 0 when absent. Raises BadRequest."""
    try:
        query = dict(parse_qsl(raw.decode("ascii"), max_num_fields=8, errors="strict"))
    except ValueError as error:  # UnicodeDecodeError is one
        raise BadRequest from error
    last = query.pop("last", "0")
    if not (last.isascii() and last.isdigit()) or len(last) > 19 or int(last) > LARGEST_SEQUENCE:
        raise BadRequest
    return query, int(last)


def is_ping(text: str) -> bool:
    """The one thing that browsers say."""
    try:
        return len(text) <= LONGEST_MESSAGE and bool(json.loads(text) == {"type": "ping"})
    except (ValueError, RecursionError):
        return False


class EventConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]  # its base is untyped
    """One socket, one audience: `/ws/events/?order=AP-…&last=7`, `?staff=1`, or one's own.

    Closing codes: 4400 what was asked cannot be read · 4403 not for this listener · 1012 the region
    is drained, come back, to another · 1013 come back later · 4401 the bearer token was refused, or
    ended (sessions_ext.bearer): come back with a new one. Browsers bring no token, so they never
    meet 4401.
    """

    audience: str = ""
    last: int = 0
    heard_at: float = 0.0
    watch: asyncio.Task[None] | None = None
    leaving: asyncio.Task[None] | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.catching_up = asyncio.Lock()
        self.loop = asyncio.get_running_loop()
        sockets.opened(self)
        try:
            with SOCKETS.track_inprogress():
                await super().__call__(scope, receive, send)
        except UNREACHABLE as error:
            # Channels subscribes before `connect`; without Redis nothing else has begun.
            logger.warning("socket refused: %r", error)
            await send({"type": "websocket.close", "code": TRY_AGAIN})
        finally:
            sockets.closed(self)

    async def connect(self) -> None:
        await self.accept()  # before any refusal: a browser reads no code from a failed handshake
        if drain.is_drained():
            await self.close(SERVICE_RESTART)
            return
        try:
            query, self.last = parse_query(self.scope["query_string"])
            audience = await asyncio.wait_for(self._authorise(query), STORE_TIMEOUT)
        except BadRequest:
            await self.close(BAD_REQUEST)
            return
        except UNREACHABLE as error:
            logger.warning("socket closed, nobody could say whose it is: %r", error)
            await self.close(TRY_AGAIN)
            return
        if audience is None:
            await self.close(FORBIDDEN)
            return
        self.audience, self.heard_at = audience, time.monotonic()
        await self._begin()

    async def _authorise(self, query: dict[str, str]) -> str | None:
        listener = Listener(self.scope["session"], self.scope["user"])  # read in that thread
        may_hear = database_sync_to_async(resolve, thread_sensitive=False)
        audience: str | None = await may_hear(listener, query)
        return audience

    async def _begin(self) -> None:
        """Subscribe, then read: what is written between the two is announced and read again."""
        try:
            await asyncio.wait_for(
                self.channel_layer.group_add(group_name(self.audience), self.channel_name),
                STORE_TIMEOUT,
            )
        except UNREACHABLE as error:
            logger.warning("socket closed, not subscribed: %r", error)
            await self.close(TRY_AGAIN)
            return
        await self._send({"type": "welcome", "region": settings.ANYPORT_REGION})
        await self.catch_up()
        self.watch = asyncio.create_task(self._watch())

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        self.heard_at = time.monotonic()
        if not is_ping(text_data or ""):
            await self.close(BAD_REQUEST)
            return
        await self._send({"type": "pong"})

    async def event_written(self, message: dict[str, Any]) -> None:
        """An announcement. One that is covered already costs nothing."""
        if message["sequence"] > self.last:
            await self.catch_up()

    async def catch_up(self) -> None:
        """Send every event after `last`, in order. A failure leaves it to the next look."""
        read = database_sync_to_async(events_after, thread_sensitive=False)
        async with self.catching_up:
            more = True
            while more:
                try:
                    events = await asyncio.wait_for(
                        read(audience=self.audience, sequence=self.last), STORE_TIMEOUT
                    )
                except UNREACHABLE as error:
                    logger.warning("events of %s not read: %r", self.audience, error)
                    return
                for event in events:
                    if not await self._send(event):
                        return
                    self.last = event["sequence"]
                more = len(events) == BATCH

    async def _watch(self) -> None:
        """Find what Redis lost to tell, and let go of browsers that fell silent."""
        while time.monotonic() - self.heard_at < SILENCE:
            await asyncio.sleep(CHECK_EVERY * random.uniform(0.75, 1.25))  # noqa: S311 (jitter)
            await self.catch_up()
        await self.close(TRY_AGAIN)

    async def _send(self, message: dict[str, Any]) -> bool:
        try:
            await asyncio.wait_for(self.send(text_data=json.dumps(message)), SEND_TIMEOUT)
        except TimeoutError:
            await self.close(TRY_AGAIN)
            return False
        return True

    def leave_soon(self) -> None:
        """At a time of its own: all at once would knock at the next region's door at once."""
        self.leaving = self.leaving or asyncio.create_task(self._leave())

    async def _leave(self) -> None:
        await asyncio.sleep(random.uniform(0, LEAVE_WITHIN))  # noqa: S311 (jitter)
        self.leaving = None
        if drain.is_drained():
            await self.close(SERVICE_RESTART)

    async def disconnect(self, code: int) -> None:
        if self.leaving:
            self.leaving.cancel()
        if self.watch:
            self.watch.cancel()
        if self.audience:
            with contextlib.suppress(*UNREACHABLE):
                await self.channel_layer.group_discard(group_name(self.audience), self.channel_name)
