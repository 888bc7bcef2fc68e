"""Looks into Celery's queue in Redis, as the broker holds it."""

import base64
import json
from typing import Any

from redis import Redis


def sent_arguments(broker: Redis, namespace: str) -> list[dict[str, Any]]:
    """The keyword arguments of every task that waits, in no particular order."""
    messages = broker.lrange(f"{namespace}:celery:{namespace}", 0, -1)
    return [json.loads(base64.b64decode(json.loads(message)["body"]))[1] for message in messages]
