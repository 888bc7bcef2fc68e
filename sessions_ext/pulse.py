"""A look at the stores once a second, in a thread of each serving process.

Without it everything holds, but Redis' primary answers every load, and a process that had no
request while Redis was away does not learn that it was.
"""

import logging
import threading
import time
from typing import Final

from sessions_ext.health import redis_gate

logger = logging.getLogger(__name__)

EVERY: Final = 1.0  # seconds

_started = threading.Lock()


def start() -> None:
    """Call it in wsgi.py and asgi.py, after Django's set-up, in the process that serves."""
    if _started.acquire(blocking=False):
        threading.Thread(target=_beat, name="sessions-pulse", daemon=True).start()


def _beat() -> None:
    while True:
        try:
            redis_gate.watch()
        except Exception:  # a thread that ends would leave the replica unused for good
            logger.exception("the look at the session stores failed")
        time.sleep(EVERY)
