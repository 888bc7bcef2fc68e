"""Orders in their life, for tests: placed by the shop itself, so that stock and ledger agree."""

import threading
import time
from collections.abc import Callable
from typing import Any

from django.db import OperationalError, connections
from psycopg.errors import LockNotAvailable

from orders.models import Order, OutboxMessage, Payment
from orders.services.checkout import OrderDetails, Shown, place_order
from orders.services.payments import settle_by_hand
from shop.models import StockItem, StockMovement, Variant
from shop.queries.stock import find_differences, find_unclaimed
from tests.factories import make_cart
from tests.orders.pages import TYPED


def placed(units: dict[Variant, int], **fields: Any) -> Order:
    """A pending order, as checkout makes it."""
    details = OrderDetails(**{**TYPED, "currency": "TWD", **fields})
    return place_order(cart=make_cart(units), customer=None, details=details, shown=Shown())


def paid(units: dict[Variant, int], **fields: Any) -> Order:
    """An order whose money has come by bank."""
    order = placed(units, **fields)
    settle_by_hand(order=order, actor=None)
    order.refresh_from_db()
    return order


def payment_of(order: Order, state: Payment.State, **fields: Any) -> Payment:
    """The order's one payment, as far as that."""
    Payment.objects.filter(order=order).delete()
    return Payment.objects.create(
        order=order,
        gateway="stripe",
        state=state,
        amount=order.total_amount,
        currency=order.currency,
        **fields,
    )


def stock(variant: Variant) -> tuple[int, int]:
    """Units on hand, and allocated."""
    item = StockItem.objects.get(variant=variant)
    return item.on_hand, item.allocated


def lines(order: Order) -> list[tuple[int, int, int]]:
    """Of each line: units sold, sent, and back."""
    return list(order.lines.values_list("quantity", "shipped_quantity", "returned_quantity"))


def line_ids(order: Order) -> list[int]:
    return list(order.lines.values_list("pk", flat=True))


def mails(order: Order) -> list[str]:
    """Templates of what was queued since it was placed, in order."""
    queued = OutboxMessage.objects.filter(kind="mail", stream=f"order:{order.number}")
    names = [message.payload["template"] for message in queued]
    return names[names[:1] == ["confirmation"] :]


def steps(order: Order) -> list[tuple[str, str]]:
    """The audit trail, without the first row: each step's status and note."""
    return list(order.history.values_list("to_status", "note"))[1:]


def ledger(order: Order) -> list[tuple[str, str, int | None, str]]:
    """Its stock's movements: kind, mover, actor and reason."""
    rows = StockMovement.objects.filter(order_number=order.number).order_by("pk")
    return list(rows.values_list("kind", "mover", "actor", "reason"))


def books_are_right() -> bool:
    """Stock is its ledger's sum, and holds what open orders wait for."""
    return find_differences()[1] == [] and find_unclaimed() == []


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """What each returned, or the exception it raised; begun together, in threads of their own."""
    results: list[Any] = [None] * len(calls)
    start = threading.Barrier(len(calls), timeout=20)

    def run(place: int) -> None:
        try:
            start.wait()
            results[place] = calls[place]()
        except Exception as error:  # the test looks at it
            results[place] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results


def press(call: Callable[[], Any]) -> Any:
    """What it returns; once more when the shop says that it is busy, for half a minute at most.

    Whoever waits for an order's row longer than a request may is told so with a 503: on a busy
    machine, the last of many.
    """
    until = time.monotonic() + 30
    while True:
        try:
            return call()
        except OperationalError as error:
            if not isinstance(error.__cause__, LockNotAvailable) or time.monotonic() > until:
                raise
