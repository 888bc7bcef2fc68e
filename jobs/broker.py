"""Celery's way to a Redis that Sentinels watch, so that a worker outlives a promotion.

kombu's own transport does not (kombu 5.7, redis-py 8.1), in two ways:

- A primary that is demoted answers a worker's blocking read with `UNBLOCKED …`, for which redis-py
  has no class. kombu takes it for a defect of the command, and the worker ends.
- As it ends, it gives its unfinished messages back in a transaction that is begun again whenever
  its connection is lost. redis-py opens that connection to the former address without asking a
  Sentinel: to the demoted primary, which refuses the write. The worker does this forever at full
  speed, neither working nor gone, and nobody restarts it.

So a connection of ours asks the Sentinels whenever it connects, and takes UNBLOCKED for what it
is: the end of that primary. Whatever else may hold a worker that ends, `LastResort` ends.
"""

import logging
import os
import threading
from typing import Any, Final

from celery import bootsteps
from kombu.transport import TRANSPORT_ALIASES
from kombu.transport.redis import SentinelChannel, SentinelTransport
from redis.exceptions import ConnectionError, ResponseError

from storage.redis import FollowingConnection

logger = logging.getLogger(__name__)

LONGEST_END: Final = 60.0
"""Seconds a worker may take to finish its tasks and end. Whoever stops it may be less patient."""


class WorkersConnection(FollowingConnection):
    """Ends with the primary that it leads to, also in the middle of a blocking read."""

    def read_response(self, *args: Any, **options: Any) -> Any:
        try:
            return super().read_response(*args, **options)
        except ResponseError as error:
            if not str(error).startswith("UNBLOCKED"):
                raise
            self.disconnect()  # type: ignore[no-untyped-call]  # untyped there
            raise ConnectionError("the primary was demoted") from error


class FollowingChannel(SentinelChannel):
    connection_class = WorkersConnection


class FollowingTransport(SentinelTransport):
    Channel = FollowingChannel


class LastResort(bootsteps.StartStopStep):
    """Ends a worker that has not ended by itself a minute after it began to.

    Its unfinished tasks are not acknowledged, so they are given to others.
    """

    def close(self, worker: Any) -> None:
        ending = threading.Timer(LONGEST_END, _end)
        ending.daemon = True
        ending.start()


def _end() -> None:
    logger.critical("the worker did not end within %.0f s and is ended", LONGEST_END)
    os._exit(os.EX_SOFTWARE)


TRANSPORT_ALIASES["sentinel"] = f"{__name__}:FollowingTransport"
