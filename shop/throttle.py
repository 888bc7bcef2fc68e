"""Counting tries, so that a number and an e-mail cannot be guessed by asking often."""

from dataclasses import dataclass
from typing import Final

from allauth.account.adapter import get_adapter
from django.core.cache import cache
from django.http import HttpRequest


@dataclass(frozen=True)
class Limit:
    """So many failed tries of an address in so many seconds."""

    action: str
    tries: int
    seconds: int


LOOKUP: Final = Limit("order-lookup", 10, 600)
"""Guessing the e-mail of one order."""
SCAN: Final = Limit("order-scan", 30, 600)
"""Looking up whatever order. Wider, for people may share an address."""


def spend_try(request: HttpRequest, limit: Limit, *, subject: str = "") -> bool:
    """Count a try of this address, at `subject` (an order's number) if it is given.

    False when the tries in this window are used up. Counting comes before trying, for many
    guesses at once would all find tries left; one that succeeds is given back. Nobody counts
    against another address, so no stranger locks an owner out.

    All regions count together, in the cache; without Redis each process by itself.
    """
    key = _key(request, limit, subject)
    try:
        cache.add(key, 0, timeout=limit.seconds)
        return bool(cache.incr(key) <= limit.tries)
    except ValueError:  # it expired between the two
        return True


def give_back(request: HttpRequest, limit: Limit, *, subject: str = "") -> None:
    """The try that was spent succeeded: it does not count."""
    try:
        cache.decr(_key(request, limit, subject))
    except ValueError:  # the window has ended
        return


def _key(request: HttpRequest, limit: Limit, subject: str) -> str:
    return f"throttle:{limit.action}:{get_adapter().get_client_ip(request)}:{subject}"
