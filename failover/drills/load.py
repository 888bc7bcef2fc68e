"""The load of a drill: so many shoppers at the front door, and a few at each region's own."""

import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from failover.drills.browser import Browser
from failover.drills.cast import Goods, dismiss, log_in, new_members, pages
from failover.drills.operations import FRONT, Log
from failover.drills.shoppers import INSIST, PACE, Buyer, Member, Purchase, Reader, Shopper

DIRECT_PACE: Final = 0.8
"""Seconds between the operations of those who ask a region directly."""


@dataclass
class Load:
    log: Log = field(default_factory=Log)
    readers: list[Reader] = field(default_factory=list)
    buyers: list[Buyer] = field(default_factory=list)
    members: list[Member] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    began: float = 0
    ended: float = 0
    times_as_patient: float = 1
    password: str = field(default="", repr=False)
    """Of all members."""
    processor_seconds: float = 0
    """Of this whole process, while shoppers shopped."""

    @property
    def shoppers(self) -> list[Shopper]:
        return [*self.readers, *self.buyers, *self.members]

    @property
    def purchases(self) -> list[Purchase]:
        return [each for buyer in self.buyers for each in buyer.purchases]

    def enlist(
        self, door: str, base: str, count: int, goods: Goods, emails: Iterable[str], pace: float
    ) -> None:
        """A third of them each: readers, buyers, and members, of whom each has an e-mail."""
        common: dict[str, Any] = {
            "door": door,
            "log": self.log,
            "over": self.over,
            "pace": pace,
            "times_as_patient": self.times_as_patient,
        }
        looked_at = pages(goods)
        for number in range((count + 2) // 3):
            turned = looked_at[number % len(looked_at) :] + looked_at[: number % len(looked_at)]
            self.readers.append(Reader(Browser(base), paths=turned, **common))
        for number in range((count + 1) // 3):
            dice = Random(f"{door} {number}")  # noqa: S311 (no secret)
            self.buyers.append(Buyer(Browser(base), goods=goods.wanted, dice=dice, **common))
        for email in emails:
            browser = Browser(base)
            currency = log_in(browser, email, self.password)
            self.members.append(Member(browser, email=email, currency=currency, **common))

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """Everybody shops; afterwards buyers may insist for a while, and nobody is left."""
        threads = [threading.Thread(target=each.shop, daemon=True) for each in self.shoppers]
        self.began, before = time.monotonic(), time.process_time()
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.over.set()
            for thread in threads:
                thread.join(2 * INSIST)
            self.ended = time.monotonic()
            self.processor_seconds = time.process_time() - before

    @property
    def share_of_a_core(self) -> float:
        return self.processor_seconds / max(self.ended - self.began, 0.001)


@contextmanager
def gathered(
    front: str,
    direct: Mapping[str, str],
    shoppers: int,
    goods: Goods,
    times_as_patient: float = 1,
) -> Iterator[Load]:
    """Everybody is there, signed in, and has not begun. `direct` are the regions' addresses."""
    at_front = shoppers // 3
    password, emails = new_members(at_front + len(direct))
    load = Load(password=password, times_as_patient=times_as_patient)
    try:
        load.enlist(FRONT, front, shoppers, goods, emails[:at_front], PACE)
        for (region, base), email in zip(direct.items(), emails[at_front:], strict=True):
            load.enlist(region, base, 3, goods, [email], DIRECT_PACE)
        yield load
    finally:
        for shopper in load.shoppers:
            shopper.browser.close()
        dismiss(emails)
