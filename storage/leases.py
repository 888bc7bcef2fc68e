"""Leases: of many that want to do something, one does it, until it says or is seen to have ended.

A lease is one item in DynamoDB. Every step replaces it on the condition that it still is what the
step was made from, which is told by its record version number (RVN), a UUID drawn for each write:

    nothing ──► held ◄──heartbeat──┐        A contender claims what is free at once.
                │ │ └──────────────┘        It claims what is held when the RVN it saw stayed
                │ └──release──► free ──┐    the same for the holder's whole `duration`, counted
                │                      │    by the contender's own clock from when it saw it
    held by the next, attempt + 1 ◄────┘    first. So no two clocks are ever compared; they
        ▲       │                           only have to run about equally fast.
        └───────┘ no heartbeat for one `duration`

A holder counts its own lease from when it *sent* the last write that succeeded, which is before
anybody could see it: it knows that it lost the lease before anybody else may take it. The clock
goes on while the machine sleeps (CLOCK_BOOTTIME; Linux's CLOCK_MONOTONIC stops), so a holder that
was frozen, stopped or put to sleep knows it at the first `check` after it woke up. What lapsed
stays lost to that holder, even when nobody took it.

Between a `check` and the act that follows it a process may still be frozen. Only the resource
itself can then refuse: `attempt` grows by one with each claim and never returns, because a lease
that was released is kept, so it is a fencing token. Let whatever is written carry it:

    UPDATE thing SET …, attempt = 8 WHERE … AND attempt <= 8

A reply may be lost though the write was done. botocore then sends it again, and the condition
fails on our own RVN: that is success. Where no reply came at all, later writes accept whichever
of our RVNs stands; none of them is older than one that others have seen, so an RVN never returns.

Sources: the protocol of the AWS DynamoDB lock client (awslabs/amazon-dynamodb-lock-client, whose
locks have no fencing token; a heartbeat whose reply was lost: cirello-io/dynamolock#280), and
M. Kleppmann, "How to do distributed locking" (2016), for the token. See docs/decisions/0014.
"""

import json
import logging
import random
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from botocore.exceptions import BotoCoreError, ClientError

from storage.clients import dynamodb
from storage.tables import leases_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

logger = logging.getLogger(__name__)

DRIFT: Final = 1.01
"""A contender waits this many leases: clocks differ in speed, by 0.05 % when NTP slews them."""
BEATS: Final = 3
"""Heartbeats in one lease: two may fail."""
SHORTEST_PAUSE: Final = 0.01  # seconds between two looks of a contender, at first
LONGEST_PAUSE: Final = 1.0
RESTRAINT: Final = 20
"""A contender pauses for so many times what its look took: a store that is slow is asked less."""


def _clock() -> float:
    """Seconds, in sleep as well where the system has such a clock. Nobody can set it."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


@dataclass
class Lease:
    """As it was read or, for its holder, as it is: `heartbeat` keeps that one true."""

    name: str
    owner: str
    version: str
    """The record version number: another after each write."""
    duration: float
    """Seconds."""
    attempt: int
    """The fencing token."""
    data: Any = None
    """Whatever the holder wanted to be read with it; JSON."""
    released: bool = False
    held_until: float = field(default=0.0, compare=False)
    """By this machine's own clock, for the holder only; 0 for everybody else."""
    tried: list[str] = field(default_factory=list, compare=False, repr=False)
    """RVNs of our own that may stand: no reply told."""

    @property
    def still_held(self) -> bool:
        return _clock() < self.held_until

    def check(self) -> None:
        """Raises LeaseLost when it may be another's. Call it before each step that matters."""
        if not self.still_held:
            raise LeaseLost(self)


class LeasesUnreachable(Exception):
    """DynamoDB could not be asked, or nobody knows whether it did what it was asked."""


class LeaseLost(Exception):
    """This holder may not go on: it was silent for too long, or another has the lease."""

    def __init__(self, lease: Lease) -> None:
        super().__init__(f"lease {lease.name}, attempt {lease.attempt} of {lease.owner}, was lost")
        self.lease = lease


class LeaseTaken(Exception):
    """Somebody else has it."""

    def __init__(self, lease: Lease) -> None:
        super().__init__(f"lease {lease.name} is held by {lease.owner}, attempt {lease.attempt}")
        self.lease = lease

    @property
    def owner(self) -> str:
        return self.lease.owner


# --- Steps -----------------------------------------------------------------------------------


def read(name: str) -> Lease | None:
    """Who has it or, if `released`, had it last. None if nobody ever did.

    Raises LeasesUnreachable.
    """
    try:
        answer = dynamodb().get_item(
            TableName=leases_table(), Key={"name": {"S": name}}, ConsistentRead=True
        )
    except (BotoCoreError, ClientError) as error:
        raise LeasesUnreachable(str(error)) from error
    return _from_item(answer["Item"]) if "Item" in answer else None


def try_acquire(name: str, *, owner: str, duration: float = 10.0, data: Any = None) -> Lease:
    """One try: claims it when it is free. Raises LeaseTaken and LeasesUnreachable."""
    return Contender(name, owner=owner, duration=duration, data=data).step()


def heartbeat(lease: Lease) -> None:
    """Hold it for another `duration` from now.

    Raises LeaseLost, and LeasesUnreachable when nobody could say: then try again soon.
    """
    lease.check()
    version, sent = str(uuid4()), _clock()
    try:
        _replace(lease, version, released=False)
    except _Refused as refused:
        lease.held_until = 0.0
        raise LeaseLost(lease) from refused
    lease.held_until = sent + lease.duration


def release(lease: Lease) -> None:
    """Let the next one have it at once. No error if it was lost. Raises LeasesUnreachable."""
    lease.held_until = 0.0  # before it is asked: the answer may never come
    try:
        _replace(lease, str(uuid4()), released=True)
    except _Refused:
        return
    lease.released = True


def _replace(lease: Lease, version: str, *, released: bool) -> None:
    mine = [lease.version, *lease.tried]
    lease.tried.append(version)
    _swap(mine, replace(lease, version=version, released=released))
    lease.version = version
    lease.tried.clear()


class Contender:
    """One owner's wait for one lease: what it saw, since when, and what it wrote itself."""

    def __init__(self, name: str, *, owner: str, duration: float = 10.0, data: Any = None) -> None:
        self.name, self.owner, self.duration, self.data = name, owner, duration, data
        self.seen: str | None = None
        """The RVN of the last look, unchanged since `seen_at`."""
        self.seen_at = 0.0
        self.changes = 0
        """How often it changed while we looked: somebody lives."""
        self._sent: dict[str, float] = {}
        """When we sent each claim of ours: an error does not say that it was not done."""

    def step(self) -> Lease:
        """Look, and claim it if it may be claimed. Raises LeaseTaken and LeasesUnreachable."""
        standing = read(self.name)
        if standing is None or standing.released:
            return self._claim(standing)
        if standing.version in self._sent:
            standing.held_until = self._sent[standing.version] + standing.duration
            if standing.still_held:
                return standing
        self._observe(standing)
        if _clock() - self.seen_at <= standing.duration * DRIFT:
            raise LeaseTaken(standing)
        logger.warning("lease %s: taken over from %s", self.name, standing.owner)
        return self._claim(standing)

    def _observe(self, standing: Lease) -> None:
        if standing.version != self.seen:
            self.changes += self.seen is not None
            # After the answer came, or a slow one would make the lease look older than it is.
            self.seen, self.seen_at = standing.version, _clock()

    def _claim(self, old: Lease | None) -> Lease:
        new = Lease(self.name, self.owner, str(uuid4()), self.duration, 1, self.data)
        if old:
            new.attempt = old.attempt + 1
        sent = self._sent[new.version] = _clock()
        try:
            _swap([old.version] if old else [], new)
        except _Refused as refused:
            self._observe(refused.standing)
            raise LeaseTaken(refused.standing) from refused
        new.held_until = sent + self.duration
        return new


# --- Waiting and holding ---------------------------------------------------------------------


def acquire(
    name: str,
    *,
    owner: str,
    duration: float = 10.0,
    wait: float | None = None,
    data: Any = None,
) -> Lease:
    """Wait `wait` seconds for it; if None, only until its holder is seen to live or to be dead.

    Raises LeaseTaken, and LeasesUnreachable: at once when `wait` is None, else at the end.
    """
    contender = Contender(name, owner=owner, duration=duration, data=data)
    give_up = None if wait is None else _clock() + wait
    pause = SHORTEST_PAUSE
    while True:
        asked = _clock()
        try:
            return contender.step()
        except (LeaseTaken, LeasesUnreachable) as problem:
            decided = isinstance(problem, LeasesUnreachable) or contender.changes
            if decided if give_up is None else _clock() >= give_up:
                raise
        pause = min(max(pause, RESTRAINT * (_clock() - asked)), duration / 10, LONGEST_PAUSE)
        # Jitter, or those that wait for one release would all come at once, again and again.
        time.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311  # no secret
        pause *= 2


@contextmanager
def hold(
    name: str,
    *,
    owner: str,
    duration: float = 10.0,
    wait: float | None = None,
    data: Any = None,
) -> Iterator[Lease]:
    """Hold the lease while the block runs; a thread sends its heartbeats. Waits as `acquire` does.

    `duration` in seconds: several times what one call to DynamoDB may take. `owner` says who, for
    people: region, host, process. The block calls `lease.check()` before each step that matters,
    and gives `lease.attempt` to whatever it writes to.

    Raises LeaseTaken and LeasesUnreachable before the block begins, never at its end: a release
    that failed costs the next one a full lease, and is logged.
    """
    lease = acquire(name, owner=owner, duration=duration, wait=wait, data=data)
    heart = _Heart(lease)
    try:
        heart.start()
        yield lease
    finally:
        heart.stop()
        try:
            release(lease)
        except LeasesUnreachable as error:
            logger.warning("lease %s was not released: %s", name, error)


class _Heart(threading.Thread):
    """Ends with the process, and with the lease: what lapsed is never revived."""

    def __init__(self, lease: Lease) -> None:
        super().__init__(name=f"lease {lease.name}", daemon=True)
        self._lease = lease
        self._stopping = threading.Event()

    def run(self) -> None:
        every = self._lease.duration / BEATS
        while not self._stopping.wait(every):
            try:
                heartbeat(self._lease)
                every = self._lease.duration / BEATS
            except LeasesUnreachable as error:
                logger.warning("lease %s: no heartbeat: %s", self._lease.name, error)
                every = self._lease.duration / BEATS / 4
            except LeaseLost as lost:
                logger.error("%s", lost)
                return

    def stop(self) -> None:
        self._stopping.set()
        if self.ident:  # it began
            self.join()  # as long as one call to DynamoDB may take


# --- DynamoDB --------------------------------------------------------------------------------


class _Refused(Exception):
    def __init__(self, standing: Lease) -> None:
        self.standing = standing


def _swap(old: list[str], new: Lease) -> None:
    """Put `new` in the place of one of the RVNs `old`, or of nothing when there is none.

    Raises _Refused with what stands, and LeasesUnreachable.
    """
    marks = {f":v{number}": {"S": version} for number, version in enumerate(old)}
    stands = f"version IN ({', '.join(marks)})" if marks else "attribute_not_exists(version)"
    values: dict[str, Any] = {"ExpressionAttributeValues": marks} if marks else {}
    try:
        dynamodb().put_item(
            TableName=leases_table(),
            Item=_as_item(new),
            ConditionExpression=stands,
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
            **values,
        )
    except ClientError as error:
        standing = _standing(error)
        if standing.version != new.version:
            raise _Refused(standing) from error
    except BotoCoreError as error:
        raise LeasesUnreachable(str(error)) from error


def _standing(error: ClientError) -> Lease:
    """What a condition failed on. Raises LeasesUnreachable for any other error."""
    response: dict[str, Any] = dict(error.response)
    if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
        raise LeasesUnreachable(str(error)) from error
    if not response.get("Item"):
        raise LeasesUnreachable("the lease was deleted while it was held") from error
    return _from_item(response["Item"])


def _as_item(lease: Lease) -> "dict[str, AttributeValueTypeDef]":
    """Without a time to live: with the item its count of attempts would end."""
    return {
        "name": {"S": lease.name},
        "owner": {"S": lease.owner},
        "version": {"S": lease.version},
        "duration": {"N": str(lease.duration)},
        "attempt": {"N": str(lease.attempt)},
        "data": {"S": json.dumps(lease.data)},
        "released": {"BOOL": lease.released},
        "written_at": {"S": datetime.now(UTC).isoformat()},  # for people; nobody judges by it
    }


def _from_item(item: "Mapping[str, AttributeValueTypeDef]") -> Lease:
    return Lease(
        name=item["name"]["S"],
        owner=item["owner"]["S"],
        version=item["version"]["S"],
        duration=float(item["duration"]["N"]),
        attempt=int(item["attempt"]["N"]),
        data=json.loads(item["data"]["S"]),
        released=item["released"]["BOOL"],
    )
