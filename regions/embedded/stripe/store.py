"""What the local Stripe remembers, in SQLite: objects, idempotency keys, events to deliver.

One transaction holds a request's effect, its events and its key's answer: `kill -9` at any line
leaves all of them or none, and what was answered is on disk.
"""

import json
import secrets
import sqlite3
import string
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from regions.embedded.stripe.wire import Document, missing

KEY_LIFE = 24 * 60 * 60
"""Seconds for which an idempotency key is remembered, as Stripe does."""
_EVENT_LIFE = 30 * 24 * 60 * 60
API_VERSION = "2026-10-28.endive"
DELIVERED = frozenset(
    {
        "checkout.session.completed",
        "checkout.session.expired",
        "payment_intent.succeeded",
        "payment_intent.canceled",
        "payment_intent.payment_failed",
        "refund.updated",
        "refund.failed",
    }
)
"""Events that the shop's webhook endpoint is registered for (docs/operations.md)."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS object (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL, kind TEXT NOT NULL,
  parent TEXT NOT NULL, created INTEGER NOT NULL, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS object_list ON object (kind, parent, sequence);
CREATE TABLE IF NOT EXISTS idempotency (
  key TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, status INTEGER NOT NULL, body TEXT NOT NULL,
  at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS delivery (
  event TEXT PRIMARY KEY, attempts INTEGER NOT NULL, next_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS due (object TEXT PRIMARY KEY, at REAL NOT NULL);
"""
_ALPHABET = string.ascii_letters + string.digits


class Saved(NamedTuple):
    """The answer that an idempotency key stands for."""

    fingerprint: str
    status: int
    body: str


def new_id(prefix: str) -> str:
    return f"{prefix}_" + "".join(secrets.choice(_ALPHABET) for _ in range(24))


def public(document: Document) -> Document:
    """Without what we keep beside it, under names with an underscore."""
    return {name: value for name, value in document.items() if not name.startswith("_")}


class Transaction:
    """Reads and writes of one request; it alone writes meanwhile."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def get(self, kind: str, name: str) -> Document:
        """Raises Refused (404)."""
        row = self._connection.execute(
            "SELECT body FROM object WHERE id = ? AND kind = ?", (name, kind)
        ).fetchone()
        if row is None:
            raise missing(kind, name)
        found: Document = json.loads(row[0])
        return found

    def put(self, document: Document, parent: str = "") -> None:
        """Write an object, new or changed. `parent` is that of its first time."""
        self._connection.execute(
            "INSERT INTO object (id, kind, parent, created, body) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET body = excluded.body",
            (
                document["id"],
                document["object"],
                parent,
                document["created"],
                json.dumps(document),
            ),
        )

    def newest(self, kind: str, parent: str, limit: int, after: str = "") -> list[Document]:
        """Newest first; of all parents where `parent` is empty; older than `after`."""
        rows = self._connection.execute(
            "SELECT body FROM object WHERE kind = :kind AND (:parent = '' OR parent = :parent)"
            " AND (:after = '' OR sequence < (SELECT sequence FROM object WHERE id = :after))"
            " ORDER BY sequence DESC LIMIT :limit",
            {"kind": kind, "parent": parent, "limit": limit, "after": after},
        )
        return [json.loads(body) for (body,) in rows]

    def emit(self, kind: str, document: Document) -> None:
        """Write down an event, and that it is to be delivered if somebody is interested."""
        now = time.time()
        event = {
            "id": new_id("evt"),
            "object": "event",
            "api_version": API_VERSION,
            "created": int(now),
            "data": {"object": public(document)},
            "livemode": False,
            "pending_webhooks": int(kind in DELIVERED),
            "request": {"id": None, "idempotency_key": None},
            "type": kind,
        }
        self.put(event, kind)
        if kind in DELIVERED:
            self._connection.execute(
                "INSERT INTO delivery (event, attempts, next_at) VALUES (?, 0, ?)",
                (event["id"], now),
            )

    # --- What is to happen later ---------------------------------------------------------------

    def schedule(self, name: str, at: float) -> None:
        self._connection.execute("INSERT OR REPLACE INTO due VALUES (?, ?)", (name, at))

    def take_due(self) -> list[str]:
        rows = self._connection.execute("DELETE FROM due WHERE at <= ? RETURNING object", (_now(),))
        return [name for (name,) in rows.fetchall()]

    def waiting_deliveries(self) -> list[tuple[Document, int]]:
        """Events whose time has come, oldest first, with the tries that failed."""
        rows = self._connection.execute(
            "SELECT body, attempts FROM delivery JOIN object ON id = event"
            " WHERE next_at <= ? ORDER BY sequence LIMIT 50",
            (_now(),),
        )
        return [(json.loads(body), attempts) for body, attempts in rows]

    def delivered(self, event: str) -> None:
        self._connection.execute("DELETE FROM delivery WHERE event = ?", (event,))

    def deliver_later(self, event: str, seconds: float) -> None:
        self._connection.execute(
            "UPDATE delivery SET attempts = attempts + 1, next_at = ? WHERE event = ?",
            (_now() + seconds, event),
        )

    def next_moment(self) -> float | None:
        """When something is to be done next, in seconds since 1970."""
        row = self._connection.execute(
            "SELECT min(at) FROM (SELECT at FROM due UNION ALL SELECT next_at FROM delivery)"
        ).fetchone()
        return float(row[0]) if row[0] is not None else None

    # --- Idempotency keys ------------------------------------------------------------------------

    def saved(self, key: str) -> Saved | None:
        row = self._connection.execute(
            "SELECT fingerprint, status, body FROM idempotency WHERE key = ? AND at > ?",
            (key, _now() - KEY_LIFE),
        ).fetchone()
        return Saved(*row) if row else None

    def save(self, key: str, answer: Saved) -> None:
        self._connection.execute(
            "INSERT OR REPLACE INTO idempotency VALUES (?, ?, ?, ?, ?)", (key, *answer, _now())
        )


def _now() -> float:
    return time.time()


class Store:
    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(
            path, timeout=10, isolation_level=None, check_same_thread=False
        )
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")  # survives us, not a power cut
        self._connection.executescript(_SCHEMA)
        self._lock = threading.Lock()
        self._forget()

    def _forget(self) -> None:
        with self.transaction() as _:
            self._connection.execute("DELETE FROM idempotency WHERE at <= ?", (_now() - KEY_LIFE,))
            self._connection.execute(
                "DELETE FROM object WHERE kind = 'event' AND created < ?"
                " AND id NOT IN (SELECT event FROM delivery)",
                (_now() - _EVENT_LIFE,),
            )

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield Transaction(self._connection)
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def close(self) -> None:
        with self._lock:
            self._connection.close()
