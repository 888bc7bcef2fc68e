"""Who takes part in a drill, and what there is to buy: made in the database beforehand."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from uuid import uuid4

from django.contrib.auth.hashers import make_password
from django.db import DatabaseError, connection, connections
from django.db.models import F, Max, QuerySet

from failover.drills.browser import Browser
from failover.drills.faults import FaultFailed
from failover.drills.shoppers import DOMAIN
from shop.models import Customer, Product, StockItem, StockMovement, Variant
from shop.services.stock import Cause, adjust_stock, receive_stock

SCARCE: Final = 30
"""Units of the one SKU that more shoppers want than can have it."""
PLENTY: Final = 5000
"""Units at least of each other one."""
DATABASE_LIMIT: Final = 30.0
LOG_IN_LIMIT: Final = 30.0
"""Seconds: passwords are hashed, one after the other, and nothing is measured yet."""
CAUSE: Final = Cause(StockMovement.Mover.SYSTEM, reason="failover drill")


@dataclass(frozen=True)
class Goods:
    """What there is to buy."""

    supply: dict[str, int]
    """Units that there were at the beginning, by SKU."""
    scarce: str
    since: int
    """Number of the last movement of stock before the drill."""

    @property
    def wanted(self) -> tuple[str, ...]:
        """To be drawn from: the scarce one comes up as often as all the others."""
        others = tuple(sku for sku in self.supply if sku != self.scarce)
        return others + (self.scarce,) * len(others)


def await_database() -> None:
    """Until the writer answers this process again. Raises DatabaseError after 30 seconds."""
    until = time.monotonic() + DATABASE_LIMIT
    while True:
        connections.close_all()  # what was opened before the fault may lead nowhere
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
            return
        except DatabaseError:
            if time.monotonic() > until:
                raise
            time.sleep(0.5)


@contextmanager
def goods() -> Iterator[Goods]:
    """Plenty of some variants, too few of one. The scarce one's stock is put back afterwards."""
    items = list(_candidates()[:5])
    if len(items) < 3:
        raise FaultFailed("the shop has fewer than three variants to sell: `manage.py seed_demo`")
    scarce, *others = items
    for item in others:
        if item.balance < PLENTY:
            receive_stock({item.variant_id: PLENTY - item.balance}, CAUSE)
    less = min(0, SCARCE - scarce.balance)
    adjust_stock({scarce.variant_id: less}, CAUSE)
    try:
        skus = [item.variant.sku for item in items]
        now = StockItem.objects.filter(variant__sku__in=skus)
        yield Goods(
            {item.variant.sku: item.balance for item in now.select_related("variant")},
            scarce.variant.sku,
            StockMovement.objects.aggregate(last=Max("pk", default=0))["last"],
        )
    finally:
        await_database()
        adjust_stock({scarce.variant_id: -less}, CAUSE)


def _candidates() -> QuerySet[StockItem]:
    """What can be bought and is not sold on back-order; the first has the most units."""
    on_sale = Variant.objects.filter(is_active=True, product__in=Product.objects.on_sale())
    items = StockItem.objects.filter(variant__in=on_sale, back_order=False)
    return items.select_related("variant").order_by(F("allocated") - F("on_hand"), "variant__sku")


def pages(goods: Goods) -> tuple[str, ...]:
    """Of the catalogue: front page, products, a category, the API."""
    products = Product.objects.on_sale().filter(variants__sku__in=goods.supply).distinct()
    slugs = list(products.order_by("slug").values_list("slug", flat=True))
    shown = [f"/products/{slug}/" for slug in slugs]
    return ("/", *shown, "/api/products?page=1", "/search/?q=tote")


def new_members(count: int) -> tuple[str, list[str]]:
    """A password, and the e-mails of new customers who all have it: to hash one takes a while."""
    password = uuid4().hex
    hashed = make_password(password)
    emails = [f"member-{uuid4().hex[:12]}@{DOMAIN}" for _ in range(count)]
    Customer.objects.bulk_create(
        Customer(email=email, name="Drill", password=hashed) for email in emails
    )
    return password, emails


def dismiss(emails: Sequence[str]) -> None:
    Customer.objects.filter(email__in=emails).delete()


def log_in(browser: Browser, email: str, password: str) -> str:
    """Signs in as any client of the API does; the session's currency. Raises FaultFailed."""
    credentials = {"email": email, "password": password}
    answer = browser.ask("POST", "/api/auth/token", LOG_IN_LIMIT, content=credentials)
    session = browser.ask("GET", "/api/session", LOG_IN_LIMIT)
    if (answer.status, session.status) != (HTTPStatus.OK, HTTPStatus.OK):
        raise FaultFailed(
            f"a member could not log in at {browser.base}: {answer.status} {answer.problem}"
        )
    return str(session.json()["currency"])
