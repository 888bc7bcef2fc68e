"""Journeys with a crash in them, and what is left of each in the end, by everybody's books."""

import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from email import message_from_bytes
from itertools import takewhile
from pathlib import Path
from signal import SIGKILL
from typing import Any, Final, NamedTuple
from uuid import UUID, uuid4

from orders.models import Order, OrderStatusChange, Payment, Refund
from shop.models import StockMovement
from tests.card import Account
from tests.concurrency.journey import PART
from tests.concurrency.killed import Killer

GUEST: Final = (
    "fill_cart",
    "order",
    "pay",
    "enter_card",
    "come_back",
    "webhook",
    "refund",
    "relay",
)
"""The shopper comes back from Stripe's page, Stripe tells of it too, staff send a part back."""
CUSTOMER: Final = ("place", *GUEST[2:])
JOBS: Final = (
    "place",
    "an_hour_passes",
    "complete",
    "enter_card",
    "an_hour_passes",
    "complete",
    "ask_for_refund",
    "complete",
    "relay",
)
"""Nobody comes back: the completer starts the payment, captures it, and sends all of it back."""
PAID: Final = CUSTOMER[:4]
KILLED_IN: Final = {
    GUEST: ("order",),
    CUSTOMER: ("pay", "come_back", "webhook", "refund", "relay"),
    JOBS: ("complete",),
}
ASKED_AGAIN_AT_ONCE: Final = ("order", "pay", "refund")
"""By clients, who got no answer. Others come when the claims of the dead have ended."""
TOTAL: Final = 1370
"""In New Taiwan dollars, which Stripe counts in cents."""
CENTS: Final = 100


class Books(NamedTuple):
    """All that there is about one shopper."""

    orders: Counter[str]
    steps: Counter[str]
    movements: Counter[str]
    payments: Counter[tuple[str, int, int]]
    refunds: Counter[tuple[str, int]]
    pages: int
    """On which they could pay."""
    charges: Counter[tuple[str, int, int]]
    sent_back: Counter[int]
    mails: Counter[str]


PART_BACK: Final = Books(
    orders=Counter(["paid"]),
    steps=Counter(["pending", "paid"]),
    movements=Counter(["allocated"]),
    payments=Counter([("captured", TOTAL, PART)]),
    refunds=Counter([("done", PART)]),
    pages=1,
    charges=Counter([("captured", TOTAL * CENTS, PART * CENTS)]),
    sent_back=Counter([PART * CENTS]),
    mails=Counter(["confirmation", "refunded"]),
)
ALL_BACK: Final = Books(
    orders=Counter(["refunded"]),
    steps=Counter(["pending", "paid", "refunded"]),
    movements=Counter(["allocated", "released"]),
    payments=Counter([("refunded", TOTAL, TOTAL)]),
    refunds=Counter([("done", TOTAL)]),
    pages=1,
    charges=Counter([("captured", TOTAL * CENTS, TOTAL * CENTS)]),
    sent_back=Counter([TOTAL * CENTS]),
    mails=Counter(["confirmation", "refunded"]),
)
EXPECTED: Final = {GUEST: PART_BACK, CUSTOMER: PART_BACK, JOBS: ALL_BACK}


@dataclass
class Round:
    """One shopper's journey, and the steps until its process died; of one that lived, all."""

    email: str
    acts: tuple[str, ...]
    steps: list[str]
    was_killed: bool


@dataclass
class Rounds:
    taiwan: Killer
    tokyo: Killer
    """Lives on, as a server does."""
    account: Account
    mailbox: Path
    shared: dict[str, Any]
    """Of all journeys."""
    customer: dict[str, Any]
    began: int = field(default_factory=lambda: int(time.time()))

    def go(
        self,
        acts: tuple[str, ...],
        at: int = 0,
        *,
        counted: tuple[str, ...] | None = None,
        careless: str = "",
    ) -> Round:
        """Killed after step `at`, walked again in another region, and settled."""
        journey = self._journey(acts)
        how = {"counted": KILLED_IN[acts] if counted is None else counted, "careless": careless}
        report = self.taiwan.walk(journey=journey, acts=acts, at=at, **how)
        was_killed = report["signal"] == SIGKILL
        if was_killed:
            journey |= report["known"]
            rest = acts_again(acts, report["place"])
            self.tokyo.walk(journey=journey, acts=rest, at=0 if careless else None, **how)
        return Round(journey["email"], acts, report["steps"], was_killed)

    def click_twice(self, act: str, *keys: UUID, careless: str = "") -> tuple[Round, list[int]]:
        """Two clerks at the same moment, and what each was answered. They are forks of one process,
        as they have to meet: the second only says that it is in another region.
        """
        journey = self._journey(PAID)
        how: dict[str, Any] = {"counted": (), "careless": ""}
        journey |= self.tokyo.walk(journey=journey, acts=PAID, at=None, **how)["known"]
        clicks = [
            {
                "journey": journey | {"region": region, "keys": {"refund": str(key)}},
                "acts": ("meet", act),
                "counted": (),
                "at": 0,
                "careless": careless,
            }
            for region, key in zip(("taiwan", "tokyo"), keys, strict=True)
        ]
        answers = [report["answer"] for report in self.taiwan.walk_at_once(*clicks)]
        self.tokyo.walk(journey=journey, acts=("settle",), at=None, **how)
        return Round(journey["email"], PAID, [], was_killed=False), answers

    def where(self) -> list[dict[str, Any]]:
        """What the two processes see around them."""
        look: dict[str, Any] = {"acts": ("look_around",), "counted": (), "careless": ""}
        journey = self._journey(PAID)
        both = (self.taiwan, self.tokyo)
        return [process.walk(journey=journey, at=None, **look)["where"] for process in both]

    def warm_up(self) -> None:
        for process, acts in ((self.taiwan, GUEST), (self.tokyo, CUSTOMER)):
            process.walk(journey=self._journey(acts), acts=acts, at=None, counted=(), careless="")

    def _journey(self, acts: tuple[str, ...]) -> dict[str, Any]:
        return {
            "email": f"{uuid4()}@example.com",  # Stripe remembers those of other tests
            "keys": {act: str(uuid4()) for act in ("order", "pay", "refund")},
            **self.shared,
            **({} if acts[0] == "fill_cart" else self.customer),
        }

    def books(self, rounds: Iterable[Round]) -> list[Books]:
        v1 = self.account.v1
        pages, charges, refunds = map(
            self._by_payment, (v1.checkout.sessions, v1.charges, v1.refunds)
        )
        mails = self._mails()
        return [self._books(each.email, mails, pages, charges, refunds) for each in rounds]

    def _mails(self) -> dict[str, Counter[str]]:
        """By recipient: how many of each template."""
        found: dict[str, Counter[str]] = defaultdict(Counter)
        for file in self.mailbox.glob("*.eml"):
            message = message_from_bytes(file.read_bytes())
            found[str(message["To"])][file.name.split(".")[1]] += 1
        return found

    def _by_payment(self, service: Any) -> dict[str, list[Any]]:
        """What Stripe has of each payment of these rounds."""
        found = defaultdict(list)
        newest_first = service.list({"limit": 100}).auto_paging_iter()
        for one in takewhile(lambda one: one.created >= self.began, newest_first):
            if "payment" in one.metadata:
                found[one.metadata["payment"]].append(one)
        return found

    def _books(
        self, email: str, mails: dict[str, Counter[str]], *at_stripe: dict[str, list[Any]]
    ) -> Books:
        orders = Order.objects.filter(email=email)
        numbers = [order.number for order in orders]
        payments = Payment.objects.filter(order__email=email)
        pages, charges, refunds = (
            [one for payment in payments for one in found.get(str(payment.pk), [])]
            for found in at_stripe
        )
        return Books(
            orders=Counter(order.status for order in orders),
            steps=counted(OrderStatusChange.objects.filter(order__email=email), "to_status"),
            movements=counted(StockMovement.objects.filter(order_number__in=numbers), "kind"),
            payments=counted(payments, "state", "amount", "refunded_amount"),
            refunds=counted(Refund.objects.filter(payment__in=payments), "state", "amount"),
            pages=len(pages),
            charges=Counter(
                (
                    "captured" if one.captured else one.status,
                    one.amount_captured,
                    one.amount_refunded,
                )
                for one in charges
            ),
            sent_back=Counter(one.amount for one in refunds),
            mails=mails[email],
        )


def counted(rows: Any, *fields: str) -> Counter[Any]:
    return Counter(rows.values_list(*fields, flat=len(fields) == 1))


def acts_again(acts: tuple[str, ...], place: int) -> tuple[str, ...]:
    """What follows the crash: the act in which it was once more, and all that was not begun."""
    act, rest = acts[place], acts[place + 1 :]
    if act in ASKED_AGAIN_AT_ONCE:
        return ("fill_cart", act, "an_hour_passes", "complete", *rest, "settle")
    seen = ("enter_card",) if "enter_card" in acts[:place] else ()  # it knows what Stripe tells
    return (*seen, "an_hour_passes", act, *rest, "settle")
