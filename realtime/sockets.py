"""The sockets that are open in this process, to be closed when its region is drained."""

import asyncio
from contextlib import suppress
from typing import Final, Protocol

from storage import drain


class Leaving(Protocol):
    loop: asyncio.AbstractEventLoop

    def leave_soon(self) -> None: ...


_open: Final[set[Leaving]] = set()


def opened(socket: Leaving) -> None:
    _open.add(socket)


def closed(socket: Leaving) -> None:
    _open.discard(socket)


def start() -> None:
    """Call it in asgi.py."""
    drain.follower.when_drained.append(_tell)
    drain.follow()


def _tell() -> None:
    for socket in list(_open):
        # In its own loop: this is the follower's thread. One that has ended refuses, as it may.
        with suppress(RuntimeError):
            socket.loop.call_soon_threadsafe(socket.leave_soon)
