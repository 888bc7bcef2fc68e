"""Can this region reach any other? One that cannot still answers the front door, and badly.

Cut off from the rest, a region has no quorum for a commit, no primary for a session, no lease;
the others have. So it takes itself out, though it cannot ask whether they serve: see
docs/decisions/0015 for what speaks against it, and why it is done all the same.

What is looked at is the network and nothing else. A connection that is accepted or *refused* came
through, so a region whose two peers died keeps serving; only silence counts. With fewer than two
peers there is no telling which side is cut off, and nobody is taken out.
"""

import logging
import socket
import threading
import time
from typing import Final
from urllib.parse import urlsplit

from django.conf import settings

from regions.readiness import readiness

logger = logging.getLogger(__name__)

EVERY: Final = 1.0  # seconds between two looks
TIMEOUT: Final = 1.0  # seconds for a connection: the furthest regions are 0.1 s apart
CUT_AFTER: Final = 4.0
"""Seconds without an answer from anybody, so that a lost packet or a slow second is none."""


class Peers:
    """The other regions, as this process sees them."""

    def __init__(self, addresses: list[tuple[str, int]]) -> None:
        self.addresses = addresses
        self.answered_at = time.monotonic()
        self.cut_off = False

    def look(self) -> bool:
        """Whether nobody has answered for `CUT_AFTER`. One that answers is enough."""
        if any(reaches(address) for address in self.addresses):
            self.answered_at = time.monotonic()
        silent = time.monotonic() - self.answered_at > CUT_AFTER
        if silent != self.cut_off:
            self.cut_off = silent
            logger.warning("no other region answers" if silent else "another region answers again")
        return silent


def reaches(address: tuple[str, int]) -> bool:
    """Whether something on the way there answers, be it with a refusal."""
    try:
        socket.create_connection(address, TIMEOUT).close()
    except ConnectionRefusedError:
        return True
    except OSError:  # no answer, no route, no name
        return False
    return True


def peer_addresses() -> list[tuple[str, int]]:
    urls = [
        urlsplit(url)
        for region, url in settings.ANYPORT_REGION_URLS.items()
        if region != settings.ANYPORT_REGION
    ]
    return [
        (url.hostname, url.port or (443 if url.scheme == "https" else 80))
        for url in urls
        if url.hostname
    ]


_started: Final = threading.Lock()
_peers: Final[list[Peers]] = []


def start() -> None:
    """Call it in wsgi.py: one look a second, in a thread of each web process."""
    addresses = peer_addresses()
    if len(addresses) >= 2 and _started.acquire(blocking=False):
        _peers.append(Peers(addresses))
        threading.Thread(target=_follow, args=_peers, name="peers", daemon=True).start()


def _follow(peers: Peers) -> None:
    while True:
        try:
            peers.look()
        except Exception:  # a thread that ends would leave the last answer for good
            logger.exception("the look at the other regions failed")
        time.sleep(EVERY)


@readiness
def cut_off() -> str | None:
    if any(peers.cut_off for peers in _peers):
        return "cut off: no other region can be reached from here"
    return None
