"""Which store may be asked just now, so that a dead one costs microseconds and not a time-out.

A gate closes at the first failure: there is another store to turn to, so nothing is lost by being
quick. A thread of its own then tries the store until it answers, so that no shopper waits for it.
Redis is trusted again only when it has been told what went past it (sessions_ext.reconcile).
"""

import logging
import os
import threading
import time
from collections.abc import Callable
from typing import Any, Final, cast

from botocore.exceptions import BotoCoreError, ClientError
from redis import Redis
from redis.exceptions import RedisError

from sessions_ext import redis_store
from sessions_ext.conf import conf
from sessions_ext.reconcile import reconcile
from sessions_ext.record import now_ms

logger = logging.getLogger(__name__)

PROBE_EVERY: Final = 0.25  # seconds
LOOK_BACK: Final = 10 * 60 * 1000
"""Milliseconds: a process that has just started reads what went past Redis since then."""
OVERLAP: Final = 60 * 1000
"""Milliseconds before a failure was seen here that others may have seen it."""
FRESH: Final = 3.0
"""Seconds that an answer of `watch` holds."""

DYNAMODB_AWAY: Final = (ClientError, BotoCoreError)
AWAY: Final = (RedisError, *DYNAMODB_AWAY)


class Gate:
    """Open or closed. `probe` raises one of AWAY while the store must not be used."""

    def __init__(self, name: str, probe: Callable[[], None], *, trusted: bool) -> None:
        self.name = name
        self._probe = probe
        self._trusted_at_first = trusted
        self.reset()

    def reset(self) -> None:
        """As in a new process."""
        self._lock = threading.Lock()
        self._open = self._tried = self._trusted_at_first
        self._probing = False

    def is_open(self) -> bool:
        """Whether to use the store. The first caller of all tries it, if it must be tried."""
        if self._open:
            return True
        with self._lock:
            first, self._tried = not self._tried, True
        if first and self._try():
            return True
        self._try_in_background()
        return False

    def close(self, error: Exception) -> None:
        """The store did not answer, or must not be trusted before its probe has passed."""
        with self._lock:
            was_open, self._open, self._tried = self._open, False, True
        if was_open:
            logger.warning("%s is not used for sessions from now on: %r", self.name, error)
        self._try_in_background()

    def _try(self) -> bool:
        try:
            self._probe()
        except AWAY:
            return False
        self._open = True
        return True

    def _try_in_background(self) -> None:
        with self._lock:
            if self._probing:
                return
            self._probing = True
        threading.Thread(target=self._keep_trying, name=f"{self.name}-gate", daemon=True).start()

    def _keep_trying(self) -> None:
        try:
            while not self._try():
                time.sleep(PROBE_EVERY)
        finally:
            with self._lock:
                self._probing = False
        logger.warning("%s is used for sessions again", self.name)


class RedisGate(Gate):
    """Knows since when Redis may have missed something, and whether the replica keeps up."""

    def __init__(self) -> None:
        super().__init__("Redis", self._restore, trusted=False)

    def reset(self) -> None:
        super().reset()
        self._since = now_ms() - LOOK_BACK
        self._identity: tuple[Any, ...] | None = None
        self._beat = 0
        self._fresh_until = 0.0

    def close(self, error: Exception) -> None:
        if self._open:
            self._since = now_ms() - OVERLAP
        super().close(error)

    def replica(self) -> Redis | None:
        """This region's replica, while it is known to be at most a few seconds behind."""
        return conf.replica() if time.monotonic() < self._fresh_until else None

    def watch(self) -> None:
        """One look at primary and replica; `sessions_ext.pulse` takes one each second.

        A replica counts as fresh when it has what the primary was given at the look before. A
        primary that is another one than before may lack deletions: it is reconciled first.
        """
        try:
            identity, beat = self._ask_primary()
        except RedisError as error:
            self._fresh_until = 0.0
            self.close(error)
            return
        if self._identity not in (None, identity):
            self._open, self._since = False, now_ms() - conf.age * 1000
            self.close(ConnectionError("another primary, or restarted"))
        self._identity = identity
        if self._replica_has(self._beat):
            self._fresh_until = time.monotonic() + FRESH
        else:
            self._fresh_until = 0.0
        self._beat = beat

    def _ask_primary(self) -> tuple[tuple[Any, ...], int]:
        pipeline = conf.redis().pipeline(transaction=False)
        pipeline.incr(redis_store.beat_key())  # a write: what refuses it cannot save either
        pipeline.info("server")
        pipeline.info("replication")
        beat, server, replication = pipeline.execute()
        return (server["run_id"], replication.get("master_replid")), beat

    def _replica_has(self, beat: int) -> bool:
        replica = conf.replica()
        if replica is None or not beat:
            return False
        try:
            return int(cast(bytes, replica.get(redis_store.beat_key()) or b"0")) >= beat
        except RedisError:
            return False

    def _restore(self) -> None:
        client = conf.redis()
        client.incr(redis_store.beat_key())
        dynamodb = conf.dynamodb()
        if dynamodb is None:
            return
        try:
            reconcile(client, dynamodb, since=self._since)
        except DYNAMODB_AWAY as error:
            # Nobody can write past Redis now either; the sweep reads the journal later.
            logger.warning("Redis is trusted unreconciled: %r", error)
            dynamodb_gate.close(error)


def _ask_dynamodb() -> None:
    client = conf.dynamodb()
    if client is not None:
        client.get_item(TableName=conf.table, Key={"pk": {"S": "probe"}, "sk": {"S": "probe"}})


redis_gate = RedisGate()
dynamodb_gate = Gate("DynamoDB", _ask_dynamodb, trusted=True)


def reset() -> None:
    """Forget what is known about the stores: in a forked child, or when settings change."""
    redis_gate.reset()
    dynamodb_gate.reset()


os.register_at_fork(after_in_child=reset)
