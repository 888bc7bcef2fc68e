"""The account after a drill: every single operation of shoppers, compared with the database."""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import Any, Final

from failover.drills.browser import Answer, Browser
from failover.drills.cast import Goods
from failover.drills.load import Load
from failover.drills.shoppers import AGAIN, Purchase
from orders.models import IdempotencyRecord, Order, OrderLine
from shop.models import StockMovement
from shop.queries.stock import find_differences

REPLAYS: Final = 10
"""Acknowledged orders that are sent once more over HTTP. Of all the others the kept answer is
compared in the database."""

PATIENT: Final = 15.0
"""Seconds in which a region must answer again, after everything is whole."""

type Content = tuple[str, int, str, tuple[tuple[str, int, int], ...]]
"""An order: number, total, currency, and of each line SKU, quantity and total."""


@dataclass
class Account:
    acknowledged: int = 0
    refused: int = 0
    """For good: sold out."""
    unknown: int = 0
    """Orders of which nobody told their shopper, however often they asked."""
    unknown_kept: int = 0
    """Of those, the ones that are there."""
    lost: int = 0
    duplicates: int = 0
    oversold: int = 0
    sessions_lost: int = 0
    replays_differ: int = 0
    sessions: int = 0
    problems: list[str] = field(default_factory=list)
    """A line for everything that is wrong."""


def settle(load: Load, goods: Goods, doors: Mapping[str, str]) -> Account:
    """Compare everything. `doors`: addresses by name, all of which answer again."""
    account = Account(sessions=len(load.members))
    stored = _stored(load.purchases)
    for purchase in load.purchases:
        _compare(account, purchase, stored.get(purchase.email, []))
    _compare_answers(account, load.purchases)
    _replay(account, load.purchases, doors)
    _count_stock(account, load.purchases, goods)
    _ask_sessions(account, load, doors)
    return account


# --- Orders --------------------------------------------------------------------------------------


def _stored(purchases: Iterable[Purchase]) -> dict[str, list[Content]]:
    """What the writer has, by e-mail."""
    emails = [each.email for each in purchases]
    lines: dict[int, list[tuple[str, int, int]]] = defaultdict(list)
    rows = OrderLine.objects.filter(order__email__in=emails).order_by()
    for owner, sku, units, total in rows.values_list("order_id", "sku", "quantity", "total_amount"):
        lines[owner].append((sku, units, total))
    found: dict[str, list[Content]] = defaultdict(list)
    for order in Order.objects.filter(email__in=emails).order_by("pk"):
        content = tuple(sorted(lines[order.pk]))
        found[order.email].append((order.number, order.total_amount, order.currency, content))
    return found


def _told(purchase: Purchase) -> Content:
    order = purchase.answer.json() if purchase.answer else {}
    lines = sorted(
        (line["sku"], line["quantity"], line["total"]["amount"]) for line in order["lines"]
    )
    return order["number"], order["total"]["amount"], order["total"]["currency"], tuple(lines)


def _compare(account: Account, purchase: Purchase, there: Sequence[Content]) -> None:
    who = f"the order of {purchase.email}"
    if len(there) > 1:
        account.duplicates += len(there) - 1
        numbers = ", ".join(order[0] for order in there)
        account.problems.append(f"{who} is there {len(there)} times: {numbers}")
    if purchase.acknowledged:
        account.acknowledged += 1
        if _told(purchase) not in there:
            account.lost += 1
            found = f"there is {there[0]}" if there else "it is not there"
            account.problems.append(f"{who} was acknowledged as {_told(purchase)}; {found}")
    elif purchase.lost_its_cart:
        account.sessions_lost += 1
        account.problems.append(f"{purchase.email} filled a cart and was then told of none")
    elif purchase.answer is None:
        account.unknown += 1
        account.unknown_kept += bool(there)
    else:
        account.refused += 1
        told = f"{purchase.answer.status} {purchase.answer.problem_type}"
        if there:
            account.duplicates += len(there)
            account.problems.append(f"{who} was refused ({told}) and is there all the same")
        if purchase.answer.problem_type != "out-of-stock":
            account.problems.append(f"{who} was answered {told}, which says nothing of stock")


def _compare_answers(account: Account, purchases: Sequence[Purchase]) -> None:
    """What each key is answered with from now on, byte for byte."""
    known = {each.key: each for each in purchases if each.acknowledged}
    found = IdempotencyRecord.objects.filter(key__in=known).values_list("key", "body")
    kept = {str(key): body for key, body in found}
    for key in known.keys() - kept.keys():
        account.replays_differ += 1
        account.problems.append(f"key {key} keeps no answer: sent again it would order once more")
    for key, body in kept.items():
        answer = known[key].answer
        if answer is not None and bytes(body or b"") != answer.body:
            account.replays_differ += 1
            account.problems.append(f"key {key} keeps another answer than its shopper was given")


def _replay(account: Account, purchases: Sequence[Purchase], doors: Mapping[str, str]) -> None:
    """Some are sent again, in turn at every door: nothing happens, and the answer is the same."""
    chosen = [each for each in purchases if each.acknowledged][-REPLAYS:]
    addresses = list(doors.values())
    for number, purchase in enumerate(chosen):
        browser = Browser(addresses[number % len(addresses)], dict(purchase.cookies))
        headers = {"Idempotency-Key": purchase.key}
        body = purchase.body()
        again = _until_answered(
            partial(browser.ask, "POST", "/api/orders", 10, content=body, headers=headers)
        )
        browser.close()
        first = purchase.answer.body if purchase.answer else b""
        if again.body != first:
            account.replays_differ += 1
            account.problems.append(
                f"key {purchase.key} sent again was answered {again.status}, not as before"
            )


# --- Stock ---------------------------------------------------------------------------------------


def _count_stock(account: Account, purchases: Sequence[Purchase], goods: Goods) -> None:
    """Orders took what they say, once, and together no more than there was."""
    emails = [each.email for each in purchases]
    sold: Counter[tuple[str, str]] = Counter()
    lines = OrderLine.objects.filter(order__email__in=emails).order_by()
    for number, sku, units in lines.values_list("order__number", "sku", "quantity"):
        sold[number, sku] += units
    taken: Counter[tuple[str, str]] = Counter()
    moved: Any = StockMovement.objects.filter(
        order_number__in={number for number, _ in sold}, kind=StockMovement.Kind.ALLOCATED
    ).order_by()
    for number, sku, units in moved.values_list(
        "order_number", "stock_item__variant__sku", "allocated_change"
    ):
        taken[number, sku] += units
    for key in sold.keys() | taken.keys():
        if sold[key] != taken[key]:
            account.oversold += abs(sold[key] - taken[key])
            account.problems.append(f"{key[0]} has {sold[key]} of {key[1]}, took {taken[key]}")
    for sku, supply in _supply(goods).items():
        units = sum(count for (_, each), count in sold.items() if each == sku)
        if units > supply:
            account.oversold += units - supply
            account.problems.append(f"{units} of {sku} were sold; there were {supply}")
    _compare_ledger(account)


def _supply(goods: Goods) -> dict[str, int]:
    """Units that could be sold: of the beginning, and what came or was given back meanwhile."""
    supply = dict(goods.supply)
    moved = StockMovement.objects.filter(
        pk__gt=goods.since, stock_item__variant__sku__in=supply
    ).exclude(kind=StockMovement.Kind.ALLOCATED)
    for sku, on_hand, allocated in moved.values_list(
        "stock_item__variant__sku", "on_hand_change", "allocated_change"
    ):
        supply[sku] += on_hand - allocated
    return supply


def _compare_ledger(account: Account) -> None:
    _, differences = find_differences()
    for each in differences:
        account.oversold += max(1, abs(each.allocated - each.ledger_allocated))
        account.problems.append(f"stock of {each.sku} is not the sum of its movements")


# --- Sessions ------------------------------------------------------------------------------------


def _ask_sessions(account: Account, load: Load, doors: Mapping[str, str]) -> None:
    """Every door is asked once for every session, which must be whose it was."""
    for member in load.members:
        for door, address in doors.items():
            member.browser.close()
            cookies = member.browser.cookies
            member.browser = Browser(address, cookies)
            answer = _until_answered(member.look)
            if answer.status != HTTPStatus.OK:
                told = answer.status or answer.problem
                member.losses.append(f"{member.email}: {door} answers {told} in the end")
        if member.losses:
            account.sessions_lost += 1
            account.problems += member.losses


def _until_answered(ask: Callable[[], Answer]) -> Answer:
    """A region that was away may ask for patience once more."""
    until = time.monotonic() + PATIENT
    while (answer := ask()).told_nothing and time.monotonic() < until:
        time.sleep(AGAIN)
    return answer
