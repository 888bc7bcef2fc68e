"""A bank over HTTP, for payments whose gateway loses replies, is away, refuses or takes its time.

It writes down every call before it answers, in a file that outlives whoever called, and takes
money once under one idempotency key: under two keys, it takes it twice.
"""

import json
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from pytest_django.fixtures import Settings

from orders.gateways.base import (
    GatewayRefused,
    GatewayUnreachable,
    PaymentAnswer,
    RefundAnswer,
)
from orders.models import Payment, Refund

NAME: Final = "bank"
TABLES: Final = """
CREATE TABLE call (name TEXT, key TEXT, about TEXT);
CREATE TABLE payment (id TEXT PRIMARY KEY, state TEXT, amount INTEGER);
CREATE TABLE charge (key TEXT PRIMARY KEY, payment TEXT, amount INTEGER);
CREATE TABLE refund (key TEXT PRIMARY KEY, payment TEXT, amount INTEGER);
"""
SECONDS: Final = 20
"""That anybody waits for anybody here; not reached by a test that passes."""


class BankGateway:
    """The shop's side: `orders.gateways.base.PaymentGateway` over the wire."""

    name = NAME

    def start(self, payment: Payment) -> PaymentAnswer:
        return self._ask("start", payment, amount=payment.amount)

    def look_up(self, payment: Payment) -> PaymentAnswer:
        return self._ask("look_up", payment)

    def capture(self, payment: Payment) -> PaymentAnswer:
        return self._ask("capture", payment)

    def cancel(self, payment: Payment) -> PaymentAnswer:
        return self._ask("cancel", payment)

    def refund(self, refund: Refund) -> RefundAnswer:
        key = self.key("refund", refund.pk)
        answer = self.send("refund", key, str(refund.payment_id), amount=refund.amount)
        return RefundAnswer(Refund.State(answer["state"]), answer["reference"])

    def key(self, call: str, pk: uuid.UUID) -> str:
        return f"{pk}:{call}"

    def _ask(self, call: str, payment: Payment, **body: Any) -> PaymentAnswer:
        answer = self.send(call, self.key(call, payment.pk), str(payment.pk), **body)
        return PaymentAnswer(
            Payment.State(answer["state"]), answer["reference"], answer.get("action_url", "")
        )

    def send(self, call: str, key: str, about: str, **body: Any) -> dict[str, Any]:
        address = urlsplit(settings.BANK_URL).netloc  # type: ignore[misc]  # (the tests' own)
        connection = HTTPConnection(address, timeout=SECONDS)
        try:
            connection.request("POST", f"/{call}/{about}", json.dumps({"key": key} | body))
            response = connection.getresponse()
            answer: dict[str, Any] = json.loads(response.read())
        except (OSError, HTTPException) as error:
            raise GatewayUnreachable(repr(error)) from error
        finally:
            connection.close()
        if response.status != 200:
            raise GatewayRefused(answer["failure"])
        return answer


class KeylessGateway(BankGateway):
    """The control: each call is a new one to the bank."""

    def key(self, call: str, pk: uuid.UUID) -> str:
        return f"{pk}:{call}:{uuid.uuid4()}"


@dataclass
class Hold:
    """A reply that is on its way for as long as the test likes."""

    answered: Event = field(default_factory=Event)
    release: Event = field(default_factory=Event)

    def __call__(self) -> bool:
        self.answered.set()
        assert self.release.wait(SECONDS)
        return True


class Refusal(Exception):
    pass


@dataclass
class Bank:
    """The bank, and what its shoppers and its misfortunes do."""

    file: Path
    is_down: bool = False
    pays_at_once: bool = False
    """Shoppers have entered their card before the shop hears of the page."""
    refusals: dict[str, str] = field(default_factory=dict)
    """By call: why it is refused, whenever it is asked."""
    _faults: dict[str, list[Callable[[], bool]]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def lose_reply(self, call: str) -> None:
        """The next one is done, and nobody hears of it."""
        self._faults.setdefault(call, []).append(lambda: False)

    def hold_reply(self, call: str) -> Hold:
        """The next one is done, and its reply takes its time."""
        hold = Hold()
        self._faults.setdefault(call, []).append(hold)
        return hold

    def pay(self, payment: Payment) -> None:
        """The shopper enters their card."""
        self.set_state(payment, "authorised")

    def set_state(self, payment: Payment, state: str) -> None:
        with self.books() as books:
            changed = books.execute(
                "UPDATE payment SET state = ? WHERE id = ?", [state, str(payment.pk)]
            )
            assert changed.rowcount == 1, "the bank does not know of it"

    @property
    def calls(self) -> list[str]:
        with self.books() as books:
            return [name for (name,) in books.execute("SELECT name FROM call ORDER BY rowid")]

    def charged(self, payment: Payment | None = None) -> list[int]:
        return self._amounts("charge", payment)

    def sent_back(self, payment: Payment | None = None) -> list[int]:
        return self._amounts("refund", payment)

    def _amounts(self, table: str, payment: Payment | None) -> list[int]:
        with self.books() as books:
            rows = books.execute(f"SELECT payment, amount FROM {table} ORDER BY rowid")  # noqa: S608 (ours)
            return [
                amount for about, amount in rows if payment in (None,) or about == str(payment.pk)
            ]

    @contextmanager
    def books(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            books = sqlite3.connect(self.file)
            try:
                with books:
                    yield books
            finally:
                books.close()

    def serve(self, call: str, about: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        with self.books() as books:
            books.execute("INSERT INTO call VALUES (?, ?, ?)", [call, body["key"], about])
        try:
            if call in self.refusals:
                raise Refusal(self.refusals[call])
            with self.books() as books:
                state = _act(books, call, about, body)
                if self.pays_at_once and state == "requires_action":
                    state = "authorised"
                    books.execute("UPDATE payment SET state = ? WHERE id = ?", [state, about])
        except Refusal as refusal:
            return 402, {"failure": str(refusal)}
        answer = {"state": state, "reference": f"ref-{body['key'] if call == 'refund' else about}"}
        if state == "requires_action":
            answer["action_url"] = f"https://bank.example/{about}"
        return 200, answer

    def replies(self, call: str) -> bool:
        """Whether the reply arrives."""
        faults = self._faults.get(call)
        return faults.pop(0)() if faults else True


def _act(books: sqlite3.Connection, call: str, about: str, body: dict[str, Any]) -> str:
    """Returns the new state of what was asked about."""
    if call == "start":
        opened = [about, "requires_action", body["amount"]]
        books.execute("INSERT OR IGNORE INTO payment VALUES (?, ?, ?)", opened)
    row = books.execute("SELECT state, amount FROM payment WHERE id = ?", [about]).fetchone()
    if row is None:
        raise Refusal("no such payment")
    state, amount = str(row[0]), int(row[1])
    if call == "refund":
        sent = [body["key"], about, body["amount"]]
        books.execute("INSERT OR IGNORE INTO refund VALUES (?, ?, ?)", sent)
        return "done"
    if call == "capture":
        if state not in ("authorised", "captured"):
            raise Refusal(f"it is {state}")
        charge = [body["key"], about, amount]
        books.execute("INSERT OR IGNORE INTO charge VALUES (?, ?, ?)", charge)
        state = "captured"
    if call == "cancel" and state in ("requires_action", "authorised"):
        state = "cancelled"
    books.execute("UPDATE payment SET state = ? WHERE id = ?", [state, about])
    return state


class _Handler(BaseHTTPRequestHandler):
    bank: Bank

    def do_POST(self) -> None:
        # Also by a bank that is down: hanging up on what is unread would be a reset.
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.bank.is_down:
            self.close_connection = True
            return
        _, call, about = self.path.split("/")
        status, answer = self.bank.serve(call, about, body)
        if not self.bank.replies(call):
            self.close_connection = True
            return
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def bank(tmp_path: Path, settings: Settings) -> Iterator[Bank]:
    """The bank takes cards."""
    opened = Bank(tmp_path / "bank.sqlite3")
    with opened.books() as books:
        books.executescript(TABLES)
    handler = type("Handler", (_Handler,), {"bank": opened})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        settings.BANK_URL = f"http://127.0.0.1:{server.server_port}"
        use_gateway(settings, "tests.bank.BankGateway")
        yield opened
        server.shutdown()
        thread.join()


def use_gateway(settings: Any, dotted: str) -> None:
    settings.PAYMENT_METHODS = settings.PAYMENT_METHODS | {"card": NAME}
    settings.PAYMENT_GATEWAYS = settings.PAYMENT_GATEWAYS | {NAME: dotted}
