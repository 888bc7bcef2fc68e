"""The PostgreSQL primary is killed in the middle of 500 checkouts, and a standby promoted."""

import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import cycle
from random import Random
from typing import Final

import httpx
import psutil
import psycopg

from regions.embedded import replication
from tests.guests import Guest, must_ask_again
from tests.ledger import allocations, last_movement, ledger, stocked
from tests.promotions import promoted
from tests.stack import Stack, wait_until

CHECKOUTS: Final = 500
AT_ONCE: Final = 30
PLENTY: Final = 5000
SCARCE: Final = 120
"""Units of the SKU that more of them want."""
BEHIND_AFTER: Final = 100
"""Answers until a standby is stopped; it lacks what comes later. Meanwhile twice as many order."""
KILLED_AFTER: Final = 300
"""Answers until the primary is killed. Meanwhile a hundred more order; the rest come later."""
IN_VAIN: Final = 20
"""Orders asked for in vain until the operator acts."""
WAIT: Final = 120.0
"""Seconds for what an idle machine does in a few."""

type Stored = tuple[str, int, str, tuple[tuple[str, int, int, int], ...]]
"""An order: number, total, currency, and of each line SKU, quantity, price and total."""


@dataclass
class Rush:
    """Guests who order at the same time, and what they were told."""

    bases: list[str]
    guests: list[Guest]
    answers: dict[str, httpx.Response] = field(default_factory=dict)
    """By the guest's e-mail, what settled it: an order, or a refusal for good."""
    unsettled: Counter[str] = field(default_factory=Counter)
    """Answers, and breaks of the connection, after which the guest asks again."""
    _admitted: int = 0
    _changed: threading.Condition = field(default_factory=threading.Condition)

    @property
    def orders(self) -> dict[str, Stored]:
        """What was acknowledged so far, by e-mail."""
        with self._changed:
            return {
                email: _acknowledged(answer)
                for email, answer in self.answers.items()
                if answer.status_code == httpx.codes.CREATED
            }

    def fill_carts(self) -> None:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(Guest.fill_cart, self.guests, cycle(self.bases)))

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """Two of three guests ask until they know; the third asks once, and again at the end."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            told = [pool.submit(self._order, number) for number in range(len(self.guests))]
            try:
                yield
            finally:
                self.admit(len(self.guests))
            for each in told:
                each.result()

    def admit(self, count: int) -> None:
        """Let the first so many guests order; the others wait."""
        with self._changed:
            self._admitted = count
            self._changed.notify_all()

    def wait_for_answers(self, count: int) -> None:
        self._wait_for(lambda: len(self.answers) >= count)

    def wait_for_refusals(self, count: int) -> None:
        self._wait_for(lambda: self.unsettled.total() >= count)

    def _wait_for(self, what: Callable[[], bool]) -> None:
        with self._changed:
            happened = self._changed.wait_for(what, WAIT)
        assert happened, f"only {len(self.answers)} answers; besides {self.unsettled}"

    def come_back(self) -> None:
        """Whoever does not know yet asks again, with the same key."""
        unsure = [guest for guest in self.guests if guest.email not in self.answers]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(self._insist, unsure, cycle(self.bases)))

    def close(self) -> None:
        for guest in self.guests:
            guest.client.close()

    def _order(self, number: int) -> None:
        guest, base = self.guests[number], self.bases[number % len(self.bases)]
        self._wait_for(lambda: number < self._admitted)
        if not self._try(guest, base) and number % 3:
            self._insist(guest, base)

    def _insist(self, guest: Guest, base: str) -> None:
        """In another region each time."""
        start = self.bases.index(base) + 1
        turns = cycle(self.bases[start:] + self.bases[:start])
        wait_until(lambda: self._try(guest, next(turns)), WAIT, "a guest knows", interval=0.2)

    def _try(self, guest: Guest, base: str) -> bool:
        """Whether the guest knows how it ended."""
        try:
            answer = guest.order(base)
        except httpx.TransportError as error:
            self._note(type(error).__name__)
            return False
        if must_ask_again(answer):
            self._note(str(answer.status_code))
            return False
        assert answer.status_code in {httpx.codes.CREATED, httpx.codes.CONFLICT}, answer.text
        with self._changed:
            self.answers[guest.email] = answer
            self._changed.notify_all()
        return True

    def _note(self, what: str) -> None:
        with self._changed:
            self.unsettled[what] += 1
            self._changed.notify_all()


def carts(scarce: str, others: list[str]) -> Iterator[dict[str, int]]:
    dice = Random(11)
    for _ in range(CHECKOUTS):
        cart = {sku: dice.randint(1, 3) for sku in dice.sample(others, dice.choice((1, 1, 2)))}
        if dice.random() < 0.4:
            cart[scarce] = 1
        yield cart


# --- The account ---------------------------------------------------------------------------------


def _acknowledged(answer: httpx.Response) -> Stored:
    told = answer.json()
    lines = sorted(
        (line["sku"], line["quantity"], line["price"]["amount"], line["total"]["amount"])
        for line in told["lines"]
    )
    return told["number"], told["total"]["amount"], told["total"]["currency"], tuple(lines)


def stored(live: psycopg.Connection, emails: Iterable[str]) -> dict[str, list[Stored]]:
    """The orders that a server shows, by e-mail."""
    found: dict[str, list[Stored]] = defaultdict(list)
    for email, number, total, currency, lines in live.execute(
        "SELECT email, number, orders.total_amount, currency,"
        " json_agg(json_build_array(sku, quantity, unit_amount, line.total_amount))"
        " FROM orders_order orders JOIN orders_orderline line ON order_id = orders.id"
        " WHERE email = ANY(%s) GROUP BY orders.id",
        [list(emails)],
    ):
        found[email].append((number, total, currency, tuple(sorted(map(tuple, lines)))))
    return dict(found)


def lost(stack: Stack, region: str, acknowledged: Mapping[str, Stored]) -> set[str]:
    """E-mails of those whose order the region's own server does not show as it was acknowledged."""
    with stack.pg_admin(region) as server:
        there = stored(server, acknowledged)
    return {email for email, order in acknowledged.items() if there.get(email) != [order]}


def kept_answers(live: psycopg.Connection, keys: Iterable[str]) -> dict[str, str]:
    """What each Idempotency-Key is answered with from now on."""
    rows = live.execute(
        "SELECT key::text, convert_from(body, 'UTF8') FROM orders_idempotencyrecord"
        " WHERE key = ANY(%s::uuid[])",
        [list(keys)],
    )
    return dict(rows.fetchall())


def mails_of(live: psycopg.Connection, emails: Iterable[str]) -> Counter[str]:
    """Confirmations that were written down to be sent, by e-mail."""
    rows = live.execute(
        "SELECT email FROM orders_order orders JOIN orders_outboxmessage message"
        " ON message.key = 'mail:confirmation:' || number || ':' WHERE email = ANY(%s)",
        [list(emails)],
    )
    return Counter(email for (email,) in rows)


def assert_stock_is_exact(
    live: psycopg.Connection, rush: Rush, skus: list[str], since: int
) -> None:
    for sku in skus:
        sold = {
            number: quantity
            for number, _, _, lines in rush.orders.values()
            for line_sku, quantity, _, _ in lines
            if line_sku == sku
        }
        assert allocations(live, sku, since) == sold
        assert ledger(live, sku)[1] == sum(sold.values())


# --- What an operator does -----------------------------------------------------------------------


def standbys_of(stack: Stack) -> list[str]:
    return [region for region in stack.regions if region != stack.roles["postgres"]]


def kill_postgres(stack: Stack, region: str) -> None:
    """The server and all that it forked, so that nobody is left who could still answer."""
    server = psutil.Process(stack.pid("postgres", region))
    for process in [server, *server.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    states = stack.supervisor.states
    wait_until(lambda: states()[f"postgres-{region}"].state == "EXITED", 30, "its end is noticed")


def position(stack: Stack, region: str) -> int:
    """Bytes of the log that a standby has: received to its disk, or replayed."""
    with stack.pg_admin(region) as server:
        row = server.execute(
            "SELECT pg_wal_lsn_diff("
            " greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()), '0/0')"
        ).fetchone()
    assert row is not None
    return int(row[0])


def furthest(stack: Stack, regions: Iterable[str]) -> str:
    return max(regions, key=lambda region: position(stack, region))


def wait_whole(stack: Stack, writer: str) -> None:
    others = {region for region in stack.regions if region != writer}
    wait_until(
        lambda: replication.followers(stack.plan, writer) == others,
        WAIT,
        f"{sorted(others)} follow {writer}",
    )
    wait_until(lambda: stack.roles["postgres"] == writer, 30, "roles follow")


def test_no_acknowledged_order_is_lost_with_the_primary(own_stack: Stack) -> None:
    """One standby was away for a while: which one is promoted matters."""
    old, (behind, fresh) = own_stack.roles["postgres"], standbys_of(own_stack)
    bases = [addresses["web"] for addresses in own_stack.regions.values()]
    with stocked(own_stack.writer, SCARCE, PLENTY, PLENTY, PLENTY) as skus:
        with own_stack.writer() as live:
            since = last_movement(live)
        rush = Rush(bases, [Guest(cart) for cart in carts(skus[0], skus[1:])])
        rush.fill_carts()

        with rush.going_on():
            rush.admit(2 * BEHIND_AFTER)
            rush.wait_for_answers(BEHIND_AFTER)
            own_stack.stop_process("postgres", behind)
            rush.admit(KILLED_AFTER + 100)
            rush.wait_for_answers(KILLED_AFTER)
            kill_postgres(own_stack, old)
            before = rush.orders
            rush.admit(CHECKOUTS)
            rush.wait_for_refusals(IN_VAIN)
            own_stack.start_process("postgres", behind)
            lost_there = lost(own_stack, behind, before)
            chosen = promoted(own_stack, "--keep-redis")["target"]
        asked_in_vain = rush.unsettled.copy()
        rush.come_back()
        rush.close()

        replayed = sum("Idempotency-Replayed" in each.headers for each in rush.answers.values())
        print(f"acknowledged before the primary's end: {len(before)} of {len(rush.orders)} orders")
        print(f"asked in vain: {dict(asked_in_vain)}; of these had committed: {replayed}")
        print(f"the other standby lacked {len(lost_there)} acknowledged orders")
        assert chosen == fresh
        assert lost_there  # else the choice would prove nothing
        assert len(rush.answers) == CHECKOUTS
        with own_stack.writer() as live:
            assert live.info.port == own_stack.plan.port("postgres", fresh)
            everyone = [guest.email for guest in rush.guests]
            assert stored(live, everyone) == {
                email: [order] for email, order in rush.orders.items()
            }
            assert mails_of(live, everyone) == Counter(list(rush.orders))
            keys = {guest.key: rush.answers[guest.email].text for guest in rush.guests}
            assert kept_answers(live, keys) == keys
            assert_stock_is_exact(live, rush, skus, since)
            assert ledger(live, skus[0]) == (SCARCE, SCARCE)
        wait_whole(own_stack, fresh)
        wait_until(lambda: not lost(own_stack, old, rush.orders), WAIT, f"{old} shows every order")


def test_orders_that_the_primary_alone_has_are_lost(own_stack: Stack) -> None:
    """The control: no commit waits for a standby, and the account tells what that costs."""
    writer, standbys = own_stack.roles["postgres"], standbys_of(own_stack)
    bases = [addresses["web"] for addresses in own_stack.regions.values()]
    with stocked(own_stack.writer, PLENTY) as skus:
        rush = Rush(bases, [Guest({skus[0]: 1}) for _ in range(12)])
        rush.fill_carts()
        set_synchronous(own_stack, writer, "SET synchronous_standby_names = ''")
        try:
            for region in standbys:
                own_stack.stop_process("postgres", region)
            with rush.going_on():
                pass
            rush.come_back()  # whoever was not served at once
            kill_postgres(own_stack, writer)
            for region in standbys:
                own_stack.start_process("postgres", region)

            missing = lost(own_stack, furthest(own_stack, standbys), rush.orders)
        finally:
            rush.close()
            own_stack.start_process("postgres", writer)
            set_synchronous(own_stack, writer, "RESET synchronous_standby_names")
            wait_whole(own_stack, writer)

        assert missing == {guest.email for guest in rush.guests}
        assert not lost(own_stack, writer, rush.orders)


def set_synchronous(stack: Stack, writer: str, what: str) -> None:
    with stack.pg_admin(writer) as server:
        server.execute(f"ALTER SYSTEM {what}".encode())
        server.execute("SELECT pg_reload_conf()")
