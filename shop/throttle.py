"""Counting tries, so that a number and an e-mail cannot be guessed by asking often."""

import logging
from typing import Final

from allauth.account.adapter import get_adapter
from django.core.cache import cache
from django.http import HttpRequest
from django_redis.exceptions import ConnectionInterrupted
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

LOOKUP: Final = ("order-lookup", 10, 600)
"""Action, tries, seconds: looking up an order by number and e-mail."""


def spend_try(
    request: HttpRequest, limit: tuple[str, int, int], *, subject: str | None = None
) -> bool:
    """Count a try of this address, or at `subject` (an order's number) from wherever it comes.

    False when the tries in this window are used up.

    All regions count together, in the cache. Without the cache nobody is refused.
    """
    action, tries, seconds = limit
    key = f"throttle:{action}:{subject or get_adapter().get_client_ip(request)}"
    try:
        cache.add(key, 0, timeout=seconds)
        return bool(cache.incr(key) <= tries)
    except ValueError:  # it expired between the two
        return True
    except (ConnectionInterrupted, RedisError) as error:
        logger.warning("%s is not counted: %r", action, error)
        return True
