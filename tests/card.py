"""The shopper on the stack's payment page, what Stripe knows of it, and a line that fails."""

import socket
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import httpx
import stripe

from regions.embedded.ports import LOOPBACK

GOOD: Final = "4242 4242 4242 4242"
DECLINED: Final = "4000 0000 0000 0002"
NO_MONEY: Final = "4000 0000 0000 9995"
ASKS: Final = "4000 0027 6000 3184"
ASKS_IN_VAIN: Final = "4000 0084 0000 1629"
REFUNDED_LATER: Final = "4000 0000 0000 7726"


def enter_card(action_url: str, number: str = GOOD) -> httpx.Response:
    """303 back to the shop once it is paid, else the page with what is in the way."""
    return httpx.post(action_url, data={"card": number}, timeout=20)


def answer_bank(action_url: str, answer: str) -> httpx.Response:
    return httpx.post(action_url, data={"bank": answer}, timeout=20)


class Account:
    """The shop's account at the stack's Stripe, seen with a client of our own."""

    def __init__(self, base: str, key: str) -> None:
        bases: Any = {"api": base}
        self.v1 = stripe.StripeClient(key, base_addresses=bases).v1

    def sessions(self, payment: object) -> list[stripe.checkout.Session]:
        found = self.v1.checkout.sessions.list({"limit": 100}).data
        return [session for session in found if session.client_reference_id == str(payment)]

    def charges(self, payment: object) -> list[tuple[str, int, int]]:
        """Of each charge on a card: how it ended, what was taken, what went back."""
        found = self.v1.charges.list({"limit": 100}).data
        return [
            (_ended(charge), charge.amount_captured, charge.amount_refunded)
            for charge in found
            if charge.metadata["payment"] == str(payment)
        ]

    def refunds(self, intent: str) -> list[int]:
        return [refund.amount for refund in self.v1.refunds.list({"payment_intent": intent}).data]


def _ended(charge: stripe.Charge) -> str:
    if charge.status == "failed":
        return charge.failure_code or "failed"
    return "captured" if charge.captured else "released" if charge.refunded else "authorised"


@contextmanager
def stripe_database(state: Path) -> Iterator[sqlite3.Connection]:
    """To let time pass at Stripe: its keys are kept for a day, its sessions for half an hour."""
    connection = sqlite3.connect(
        state / "stripe" / "stripe.sqlite3", timeout=10, isolation_level=None
    )
    try:
        yield connection
    finally:
        connection.close()


class Line:
    """A TCP line to an address. `losing` replies are read and never passed on."""

    def __init__(self, port: int) -> None:
        self._target = (LOOPBACK, port)
        self._server = socket.create_server((LOOPBACK, 0))
        self.losing = 0
        self.silent = False
        """Whether it takes what comes, and nobody hears it."""
        self.taken = 0
        """Connections."""
        self.address = f"http://{LOOPBACK}:{self._server.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Nobody answers from now on."""
        _hang_up(self._server)

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                client, _ = self._server.accept()
                self.taken += 1
                server = socket.create_connection(self._target)
                threading.Thread(target=self._pass_on, args=(client, server), daemon=True).start()
                threading.Thread(target=self._answer, args=(server, client), daemon=True).start()

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(65536):
                if not self.silent:
                    server.sendall(data)
        _hang_up(client, server)

    def _answer(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while data := server.recv(65536):
                if self.losing:
                    self.losing -= 1
                    break
                client.sendall(data)
        _hang_up(client, server)


def _hang_up(*sockets: socket.socket) -> None:
    for one in sockets:
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()
