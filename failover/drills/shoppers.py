"""Who shops during a drill: readers, guests who buy, and members who are signed in.

What is an operation, and when has it failed? docs/decisions/0019-drill.md.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import cycle
from random import Random
from typing import Any, Final
from uuid import uuid4

from failover.drills.browser import Answer, Browser
from failover.drills.operations import PATIENCE, Kind, Log, Operation, Outcome

PACE: Final = 0.25
"""Seconds between the beginnings of a shopper's operations: bounds what is asked of the shop."""
AGAIN: Final = 0.15
"""Seconds until somebody who knows nothing asks again."""
INSIST: Final = 30.0
"""Seconds after the end of a drill in which buyers go on asking what became of their order."""
DOMAIN: Final = "drill.invalid"
"""Nobody has an address there (RFC 2606), and no mail server takes it for somebody."""
ADDRESS: Final = {
    "line1": "12 Harbour Road",
    "city": "Keelung",
    "postcode": "202",
    "country": "TW",
}
UNANSWERED: Final = {0, 502, 503, 504}
"""Statuses after which the same is sent once more at once: sent into a process that died."""

type Judge = Callable[[Answer], str]
"""What is wrong with an answer, or nothing."""


@dataclass
class Shopper:
    """Somebody who does one thing after the other until the drill is over."""

    browser: Browser
    door: str
    log: Log
    over: threading.Event
    pace: float = PACE
    times_as_patient: float = 1
    tries: int = field(default=0, init=False)
    """Of the last operation."""

    def shop(self) -> None:
        while not self.over.is_set():
            began = time.monotonic()
            self.step()
            self.over.wait(max(0.0, began + self.pace - time.monotonic()))

    def step(self) -> None:
        raise NotImplementedError

    def do(
        self,
        kind: Kind,
        what: str,
        method: str,
        path: str,
        judge: Judge,
        *,
        content: Any = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """One operation. What changes something is sent a second time at once if nobody said what
        became of it; both within `PATIENCE`."""
        began, answer, self.tries = time.monotonic(), Answer(), 0
        most = 1 if method == "GET" else 2
        patience = PATIENCE * self.times_as_patient
        while self.tries < most and (left := began + patience - time.monotonic()) > 0:
            answer = self.browser.ask(method, path, left, content=content, headers=headers)
            self.tries += 1
            if answer.status not in UNANSWERED:
                break
        ended = time.monotonic()
        wrong = judge(answer) if answer.status else answer.problem
        late = ended - began > patience
        note = wrong or ("too late" if late else "")
        outcome = _outcome(method, answer, failed=bool(note), wrong=bool(wrong))
        self.log.add(
            Operation(
                kind,
                what,
                self.door,
                began,
                ended,
                outcome,
                answer.status,
                answer.region,
                self.tries,
                note,
            )
        )
        return answer


def _outcome(method: str, answer: Answer, *, failed: bool, wrong: bool) -> Outcome:
    if not failed:
        return Outcome.OK
    unknown = method != "GET" and wrong and answer.told_nothing and answer.sent
    return Outcome.UNKNOWN if unknown else Outcome.FAILED


# --- Readers -------------------------------------------------------------------------------------


def _is_page(answer: Answer) -> str:
    if answer.status != HTTPStatus.OK:
        return f"status {answer.status}"
    return "" if answer.body.rstrip().endswith((b"</html>", b"}")) else "half a page"


@dataclass
class Reader(Shopper):
    """Looks at pages of the catalogue."""

    paths: tuple[str, ...] = ("/",)

    def shop(self) -> None:
        self._turns = cycle(self.paths)
        super().shop()

    def step(self) -> None:
        self.do(Kind.READING, "page", "GET", next(self._turns), _is_page)


# --- Buyers --------------------------------------------------------------------------------------


@dataclass
class Purchase:
    """What one guest wanted and was told."""

    sku: str
    quantity: int
    email: str = field(default_factory=lambda: f"{uuid4().hex[:16]}@{DOMAIN}")
    key: str = field(default_factory=lambda: str(uuid4()))
    door: str = ""
    in_cart: bool = False
    sent: int = 0
    """Times that the order was sent."""
    answer: Answer | None = None
    """What settled it: an order, or a refusal for good. None while nobody knows."""
    cookies: dict[str, str] = field(default_factory=dict)
    contradictions: list[str] = field(default_factory=list)

    @property
    def acknowledged(self) -> bool:
        return self.answer is not None and self.answer.status == HTTPStatus.CREATED

    @property
    def lost_its_cart(self) -> bool:
        """It was told that there is no cart, after it was told that it was filled."""
        return self.in_cart and self.answer is not None and self.answer.problem_type == "empty-cart"

    def body(self) -> dict[str, Any]:
        known = {"email": self.email, "name": "Drill", "address": ADDRESS}
        return known | {"payment_method": "invoice"}


def _cart_has(sku: str) -> Judge:
    def judge(answer: Answer) -> str:
        if answer.status != HTTPStatus.OK:
            return f"status {answer.status}"
        skus = {line["sku"] for line in answer.json().get("lines", ())}
        return "" if sku in skus else "not in the cart"

    return judge


def _is_told(answer: Answer) -> str:
    """An order, or a refusal that stands: whoever reads it knows where they are."""
    if answer.status == HTTPStatus.CREATED:
        return ""
    if answer.status == HTTPStatus.CONFLICT and answer.problem_type == "out-of-stock":
        return ""
    return f"status {answer.status} {answer.problem_type}".strip()


@dataclass
class Buyer(Shopper):
    """A guest after the other: fills a cart, orders it, and asks again until it is known."""

    goods: tuple[str, ...] = ()
    purchases: list[Purchase] = field(default_factory=list)
    dice: Random = field(default_factory=lambda: Random(47))  # noqa: S311 (no secret)

    def step(self) -> None:
        self.browser.forget()
        bought = Purchase(self.dice.choice(self.goods), self.dice.randint(1, 2), door=self.door)
        while not self._fill(bought):
            if self.over.wait(AGAIN):
                return
        bought.in_cart = True
        self.purchases.append(bought)
        self.over.wait(self.pace)
        self._insist(bought)
        bought.cookies = dict(self.browser.cookies)

    def _fill(self, bought: Purchase) -> bool:
        wanted = {"sku": bought.sku, "quantity": bought.quantity}
        fits = _cart_has(bought.sku)
        answer = self.do(Kind.WRITING, "cart", "POST", "/api/cart/items", fits, content=wanted)
        return not (answer.status == 0 or fits(answer))

    def _insist(self, bought: Purchase) -> None:
        """Until an answer settles it, at most `INSIST` seconds after the end of the drill."""
        ends: float | None = None
        while bought.answer is None:
            if self.over.is_set():
                ends = ends or time.monotonic() + INSIST
                if time.monotonic() > ends:
                    return
            answer = self._order(bought)
            if not answer.told_nothing and answer.problem_type != "still-running":
                bought.answer = answer
            else:
                time.sleep(AGAIN)  # also when the drill is over, for then `over` waits no more

    def _order(self, bought: Purchase) -> Answer:
        bought.sent += 1
        return self.do(
            Kind.WRITING,
            "order",
            "POST",
            "/api/orders",
            _is_told,
            content=bought.body(),
            headers={"Idempotency-Key": bought.key},
        )


# --- Members -------------------------------------------------------------------------------------

CURRENCIES: Final = ("TWD", "JPY", "SGD", "USD")


@dataclass
class Member(Shopper):
    """Somebody signed in, who looks whether they still are, and changes their currency."""

    email: str = ""
    currency: str = ""
    """What was acknowledged last."""
    perhaps: set[str] = field(default_factory=set)
    """What was sent and not acknowledged, or sent twice: it may take effect whenever it likes."""
    losses: list[str] = field(default_factory=list)
    """Answers that came from another session than theirs, or from an older one."""
    steps: int = 0

    def step(self) -> None:
        self.steps += 1
        if self.steps % 4:
            self.look()
        else:
            self._change()

    def look(self) -> Answer:
        return self.do(
            Kind.SESSIONS, "session", "GET", "/api/session", self._judge({self.currency})
        )

    def _change(self) -> None:
        wanted = CURRENCIES[self.steps // 4 % len(CURRENCIES)]
        answer = self.do(
            Kind.SESSIONS,
            "preference",
            "PATCH",
            "/api/session",
            self._judge({wanted}),
            content={"currency": wanted},
        )
        acknowledged = answer.status == HTTPStatus.OK
        if self.tries > 1 or (answer.sent and not acknowledged):
            self.perhaps.add(wanted)
        if acknowledged:
            self.currency = wanted

    def _judge(self, held: set[str]) -> Judge:
        def judge(answer: Answer) -> str:
            if answer.status != HTTPStatus.OK:
                return f"status {answer.status}"
            session = answer.json()
            if (session.get("authenticated"), session.get("email")) != (True, self.email):
                told = session.get("email") or "nobody"
                self.losses.append(f"{self.email}: answered as {told} by {answer.region}")
                return "another session"
            if session.get("currency") not in held | self.perhaps:
                told = f"{session.get('currency')}, not {self.currency}"
                self.losses.append(f"{self.email}: holds {told}, says {answer.region}")
                return "an older session"
            return ""

        return judge
