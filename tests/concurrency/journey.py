"""An order's way from the cart to its money back, as its clients and the shop's jobs make it.

Every act may be done again by whoever does not know whether it was done: with the same key.
"""

import json
import time
from datetime import timedelta
from functools import cache
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

import stripe
import urllib3
from django.conf import settings
from django.db import connection, connections
from django.db.models import F
from django.test import Client
from django.test.client import ClientHandler

from orders.gateways.stripe import client
from orders.models import Payment, Refund
from orders.outbox import relay, waiting
from orders.services.checkout import OrderDetails, Shown, place_order
from orders.services.payments import complete_open
from orders.services.refunds import request_refund
from regions.embedded.stripe.deliver import signature
from shop.models import Customer, Variant
from storage.clients import dynamodb
from storage.redis import redis_local, redis_primary
from tests.card import GOOD, Account
from tests.concurrency import careless
from tests.factories import make_cart
from tests.orders.pages import TYPED
from tests.orders.paying import pass_time
from tests.orders.test_api import WANTED
from tests.shop.test_api import send
from tests.stack import wait_until

PART: Final = 370
"""Of the 1370 that the order costs. Stripe itself would refuse to send all of it back twice."""
FEW: Final = 30
"""Pages and events at Stripe, the newest first, among which those of this journey are."""
MOST: Final = 1000
SECONDS: Final = 20
"""That anything is waited for; not reached by a test that passes."""


@cache
def _handler() -> ClientHandler:
    """One a process: to make one looks at every static file."""
    handler = ClientHandler(enforce_csrf_checks=False)
    handler.load_middleware()
    return handler


def _asked(database: str, question: str) -> Any:
    with connections[database].cursor() as cursor:
        cursor.execute(question)
        return cursor.fetchone()[0]


def hang_up() -> None:
    """Close what is open to the stores and to Stripe."""
    connections.close_all()
    for redis in filter(None, (redis_primary(), redis_local())):
        redis.connection_pool.disconnect()
    dynamodb().close()
    client.cache_clear()


class Journey:
    """One shopper, who pays by card, and one of the staff, who sends money back.

    `cookies` and `staff` are theirs; a shopper without is a guest. `region` is where the process
    says to be, if it is to be elsewhere than its stores are.
    """

    def __init__(
        self,
        *,
        sku: str,
        email: str,
        keys: dict[str, str],
        staff: str,
        customer: int = 0,
        number: str = "",
        cookies: str = "",
        region: str = "",
    ) -> None:
        settings.ANYPORT_REGION = region or settings.ANYPORT_REGION
        self.number = number
        """Of the order, as it was answered."""
        self._sku = sku
        self._customer = customer
        self._email = email
        self._keys = keys
        self._shopper, self._staff = Client(), Client()
        self._shopper.handler = self._staff.handler = _handler()
        self._shopper.cookies.load(cookies)
        self._staff.cookies.load(staff)
        self._events: list[stripe.Event] = []
        self.answer = 0
        """Status of what staff were answered last."""
        self.where: dict[str, Any] = {}
        """What `look_around` saw."""

    @property
    def cookies(self) -> str:
        morsels = self._shopper.cookies.items()
        return "; ".join(f"{name}={morsel.value}" for name, morsel in morsels)

    # --- What the shopper does -------------------------------------------------------------------

    def fill_cart(self) -> None:
        """As one who does not know: what is not in the cart any more is put there again."""
        if self.number or self._shopper.get("/api/cart").json()["lines"]:
            return
        line = {"sku": self._sku, "quantity": 1}
        assert send(self._shopper, "POST", "/api/cart/items", line).status_code == HTTPStatus.OK

    def order(self) -> None:
        wanted = WANTED | {"email": self._email, "payment_method": "card"}
        self.number = self._insist(self._shopper, "/api/orders", wanted, "order").json()["number"]

    def place(self) -> None:
        """The same for a customer, with less ado."""
        customer = Customer.objects.get(pk=self._customer)
        cart = make_cart({Variant.objects.get(sku=self._sku): 1})
        typed = TYPED | {"email": self._email, "payment_method": "card", "currency": "TWD"}
        order = place_order(
            cart=cart, customer=customer, details=OrderDetails(**typed), shown=Shown()
        )
        self.number = order.number

    def pay(self) -> None:
        path = f"/api/orders/{self.number}/payments"
        answer = self._insist(self._shopper, path, {"method": "card"}, "pay")
        assert answer.status_code == HTTPStatus.CREATED, answer.content

    def enter_card(self) -> None:
        """On every page that Stripe has open for this shopper: each would take their money."""
        account = Account(settings.STRIPE_API_BASE, settings.STRIPE_SECRET_KEY)
        found = account.v1.checkout.sessions.list({"limit": FEW}).data
        pages = [page for page in found if page.customer_email == self._email]
        assert pages, "there is nowhere to pay"
        for page in pages:
            if page.status == "open" and page.url:
                body = urlencode({"card": GOOD})
                urllib3.request("POST", page.url, body=body, redirect=False)
        names = {page.id for page in pages}
        events = account.v1.events.list({"limit": FEW}).data
        self._events = [
            event
            for event in events
            if event.type == "checkout.session.completed" and event.data.object["id"] in names
        ]
        assert len(self._events) == len(pages)

    def come_back(self) -> None:
        """From Stripe's page."""
        assert self._shopper.get(f"/orders/{self.number}/paid/").status_code == HTTPStatus.SEE_OTHER

    # --- What Stripe, staff and jobs do ----------------------------------------------------------

    def webhook(self) -> None:
        """What Stripe tells of the pages that were paid."""
        for event in self._events:
            body = json.dumps(event.to_dict()).encode()
            signed = signature(body, settings.STRIPE_WEBHOOK_SECRET, int(time.time()))
            answer = self._staff.post(
                "/webhooks/stripe/",
                body,
                content_type="application/json",
                headers={"Stripe-Signature": signed},
            )
            assert answer.status_code == HTTPStatus.OK

    def meet(self) -> None:
        """Wait until all that were started together are here."""
        connection.ensure_connection()
        careless.together.wait(SECONDS)

    def refund(self) -> None:
        self._refund(PART)

    def refund_most(self) -> None:
        """More than half: twice is more than was taken."""
        self._refund(MOST)

    def _refund(self, amount: int) -> None:
        wanted = {"amount": amount, "reason": "dent"}
        answer = self._insist(self._staff, f"/api/orders/{self.number}/refunds", wanted, "refund")
        self.answer = answer.status_code

    def ask_for_refund(self) -> None:
        """All of it, as one who wrote it down and died."""
        payment = Payment.objects.get(order__number=self.number)
        request_refund(
            payment=payment,
            amount=payment.amount,
            reason="dent",
            actor=None,
            key=UUID(self._keys["refund"]),
        )

    def complete(self) -> None:
        assert complete_open()["failed"] == 0

    def relay(self) -> None:
        relay()

    def look_around(self) -> None:
        """Where this process is: by its own word, and by the stores that it reads."""
        nearest = redis_local()
        assert nearest is not None
        self.where = {
            "region": settings.ANYPORT_REGION,
            "sessions": settings.SESSION_REGION,
            "postgres": _asked("replica", "SELECT inet_server_port()"),
            "writes_as": _asked("default", "SELECT current_setting('application_name')"),
            "valkey": nearest.info("server")["tcp_port"],
        }

    # --- Time ------------------------------------------------------------------------------------

    def an_hour_passes(self) -> None:
        """For whatever waits: claims of the dead end, and the next tries are due."""
        pass_time(hours=1)
        waiting().update(next_try_at=F("next_try_at") - timedelta(hours=1))

    def settle(self) -> None:
        """Jobs run, and time passes, until nothing is open."""
        wait_until(self._is_settled, SECONDS, "nothing is open")

    def _is_settled(self) -> bool:
        self.an_hour_passes()
        self.complete()
        self.relay()
        due = [rows.filter(next_try_at__isnull=False) for rows in (Payment.objects, Refund.objects)]
        return not any(rows.exists() for rows in (*due, waiting()))

    def _insist(self, asker: Client, path: str, wanted: dict[str, Any], key: str) -> Any:
        """Until it is answered: PostgreSQL may take a moment to notice that a process is gone."""

        def answered() -> Any:
            headers = {"Idempotency-Key": self._keys[key]}
            response = send(asker, "POST", path, wanted, **headers)
            return None if "Retry-After" in response else response

        return wait_until(answered, SECONDS, f"{path} is answered")
