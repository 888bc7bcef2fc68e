"""The HTTP server: who may ask, idempotency keys, and which resource answers."""

import base64
import hashlib
import json
import logging
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

from regions.embedded.stripe import pages, payments, sessions
from regions.embedded.stripe.deliver import Deliverer
from regions.embedded.stripe.store import Saved, Store, Transaction, new_id, public
from regions.embedded.stripe.wire import Document, Parameters, Refused, parse_form

_LARGEST_BODY = 1 << 20
_LISTS = {
    "charges": "charge",
    "payment_intents": "payment_intent",
    "refunds": "refund",
    "events": "event",
    "checkout/sessions": "checkout.session",
}
_EXPANDABLE = {"payment_intent": "payment_intent", "latest_charge": "charge", "charge": "charge"}
_log = logging.getLogger("anyport.stripe")


@dataclass(frozen=True)
class Configuration:
    path: Path
    """Of the database."""
    origin: str
    """Where it is reached, `http://127.0.0.1:7500`."""
    key: str
    """The secret key that the shop sends."""
    webhook_url: str
    webhook_secret: str


class Request(NamedTuple):
    method: str
    path: str
    form: Document
    key: str
    """Its idempotency key, or nothing."""

    @property
    def fingerprint(self) -> str:
        text = json.dumps([self.method, self.path, self.form], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


class Answer(NamedTuple):
    status: int
    body: str
    replayed: bool = False


class Stripe:
    """The API without its HTTP."""

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        self.store = Store(configuration.path)
        self.deliverer = Deliverer(
            self.store, configuration.webhook_url, configuration.webhook_secret
        )
        self._running: set[str] = set()
        self._guard = threading.Lock()

    def close(self) -> None:
        self.deliverer.stop()
        self.store.close()

    def ask(self, request: Request) -> Answer:
        """Answer a request; the same key again gives the same answer. Raises Refused."""
        if request.method != "POST" or not request.key:
            with self.store.transaction() as tx:
                return self._serve(tx, request)
        with self._guard:
            if request.key in self._running:
                raise Refused(
                    409,
                    "There is currently another in-progress request using this Idempotent Key"
                    f" ({request.key}). Please try again later.",
                    code="idempotency_key_in_use",
                )
            self._running.add(request.key)
        try:
            return self._ask_once(request)
        finally:
            with self._guard:
                self._running.discard(request.key)

    def _ask_once(self, request: Request) -> Answer:
        """The effect and the key's answer are one transaction. Raises Refused."""
        with self.store.transaction() as tx:
            if saved := tx.saved(request.key):
                return _replay(request, saved)
            try:
                answer = self._serve(tx, request)
            except Refused as refusal:  # before anything is written
                if not refusal.saved:
                    raise
                answer = Answer(refusal.status, json.dumps(refusal.body, indent=2))
            tx.save(request.key, Saved(request.fingerprint, answer.status, answer.body))
        return answer

    def _serve(self, tx: Transaction, request: Request) -> Answer:
        for method, pattern, serve in _ROUTES:
            found = re.fullmatch(pattern, request.path)
            if method == request.method and found:
                form = dict(request.form)
                expand = Parameters({"expand": form.pop("expand", {})}).array("expand")
                document = public(serve(self, tx, Parameters(form), *found.groups()))
                for path in expand:
                    _expand(tx, document, str(path).split("."))
                return Answer(200, json.dumps(document, indent=2))
        message = f"Unrecognized request URL ({request.method}: {request.path})."
        raise Refused(404, message)


def _replay(request: Request, saved: Saved) -> Answer:
    if saved.fingerprint != request.fingerprint:
        raise Refused(
            400,
            "Keys for idempotent requests can only be used with the same parameters they were"
            f" first used with. Try using a key other than '{request.key}' if you meant to"
            " execute a different request.",
            kind="idempotency_error",
        )
    return Answer(saved.status, saved.body, replayed=True)


def _expand(tx: Transaction, document: Document, path: list[str]) -> None:
    name, *rest = path
    if name not in _EXPANDABLE or name not in document:
        message = f"This property cannot be expanded ({name})."
        raise Refused(400, message, param="expand")
    if isinstance(document[name], str):
        document[name] = public(tx.get(_EXPANDABLE[name], document[name]))
    if rest and document[name]:
        _expand(tx, document[name], rest)


# --- Routes --------------------------------------------------------------------------------------

type Serve = Callable[..., Document]


def _create_session(api: Stripe, tx: Transaction, parameters: Parameters) -> Document:
    return sessions.create_session(tx, parameters, api.configuration.origin)


def _read_session(api: Stripe, tx: Transaction, parameters: Parameters, name: str) -> Document:
    parameters.end()
    return sessions.current(tx, name)


def _without_api(serve: Serve) -> Serve:
    return lambda _api, *arguments: serve(*arguments)


def _read(kind: str) -> Serve:
    def serve(_api: Stripe, tx: Transaction, parameters: Parameters, name: str) -> Document:
        parameters.end()
        return tx.get(kind, name)

    return serve


def _list(path: str) -> Serve:
    def serve(_api: Stripe, tx: Transaction, parameters: Parameters) -> Document:
        limit = min(parameters.integer("limit", 10, least=1), 100)
        after = parameters.text("starting_after", "")
        of = parameters.text("type" if path == "events" else "payment_intent", "")
        parameters.end()
        if of and path == "checkout/sessions":
            intent = tx.get("payment_intent", of)
            found = [tx.get("checkout.session", intent["_session"])]
        else:
            found = tx.newest(_LISTS[path], of, limit + 1, after)
        return {
            "object": "list",
            "url": f"/v1/{path}",
            "has_more": len(found) > limit,
            "data": [public(document) for document in found[:limit]],
        }

    return serve


_ROUTES: list[tuple[str, str, Serve]] = [
    ("POST", "/v1/checkout/sessions", _create_session),
    ("GET", r"/v1/checkout/sessions/(\w+)", _read_session),
    ("POST", r"/v1/checkout/sessions/(\w+)/expire", _without_api(sessions.expire_session)),
    ("POST", r"/v1/payment_intents/(\w+)/capture", _without_api(payments.capture_intent)),
    ("POST", r"/v1/payment_intents/(\w+)/cancel", _without_api(payments.cancel_intent)),
    ("POST", "/v1/refunds", _without_api(payments.create_refund)),
    *(
        ("GET", rf"/v1/{path}/(\w+)", _read(kind))
        for path, kind in _LISTS.items()
        if kind != "checkout.session"
    ),
    *(("GET", f"/v1/{path}", _list(path)) for path in _LISTS),
]


# --- HTTP ----------------------------------------------------------------------------------------


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 75  # seconds an idle connection is kept
    server: "Server"

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path = urlsplit(self.path).path
        body = self._body()
        if body is None:
            self._send(413, "text/plain", "Too large.")
        elif path.startswith("/v1/"):
            self._answer_api(path, body)
        elif found := re.fullmatch(r"/c/pay/(\w+)", path):
            self._answer_page(found[1], body)
        elif path == "/":
            with self.server.stripe.store.transaction() as tx:
                lists = tx.newest("charge", "", 100), tx.newest("refund", "", 100)
            self._send(200, "text/html", pages.overview(*lists))
        else:
            self._send(404, "text/plain", "Nothing is here.")

    def _answer_api(self, path: str, body: str) -> None:
        key = self.headers.get("Idempotency-Key", "")
        try:
            self._authenticate()
            query = urlsplit(self.path).query
            form = parse_form(body if self.command == "POST" else query)
            answer = self.server.stripe.ask(Request(self.command, path, form, key))
        except Refused as refusal:
            answer = Answer(refusal.status, json.dumps(refusal.body, indent=2))
        if self.command == "POST":
            self.server.stripe.deliverer.wake()
        headers = {"Request-Id": new_id("req")}
        if key:
            headers["Idempotency-Key"] = key
        if answer.replayed:
            headers["Idempotent-Replayed"] = "true"
        note = " (replayed)" if answer.replayed else ""
        _log.info("%s %s %d %s%s", self.command, path, answer.status, key, note)
        self._send(answer.status, "application/json", answer.body, **headers)

    def _authenticate(self) -> None:
        kind, _, given = self.headers.get("Authorization", "").partition(" ")
        if kind == "Basic":
            given = base64.b64decode(given).decode(errors="replace").partition(":")[0]
        if given != self.server.stripe.configuration.key:
            raise Refused(401, "Invalid API Key provided.")

    def _answer_page(self, name: str, body: str) -> None:
        form = {field: values[0] for field, values in parse_qs(body).items()}
        try:
            with self.server.stripe.store.transaction() as tx:
                problem = sessions.act(tx, name, form)
                session = sessions.current(tx, name)
                intent = sessions.intent_of(tx, session)
        except Refused:
            self._send(404, "text/html", "<p>There is no such payment page.")
            return
        self.server.stripe.deliverer.wake()
        if session["status"] == "complete" and form:
            address = session["success_url"].replace("{CHECKOUT_SESSION_ID}", name)
            self._send(303, "text/plain", "", Location=address)
        elif session["status"] == "open":
            self._send(200, "text/html", pages.payment_page(session, intent, problem))
        else:
            self._send(200, "text/html", pages.closed_page(session))

    def _body(self) -> str | None:
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal() or int(length) > _LARGEST_BODY:
            self.close_connection = True
            return None
        return self.rfile.read(int(length)).decode(errors="replace")

    def _send(self, status: int, kind: str, text: str, **headers: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        for name, value in headers.items():
            self.send_header(name, value)
        self._headers_buffer: list[bytes]
        self._headers_buffer += [b"\r\n", body]  # one packet
        self.flush_headers()

    def log_message(self, *arguments: object) -> None:
        """Said above, with the key."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    stripe: Stripe

    def __init__(self, address: tuple[str, int]) -> None:
        super().__init__(address, Handler)
