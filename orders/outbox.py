"""Effects outside the database: written down in the transaction they follow from, done after it.

    with transaction.atomic():
        …the order…
        enqueue(stream=f"order:{number}", kind="mail", key=f"mail:confirmation:{number}", payload=…)

    @handler("mail")
    def send(message: OutboxMessage) -> None: ...

The broker may lose what it likes: the row is the truth, and a job looks for rows every minute.
A message is done at least once: who dies between its effect and its commit leaves the row as it
was. So a handler must bear to be called again, and gives its effect a name made from
`message.key`, by which the receiver knows a copy. Why of our own: docs/decisions/0010-outbox.md.
"""

import logging
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.functions import Now
from django.utils import timezone
from prometheus_client import Counter

from jobs.nudge import nudge
from orders.models import OutboxMessage
from orders.redact import without_addresses

logger = logging.getLogger(__name__)

type Handler = Callable[[OutboxMessage], None]

TRIES: Final = 20
"""About a day, with `pause`: a mail server may be away that long."""
FIRST_PAUSE: Final = timedelta(seconds=10)
LONGEST_PAUSE: Final = timedelta(hours=2)
LONGEST_EFFECT: Final = 60
"""Seconds a handler may keep its message locked without asking the database anything."""
BUDGET: Final = 45.0
"""Seconds after which a relay begins no other message: the next one is due in a minute."""
FAILURES: Final = 5
"""Failed tries in a row after which a relay ends: it is the mail server then, not the mails."""
REST: Final = 60.0
"""Seconds in which this process then follows no nudge. Its worker has other things to do than to
wait for time-outs; the minute's job sees when the server is back."""
KEEP: Final = timedelta(days=30)
SWEEP: Final = 1000
"""Most done messages deleted in one transaction."""

OUTCOMES: Final = Counter(
    "orders_outbox", "Tries of outgoing messages, by how they ended.", ["outcome"]
)
for _outcome in ("done", "failed", "dead"):
    OUTCOMES.labels(_outcome)  # 0 until then: a rate needs a first value

_handlers: dict[str, Handler] = {}
_failed_at = -REST
"""When a relay ended for its FAILURES, by this process's monotonic clock."""


class Undeliverable(Exception):
    """Raised by a handler: another try would not help. The message is given up at once."""


def handler(kind: str) -> Callable[[Handler], Handler]:
    """Make a function the handler of this kind of message.

    It runs in the transaction that marks the message done, so what it writes to the database
    happens exactly once. What it does elsewhere must end by itself within LONGEST_EFFECT.
    """

    def register(function: Handler) -> Handler:
        _handlers[kind] = function
        return function

    return register


def enqueue(*, stream: str, kind: str, key: str, payload: dict[str, Any]) -> None:
    """Write the effect down, in the caller's transaction; without one it raises.

    The same `key` again is the same effect and changes nothing. Messages of a stream are done in
    the order in which they were written. Two transactions have such an order only if both wait
    for the same row: hold the order's row before you enqueue, as `change_status` does.
    """
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("an effect without a transaction")
    # Due by the database's clock, as it is the one that is asked whether it is.
    message = OutboxMessage(
        stream=stream, kind=kind, key=key, payload=payload, next_try_at=Now(), created_at=Now()
    )
    OutboxMessage.objects.bulk_create([message], ignore_conflicts=True)
    transaction.on_commit(nudge_relay)


def nudge_relay() -> None:
    nudge("orders.tasks.relay_now")


def waiting() -> QuerySet[OutboxMessage]:
    return OutboxMessage.objects.filter(done_at=None, dead_at=None)


def relay(limit: int = 200) -> int:
    """Do what is due, one message of each stream at a time. Returns how many were done.

    Any number of relays may run at once, in every region. Ends after `limit` tries, FAILURES in
    a row, or BUDGET. Raises Django's `Error`s when the database cannot be asked; a handler's own
    exception ends only its try.
    """
    global _failed_at  # of all threads of this process
    began = time.monotonic()
    done = failures = 0
    for _ in range(limit):
        message = _claim()
        if message is None:
            return done
        if _deliver(message):
            done, failures = done + 1, 0
        else:
            failures += 1
        if failures == FAILURES:
            _failed_at = time.monotonic()
            return done
        if time.monotonic() - began > BUDGET:
            break
    nudge_relay()  # there may be more
    return done


def follow_nudge() -> None:
    """Relay, unless that was in vain just now."""
    if time.monotonic() - _failed_at > REST:
        relay()


def pause(tries: int) -> timedelta:
    """How long a message waits after that many tries: 10 s, 20 s, 40 s, … 2 h."""
    doublings = min(tries, 30) - 1  # or the number of seconds would have no bound
    return min(FIRST_PAUSE * (1 << doublings), LONGEST_PAUSE)


@transaction.atomic(durable=True)
def _claim() -> OutboxMessage | None:
    """The message that is first in its stream and has been due longest, its try counted.

    Counted and committed first, so that a message which kills its relay is not taken up for ever.
    A message that another relay is about to do is locked and passed over, and so is its stream.
    """
    earlier = waiting().filter(stream=OuterRef("stream"), pk__lt=OuterRef("pk"))
    # By the index `outbox_due`: by "pk" PostgreSQL would read the done ones, oldest first.
    due = waiting().filter(~Exists(earlier), next_try_at__lte=Now())
    due = due.order_by("next_try_at", "pk")
    message = due.select_for_update(skip_locked=True).first()
    if message:
        message.attempts += 1
        OutboxMessage.objects.filter(pk=message.pk).update(
            attempts=message.attempts, next_try_at=Now() + pause(message.attempts)
        )
    return message


def _deliver(message: OutboxMessage) -> bool:
    """Do it and write it down. False if it failed, or is another's meanwhile."""
    try:
        with transaction.atomic(durable=True):
            if not _lock(message):
                return False
            if message.attempts > TRIES:
                raise Undeliverable(message.error or "Every try ended with its relay's death.")
            _handlers[message.kind](message)
            OutboxMessage.objects.filter(pk=message.pk).update(done_at=Now(), error="")
    except Exception as error:  # a handler may raise anything
        _failed(message, error)
        return False
    OUTCOMES.labels("done").inc()
    return True


def _lock(message: OutboxMessage) -> bool:
    """Whether the message is still this try's to do; then nobody else can take it up."""
    mine = waiting().filter(pk=message.pk, attempts=message.attempts)
    if not mine.select_for_update(skip_locked=True).exists():
        return False
    with connection.cursor() as cursor:
        # Over the shop's 15 s: the database would hang up while the mail server is slow.
        cursor.execute(f"SET LOCAL idle_in_transaction_session_timeout = '{LONGEST_EFFECT}s'")
    return True


def _failed(message: OutboxMessage, error: Exception) -> None:
    dead = isinstance(error, Undeliverable) or message.attempts >= TRIES
    mine = waiting().filter(pk=message.pk, attempts=message.attempts)
    text = without_addresses(f"{type(error).__name__}: {error}")[:1000]
    mine.update(error=text, dead_at=Now() if dead else None)
    OUTCOMES.labels("dead" if dead else "failed").inc()
    level = logging.ERROR if dead else logging.WARNING
    what = "given up" if dead else f"waits {pause(message.attempts)}"
    logger.log(level, "outbox: %s %s after try %s: %s", message.key, what, message.attempts, text)


@transaction.atomic
def send_again(messages: QuerySet[OutboxMessage]) -> int:
    """Give dead ones another round of tries. Returns how many; of a second click: none."""
    revived = messages.filter(dead_at__isnull=False).update(
        dead_at=None, attempts=0, next_try_at=Now()
    )
    if revived:
        transaction.on_commit(nudge_relay)
    return revived


def delete_done(*, limit: int = SWEEP * 100) -> int:
    """Delete messages done more than KEEP ago, at most `limit`. Returns how many.

    In several transactions, so that none is long.
    """
    deleted = 0
    while deleted < limit:
        batch = min(SWEEP, limit - deleted)
        old = OutboxMessage.objects.filter(done_at__lt=timezone.now() - KEEP).order_by("done_at")
        found = list(old.values_list("pk", flat=True)[:batch])
        OutboxMessage.objects.filter(pk__in=found).delete()
        deleted += len(found)
        if len(found) < batch:
            break
    return deleted
