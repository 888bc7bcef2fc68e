"""A look at the stores once a second, in a thread of each serving process.

Without it everything holds, but Redis' primary answers every load, and a process that had no
request while Redis was away does not learn that it was.
"""

import logging
import threading
import time
from typing import Final

from redis.exceptions import RedisError

from sessions_ext import metrics, redis_store
from sessions_ext.conf import conf
from sessions_ext.health import redis_gate

logger = logging.getLogger(__name__)

EVERY: Final = 1.0  # seconds

_started = threading.Lock()


def start() -> None:
    """Call it in wsgi.py and asgi.py, after Django's set-up, in the process that serves."""
    if _started.acquire(blocking=False):
        threading.Thread(target=_beat, name="sessions-pulse", daemon=True).start()


def _beat() -> None:
    told: dict[str, float] = {}
    while True:
        try:
            redis_gate.watch()
            told = _tell(told)
        except Exception:  # a thread that ends would leave the replica unused for good
            logger.exception("the look at the session stores failed")
        time.sleep(EVERY)


def _tell(told: dict[str, float]) -> dict[str, float]:
    """Add what was counted since then to the counts of all processes. Returns what is told now."""
    totals = metrics.totals()
    news = {name: value - told.get(name, 0) for name, value in totals.items()}
    news = {name: value for name, value in news.items() if value}
    if not news or not redis_gate.is_open():
        return told
    try:
        redis_store.add_counts(conf.redis(), news)
    except RedisError as error:
        redis_gate.close(error)
        return told
    return totals
