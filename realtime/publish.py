"""Tell an audience something. The leaf that other apps import."""

import logging
from typing import Any

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import connection, transaction
from redis.exceptions import RedisError

from realtime.models import Event

logger = logging.getLogger(__name__)


def group_name(audience: str) -> str:
    """The channel layer's group of an audience: it allows no colons."""
    return audience.replace(":", ".")


def publish(*, audience: str, kind: str, payload: dict[str, Any]) -> Event:
    """Write an event with the next sequence of its audience; announce it when committed.

    Call it inside the transaction of what it tells of. The row is the truth: an announcement
    that is lost delays the event, it does not lose it.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO realtime_eventstream (audience, last_sequence) VALUES (%s, 1)"
            " ON CONFLICT (audience) DO UPDATE"
            " SET last_sequence = realtime_eventstream.last_sequence + 1"
            " RETURNING last_sequence",
            [audience],
        )
        (sequence,) = cursor.fetchone()
    event = Event.objects.create(audience=audience, sequence=sequence, kind=kind, payload=payload)
    transaction.on_commit(lambda: _announce(audience, sequence))
    return event


def _announce(audience: str, sequence: int) -> None:
    layer = get_channel_layer()
    message = {"type": "event.written", "audience": audience, "sequence": sequence}
    try:
        async_to_sync(layer.group_send)(group_name(audience), message)
    except (RedisError, OSError) as error:
        logger.warning("event %s #%s not announced: %r", audience, sequence, error)
