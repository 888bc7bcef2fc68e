"""Which store may be asked just now, so that a dead one costs microseconds and not a time-out.

A gate closes at the first failure: there is another store to turn to, so nothing is lost by being
quick. A thread of its own then tries the store until it answers, so that no shopper waits for it.
Redis is trusted again only when it has been told what went past it (sessions_ext.reconcile).
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Final, cast

from botocore.exceptions import BotoCoreError, ClientError
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from sessions_ext import redis_store
from sessions_ext.conf import conf
from sessions_ext.reconcile import bury_copies, reconcile
from sessions_ext.record import now_ms

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

logger = logging.getLogger(__name__)

PROBE_EVERY: Final = 0.25  # seconds
LOOK_BACK: Final = 10 * 60 * 1000
"""Milliseconds: a process that has just started reads what went past Redis since then."""
OVERLAP: Final = 60 * 1000
"""Milliseconds before a failure was seen here that others may have seen it."""
TAIL: Final = 5 * 1000
"""Milliseconds between two looks at the journal: what a region that was cut off from Redis wrote,
and above all a log-out there, is known everywhere so soon."""
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
        self._closed_at = time.monotonic()

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

    @property
    def closed_for(self) -> float:
        """Seconds; 0 while it is open."""
        return 0.0 if self._open else time.monotonic() - self._closed_at

    def close(self, error: Exception) -> None:
        """The store did not answer, or must not be trusted before its probe has passed."""
        with self._lock:
            was_open, self._open, self._tried = self._open, False, True
        if was_open:
            self._closed_at = time.monotonic()
            logger.warning("%s is not used for sessions from now on: %r", self.name, error)
        self._try_in_background()

    def _try(self) -> bool:
        try:
            self._probe()
        except AWAY:
            return False
        self._open = True
        try:
            self._follow_up()
        except AWAY as error:
            self.close(error)
        return self._open

    def _follow_up(self) -> None:
        """Done when it is open: for whoever saw it closed until then. May raise one of AWAY."""

    def _try_in_background(self) -> None:
        with self._lock:
            if self._probing:
                return
            self._probing = True
        work = threading.Thread(target=self._keep_trying, name=f"{self.name}-gate", daemon=True)
        try:
            work.start()
        except RuntimeError:  # no threads left, or the interpreter ends: the next caller tries it
            with self._lock:
                self._probing = False

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
        self._reconciled = 0
        """When the journal was read last (ms)."""
        self._owed: int | None = None
        """The journal was not read since then, as DynamoDB was away too."""
        self._identity: tuple[Any, ...] | None = None
        self._address: object = None
        """Where the client had found the primary that was trusted."""
        self._name = token_hex(8)
        self._beats = 0
        """Written by this process. No node has a higher one than was sent to it, as one might of
        a counter that all share: a former primary, cut off, may have counted further."""
        self._beat = 0
        """That the primary had at the last look; 0 where the replica cannot be judged by it."""
        self._fresh_until = 0.0
        self.had_replicas = False
        """Whether a replica was ever seen to follow: then one is to be expected."""

    def close(self, error: Exception) -> None:
        if self._open:
            self._since = now_ms() - OVERLAP
        self._doubt_replica()
        super().close(error)

    def _doubt_replica(self) -> None:
        """It may have been cut off as well, and must show that it has what came afterwards."""
        self._beat, self._fresh_until = 0, 0.0

    def confirmed[T](self, answer: T) -> T:
        """The answer, if it may be believed. Raises redis' ConnectionError when the client, which
        follows the Sentinels by itself, has turned to another primary: it may lack log-outs.
        """
        if self._address != _address_of(conf.redis()):
            raise RedisConnectionError("another primary answered, and is not reconciled yet")
        return answer

    def replica(self) -> Redis | None:
        """This region's replica, while it is known to be at most a few seconds behind."""
        return conf.replica() if time.monotonic() < self._fresh_until else None

    def watch(self) -> None:
        """One look at primary and replica; `sessions_ext.pulse` takes one each second.

        A replica counts as fresh when it has what the primary was given at the look before. A
        primary that is another one than before may lack deletions: it is reconciled first.
        """
        try:
            beat = self._look()
        except RedisError as error:
            self.close(error)
            return
        fresh = self._replica_has(self._beat)
        self._fresh_until = time.monotonic() + FRESH if fresh else 0.0
        self._beat = beat

    def _look(self) -> int:
        identity, beat = self._ask_primary()
        if self._identity not in (None, identity):
            self.close(ConnectionError("another primary, or restarted"))
        elif self._owed is not None and dynamodb_gate.is_open():
            self._reconcile(self._owed)
        elif self._open and now_ms() - self._reconciled > TAIL and dynamodb_gate.is_open():
            self._reconcile(max(0, self._reconciled - TAIL))
        return beat

    def _ask_primary(self) -> tuple[tuple[Any, ...], int]:
        with self._lock:
            self._beats += 1
            beat = self._beats
        pipeline = conf.redis().pipeline(transaction=False)
        # A write: what refuses it cannot save either.
        pipeline.set(redis_store.beat_key(self._name), beat, ex=60)
        pipeline.info("server")
        pipeline.info("replication")
        _, server, replication = pipeline.execute()
        self.had_replicas |= has_follower(replication)
        return (server["run_id"], replication.get("master_replid")), beat

    def _replica_has(self, beat: int) -> bool:
        replica = conf.replica()
        if replica is None or not beat:
            return False
        try:
            return int(cast(bytes, replica.get(redis_store.beat_key(self._name)) or b"0")) >= beat
        except RedisError:
            return False

    def _restore(self) -> None:
        identity, _ = self._ask_primary()
        since = self._since
        if self._identity not in (None, identity):
            since = now_ms() - conf.age * 1000  # whatever it was promoted from may have lacked more
        address = _address_of(conf.redis())
        self._reconcile(since if self._owed is None else min(since, self._owed))
        self._identity, self._address = identity, address
        self._doubt_replica()

    def _follow_up(self) -> None:
        """Once more: what was noted after the journal was read, by requests that saw it closed."""
        if self._owed is None:
            self._reconcile(self._reconciled - 1000)

    def _reconcile(self, since: int) -> None:
        dynamodb = conf.dynamodb()
        if dynamodb is None:
            return
        started = now_ms()
        try:
            reconcile(conf.redis(), dynamodb, since=since)
        except DYNAMODB_AWAY as error:
            # Nobody can write past Redis now either; `watch` reads the journal later.
            logger.warning("Redis is trusted unreconciled: %r", error)
            self._owed = since
            dynamodb_gate.close(error)
        else:
            self._owed, self._reconciled = None, started


def has_follower(replication: Mapping[str, Any]) -> bool:
    """Whether a replica is up to date, and not only being filled: of the section `replication`."""
    followers = (value for name, value in replication.items() if name.startswith("slave"))
    return any(isinstance(one, dict) and one.get("state") == "online" for one in followers)


def _address_of(client: Redis) -> object:
    """None where the client follows no Sentinels."""
    return getattr(client.connection_pool, "master_address", None)


class DynamoDBGate(Gate):
    """Knows since when DynamoDB may have missed log-outs: alone, it would bring them back."""

    def __init__(self) -> None:
        super().__init__("DynamoDB", self._restore, trusted=True)

    def reset(self) -> None:
        super().reset()
        self._since: int | None = None

    def close(self, error: Exception) -> None:
        if self._open:
            self._since = now_ms() - OVERLAP
        super().close(error)

    def _restore(self) -> None:
        client = conf.dynamodb()
        if client is None:
            return
        client.get_item(TableName=conf.table, Key={"pk": {"S": "probe"}, "sk": {"S": "probe"}})
        self._tell(client)

    def _follow_up(self) -> None:
        if client := conf.dynamodb():
            self._tell(client)

    def _tell(self, client: "DynamoDBClient") -> None:
        if self._since is None:
            return
        try:
            bury_copies(client, redis_store.tombstones_since(conf.redis(), self._since))
        except RedisError as error:  # then nobody knows better; the sweep tells it later
            logger.warning("DynamoDB is trusted without what Redis knows: %r", error)


redis_gate = RedisGate()
dynamodb_gate = DynamoDBGate()


def reset() -> None:
    """Forget what is known about the stores: in a forked child, or when settings change."""
    redis_gate.reset()
    dynamodb_gate.reset()


os.register_at_fork(after_in_child=reset)
