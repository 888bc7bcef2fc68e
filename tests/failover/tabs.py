"""Open tabs of one order: sockets that come back as the browser's script does."""

import asyncio
import json
import random
import threading
from dataclasses import dataclass, field
from typing import Any, Self

import websockets

OPEN_WITHIN = 20.0  # seconds, on a busy machine


@dataclass
class Tab:
    regions: list[str] = field(default_factory=list)
    """Who said welcome, in that order."""
    codes: list[int | None] = field(default_factory=list)
    """Why each socket before this one was closed."""
    events: list[int] = field(default_factory=list)
    """Sequences, each as often as it came."""
    is_open: bool = False


class Tabs:
    """`number` tabs through the front door, each with a socket of its own."""

    def __init__(self, front: str, order: str, cookie: str, number: int) -> None:
        self.tabs = [Tab() for _ in range(number)]
        self._url = f"{front.replace('http', 'ws', 1)}/ws/events/?order={order}"
        self._headers = {"Cookie": cookie, "Origin": front}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stopping.set()
        self._thread.join(30)

    async def _run(self) -> None:
        tasks = [asyncio.create_task(self._keep_open(tab)) for tab in self.tabs]
        while not self._stopping.is_set():
            await asyncio.sleep(0.1)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _keep_open(self, tab: Tab) -> None:
        while True:
            last = max(tab.events, default=0)
            try:
                async with websockets.connect(
                    f"{self._url}&last={last}",
                    additional_headers=self._headers,
                    open_timeout=OPEN_WITHIN,
                ) as socket:
                    async for message in socket:
                        self._hear(tab, json.loads(message))
                tab.codes.append(socket.close_code)
            except websockets.ConnectionClosed as closed:
                tab.codes.append(closed.rcvd.code if closed.rcvd else None)
            except (OSError, websockets.InvalidHandshake, TimeoutError):
                tab.codes.append(None)
            tab.is_open = False
            await asyncio.sleep(0.5 + 0.5 * random.random())

    def _hear(self, tab: Tab, message: dict[str, Any]) -> None:
        if message["type"] == "welcome":
            tab.regions.append(message["region"])
            tab.is_open = True
        elif message["type"] == "event":
            tab.events.append(message["sequence"])
