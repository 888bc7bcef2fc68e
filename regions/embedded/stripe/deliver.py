"""Webhooks and whatever else is due: one thread, asleep until the next moment that matters."""

import hashlib
import hmac
import http.client
import json
import logging
import threading
import time
from urllib.parse import urlsplit

from regions.embedded.stripe.payments import settle_refund
from regions.embedded.stripe.sessions import current
from regions.embedded.stripe.store import Store
from regions.embedded.stripe.wire import Document

TIMEOUT = 10.0  # seconds an endpoint may take
_LONGEST_PAUSE = 60.0  # seconds between two tries; Stripe's grows to hours
_GIVE_UP_AFTER = 3 * 24 * 60 * 60  # seconds, as Stripe does
_log = logging.getLogger("anyport.stripe")


class Deliverer:
    """Sends each event until the endpoint answers 2xx, and expires sessions in time."""

    def __init__(self, store: Store, url: str, secret: str) -> None:
        self._store = store
        self._url = url
        self._secret = secret
        self._wake = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._wake.set()
        self._thread.join(TIMEOUT)

    def wake(self) -> None:
        """Something was written: there may be an event to send."""
        self._wake.set()

    def _run(self) -> None:
        while not self._ended.is_set():
            self._wake.clear()
            self._do_what_is_due()
            with self._store.transaction() as tx:
                waiting = tx.waiting_deliveries()
            for event, attempts in waiting:
                if self._ended.is_set():
                    return
                self._deliver(event, attempts)
            with self._store.transaction() as tx:
                moment = tx.next_moment()
            pause = None if moment is None else max(0.0, moment - time.time())
            self._wake.wait(pause if pause is None else min(pause, 3600.0))

    def _do_what_is_due(self) -> None:
        with self._store.transaction() as tx:
            for name in tx.take_due():
                if name.startswith("re_"):
                    settle_refund(tx, name)
                else:
                    current(tx, name)

    def _deliver(self, event: Document, attempts: int) -> None:
        status = self._post(json.dumps(event, indent=2).encode())
        ok = 200 <= status < 300
        too_old = time.time() - event["created"] > _GIVE_UP_AFTER
        with self._store.transaction() as tx:
            if ok or too_old:
                tx.delivered(event["id"])
            else:
                tx.deliver_later(event["id"], min(_LONGEST_PAUSE, 0.5 * 2 ** min(attempts, 10)))
        outcome = "delivered" if ok else "given up" if too_old else f"try {attempts + 1} failed"
        _log.info("webhook %s %s: %s (%s)", event["type"], event["id"], outcome, status or "none")

    def _post(self, body: bytes) -> int:
        """The answer's status; 0 where there was none."""
        parts = urlsplit(self._url)
        connection = http.client.HTTPConnection(parts.netloc, timeout=TIMEOUT)
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Stripe-Signature": signature(body, self._secret, int(time.time())),
            "User-Agent": "Stripe/1.0 (local; +https://docs.stripe.com/webhooks)",
        }
        try:
            connection.request("POST", parts.path, body, headers)
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            connection.close()


def signature(body: bytes, secret: str, at: int) -> str:
    """The `Stripe-Signature` header: https://docs.stripe.com/webhooks#verify-manually"""
    signed = b"%d.%s" % (at, body)
    return f"t={at},v1={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"
