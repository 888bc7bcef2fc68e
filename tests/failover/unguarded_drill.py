"""Drills with one guard removed: `python -m tests.failover.unguarded_drill GUARD`.

Guards: `none` removed, though answers get lost on the way; `key`; `commit`; `copy`; `stock`;
`fence`. Prints what
`failover drill --json` prints, and ends with its exit code.
"""

import json
import sys
from collections.abc import Callable
from itertools import count
from typing import Any
from uuid import uuid4

import django

django.setup()

# ruff: noqa: E402 (Django first)
from django.conf import settings
from django.db.models import F, Q

from failover.actions.drill import EXIT_CODES
from failover.drills import Scenario, Wound
from failover.drills.browser import Answer, Browser
from failover.drills.cast import CAUSE
from failover.drills.engine import Course, Drill
from failover.drills.faults import Faults, Part
from failover.drills.scenarios import redis_flush
from failover.drills.shoppers import Buyer, Purchase
from orders.models import Order
from regions.embedded import postgres, postgres_client
from regions.embedded.faults import EmbeddedFaults
from regions.embedded.processes import wait_until
from shop.models import StockItem
from shop.services.stock import receive_stock
from storage.clients import dynamodb
from storage.tables import create_tables, sessions_table

ON_ONE_SERVER = 5
"""Orders that only the writer has, before it is killed."""


# --- Answers that get lost, with and without keys ------------------------------------------------


def lose_answers(*, keys: bool) -> None:
    """Of buyers' orders, every third: the shop did as it was asked, and nobody was told.

    Without keys, whoever hears nothing fills the cart again, and orders under a key of its own.
    """
    ask, fill, asked = Browser.ask, Buyer._fill, count()
    wants: dict[int, Purchase] = {}
    """By browser. Those that send orders again after the drill are in none."""

    def remember(self: Buyer, bought: Purchase) -> bool:
        wants[id(self.browser)] = bought
        return fill(self, bought)

    def lossy(self: Browser, method: str, path: str, limit: float, **more: Any) -> Answer:
        bought = wants.get(id(self))
        if path != "/api/orders" or bought is None:
            return ask(self, method, path, limit, **more)
        if not keys:
            again = {"sku": bought.sku, "quantity": bought.quantity}
            ask(self, "POST", "/api/cart/items", limit, content=again)
            more["headers"] = {"Idempotency-Key": str(uuid4())}
        answer = ask(self, method, path, limit, **more)
        return Answer(problem="the answer was lost") if next(asked) % 3 == 0 else answer

    Browser.ask = lossy  # type: ignore[method-assign]  # the point of it
    Buyer._fill = remember  # type: ignore[method-assign]  # the point of it


def nothing(faults: Faults) -> Wound:
    return Wound("answers were lost on the way")


# --- Commits that wait for nobody -----------------------------------------------------


def lose_the_only_server(faults: Faults) -> Wound:
    """Commits wait for no standby, and none follows; then the writer is gone."""
    assert isinstance(faults, EmbeddedFaults)
    writer = faults.writer()
    standbys = [Part("postgres", region) for region in faults.regions if region != writer]
    wait_for_nobody(faults, writer)
    faults.stop(standbys)
    before = Order.objects.count()
    assert wait_until(lambda: Order.objects.count() >= before + ON_ONE_SERVER, 60)
    faults.kill([Part("postgres", writer)], stay_away=True)
    for part in standbys:
        faults._supervisor.start(faults._key(part))
    chosen = str(standbys[0].region)
    assert wait_until(lambda: postgres_client.accepts_reads(faults._plan, chosen), 60)
    postgres_client.promote(faults._plan, chosen)
    return Wound(f"the only server with the last orders, that of {writer}, was lost")


# --- Sessions that are in Redis alone -----------------------------------------------------


def flush_without_copies(faults: Faults) -> Wound:
    """What DynamoDB holds of sessions is dropped first, as if it had never been written."""
    dynamodb(patient=True).delete_table(TableName=sessions_table())
    create_tables()
    return redis_flush.scenario.strike(faults)


# --- Stock that may go below zero ----------------------------------------------------------------


def sell_what_is_not_there(faults: Faults) -> Wound:
    """Everything is on back-order: nobody is told any more that something is sold out."""
    StockItem.objects.filter(back_order=False).update(back_order=True)
    assert wait_until(StockItem.objects.filter(_below_zero()).exists, 120)
    return Wound("stock may go below zero")


def _below_zero() -> Q:
    return Q(allocated__gt=F("on_hand"))


def fill_up() -> None:
    for item in StockItem.objects.filter(_below_zero()):
        receive_stock({item.variant_id: -item.balance}, CAUSE)
    StockItem.objects.update(back_order=False)


# --- An old writer that goes on ------------------------------------------------------------------


def promote_beside_the_writer(faults: Faults) -> Wound:
    """Nobody fences the old one, and each acknowledges what no other server has."""
    assert isinstance(faults, EmbeddedFaults)
    old = faults.writer()
    new = next(region for region in faults.regions if region != old)
    wait_for_nobody(faults, old)
    postgres_client.promote(faults._plan, new)
    wait_for_nobody(faults, new)
    return Wound(f"{new} was promoted beside the writer")


def wait_for_nobody(faults: EmbeddedFaults, region: str) -> None:
    with postgres_client.connect_admin(faults._plan, region) as server:
        server.execute("ALTER SYSTEM SET synchronous_standby_names = ''")
        server.execute("SELECT pg_reload_conf()")


class FencesAtLast(EmbeddedFaults):
    """As an operator would, when the damage is done."""

    def wait_whole(self, timeout: float) -> None:
        new = postgres.elect(self._plan)
        writers = [node for node in postgres.nodes(self._plan) if not node.is_standby]
        self.stop([Part("postgres", node.region) for node in writers if node != new])
        super().wait_whole(timeout)
        for region in self.regions:  # also who was rewound: it has the new writer's settings
            with postgres_client.connect_admin(self._plan, region) as server:
                server.execute("ALTER SYSTEM RESET synchronous_standby_names")
                server.execute("SELECT pg_reload_conf()")


def everything(guard: str) -> Scenario:
    if guard in {"none", "key"}:
        lose_answers(keys=guard != "key")
    strikes: dict[str, Callable[[Faults], Wound]] = {
        "commit": lose_the_only_server,
        "copy": flush_without_copies,
        "stock": sell_what_is_not_there,
        "fence": promote_beside_the_writer,
    }
    return Scenario(help=f"without {guard}", strike=strikes.get(guard, nothing), lasts=2)


def main(guard: str) -> int:
    settings.AWS_TIMEOUTS = {"connect_timeout": 5.0, "read_timeout": 60.0}  # a busy machine's
    course = Course(
        settings.ANYPORT_URL, settings.ANYPORT_REGION_URLS, shoppers=6, busy=True, recovery=15
    )
    faults = FencesAtLast() if guard == "fence" else EmbeddedFaults()
    result = Drill(guard, everything(guard), faults, course).run()
    print(json.dumps({"drills": [result.as_json()]}))
    if guard == "stock":
        fill_up()
    return EXIT_CODES[result.state]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
