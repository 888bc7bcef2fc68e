"""Operators' checks of orders: what follows from them leaves, and money does not wait."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from django.db import connection

from orders import outbox_metrics, payment_metrics
from regions.checkup import Answer, Check, Degraded, Probe, State, probes

LONGEST: Final = 300.0
"""Seconds that a message or a payment may wait: workers take up what is due within a minute."""
_AFTER: Final = ("postgres.writer", "redis.primary", "jobs.any")

OUTBOX: Final = Check(
    "orders.outbox",
    "mails and what else follows from orders leave: none is given up, none waits for long",
    impact="Orders stand, but some shoppers wait for their confirmation or what else was to come.",
    advice="Admin, Outgoing messages: each says what went wrong. Mend that, then send it again.",
    worst=State.DEGRADED,
    rank=6,
    after=_AFTER,
    deep=False,
)
PAYMENTS: Final = Check(
    "orders.payments",
    "no payment or refund waits for long, and none is owed back",
    impact="Some shoppers wait for their money, or to be told that they paid.",
    advice="Owed back: docs/operations.md, Cards. Due: do workers run, does the gateway answer?",
    worst=State.DEGRADED,
    rank=6,
    after=_AFTER,
    deep=False,
)


@probes
def orders() -> Iterator[Probe]:
    for check, ask in ((OUTBOX, _ask_outbox), (PAYMENTS, _ask_payments)):
        yield Probe(check, "database", partial(_closing, ask))


def _closing(ask: Callable[[], Answer]) -> Answer:
    """The connection is the probe's own thread's."""
    try:
        return ask()
    finally:
        connection.close()


def _ask_outbox() -> Answer:
    found = outbox_metrics.figures()
    told = f"{found.waiting} wait, the oldest for {found.oldest:.0f} s; {found.dead} given up"
    if found.dead or found.oldest > LONGEST:
        raise Degraded(told)
    return Answer(told)


def _ask_payments() -> Answer:
    found = payment_metrics.figures()
    told = f"{found.failing} fail now, due for {found.overdue:.0f} s; {found.owed_back} owed back"
    if found.owed_back or found.overdue > LONGEST:
        raise Degraded(told)
    return Answer(told)
