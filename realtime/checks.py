"""Operators' check of the channel layer: what is announced is heard."""

import asyncio
from collections.abc import Iterator
from typing import Any, Final
from uuid import uuid4

from channels.layers import get_channel_layer
from django.conf import settings

from regions.checkup import Answer, Check, Probe, State, patience, probes

ECHO: Final = Check(
    "channels.echo",
    "what is sent to a group of the channel layer is received",
    impact="Open pages show order changes late, at their next look every 20 s.",
    advice="See redis.primary: the channel layer publishes there.",
    worst=State.DEGRADED,
    rank=6,
    after=("redis.primary",),
)


@probes
def channel_layer() -> Iterator[Probe]:
    yield Probe(ECHO, "from here", _echo, settings.ANYPORT_REGION)


def _echo() -> Answer:
    asyncio.run(_send_and_receive(str(uuid4())))
    return Answer("sent and received")


async def _send_and_receive(word: str) -> None:
    """Raises TimeoutError, and what the layer raises."""
    layer: Any = get_channel_layer()
    group = f"check.{word}"
    async with asyncio.timeout(patience(0.75)):
        channel = await layer.new_channel()
        await layer.group_add(group, channel)
        try:
            await layer.group_send(group, {"type": "check", "word": word})
            while (await layer.receive(channel)).get("word") != word:
                pass
        finally:
            await layer.group_discard(group, channel)
            await layer.flush()  # ends the connections that this loop has
