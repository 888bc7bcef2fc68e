"""The stack's Stripe: keys that stand for one effect, state that outlives kill -9, webhooks that
are sent until they arrive, and answers that Stripe's own client knows the fields of."""

import builtins
import sys
import threading
import time
import typing
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import stripe

from regions.embedded.ports import LOOPBACK
from regions.embedded.stripe.server import Configuration, Request, Server, Stripe
from regions.embedded.stripe.store import DELIVERED
from regions.embedded.stripe.wire import Refused
from tests import card
from tests.card import Account
from tests.stack import Stack, wait_until

KEY = "sk_test_of-this-test"
SECRET = "whsec_of-this-test"


class Endpoint(ThreadingHTTPServer):
    """A shop's webhook endpoint that fails as often as it is told to."""

    def __init__(self) -> None:
        self.failing = 0
        self.tries = 0
        self.taken: list[stripe.Event] = []
        super().__init__((LOOPBACK, 0), _Handler)

    @property
    def kinds(self) -> list[str]:
        return [event.type for event in self.taken]


class _Handler(BaseHTTPRequestHandler):
    server: Endpoint

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.tries += 1
        if self.server.failing:
            self.server.failing -= 1
            return self._end(503)
        signature = self.headers["Stripe-Signature"]
        event = stripe.Webhook.construct_event(body, signature, SECRET, tolerance=10)
        self.server.taken.append(event)
        return self._end(200)

    def _end(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with Endpoint() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def served(tmp_path: Path, endpoint: Endpoint) -> Iterator[tuple[Stripe, Account]]:
    """The server in this process, and an account at it."""
    with Server((LOOPBACK, 0)) as server:
        origin = f"http://{LOOPBACK}:{server.server_address[1]}"
        url = f"http://{LOOPBACK}:{endpoint.server_address[1]}/webhooks/stripe/"
        here = Stripe(Configuration(tmp_path / "stripe.sqlite3", origin, KEY, url, SECRET))
        server.stripe = here
        here.deliverer.start()
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield here, Account(origin, KEY)
        server.shutdown()
        here.close()


def wishes(**changes: Any) -> Any:
    about = {"payment": str(uuid4())}
    price = {"currency": "twd", "unit_amount": 129000, "product_data": {"name": "A bag"}}
    return {
        "mode": "payment",
        "client_reference_id": about["payment"],
        "metadata": about,
        "payment_intent_data": {"capture_method": "manual", "metadata": about},
        "line_items": [{"quantity": 1, "price_data": price}],
        "success_url": "http://shop.example/paid/",
        "cancel_url": "http://shop.example/",
        **changes,
    }


def paid_session(account: Account) -> stripe.checkout.Session:
    session = account.v1.checkout.sessions.create(wishes())
    card.enter_card(str(session.url))
    return account.v1.checkout.sessions.retrieve(session.id)


# --- Idempotency keys ----------------------------------------------------------------------------


def test_a_key_stands_for_one_effect_and_one_request(served: tuple[Stripe, Account]) -> None:
    _, account = served
    create = account.v1.checkout.sessions.create
    asked = wishes()
    key: Any = {"idempotency_key": str(uuid4())}

    first, again = create(asked, key), create(asked, key)

    assert first.id == again.id
    assert again.last_response is not None
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    with pytest.raises(stripe.IdempotencyError):
        create(asked | {"locale": "ja"}, key)
    assert len(account.sessions(asked["client_reference_id"])) == 1
    create(asked)  # the control
    assert len(account.sessions(asked["client_reference_id"])) == 2


def test_a_key_remembers_a_refusal_but_not_a_mistake(served: tuple[Stripe, Account]) -> None:
    _, account = served
    session = paid_session(account)
    refund: Any = {"payment_intent": session.payment_intent}
    key: Any = {"idempotency_key": str(uuid4())}
    with pytest.raises(stripe.InvalidRequestError, match="unknown parameter: note"):
        account.v1.refunds.create(refund | {"note": "x"}, key)
    with pytest.raises(stripe.InvalidRequestError, match="captured charge"):
        account.v1.refunds.create(refund, key)
    account.v1.payment_intents.capture(str(session.payment_intent))

    with pytest.raises(stripe.InvalidRequestError, match="captured charge"):
        account.v1.refunds.create(refund, key)
    account.v1.refunds.create(refund, {"idempotency_key": str(uuid4())})

    assert account.refunds(str(session.payment_intent)) == [129000]


def test_a_key_in_use_is_a_conflict(served: tuple[Stripe, Account]) -> None:
    here, _ = served
    request = Request("POST", "/v1/refunds", {}, str(uuid4()))
    with here.store.transaction():  # the first one waits for the database
        first = threading.Thread(target=_suppressed, args=(here.ask, request))
        first.start()
        wait_until(lambda: request.key in here._running, 5, "the first one runs")

        with pytest.raises(Refused) as refusal:
            here.ask(request)

    first.join(10)
    assert (refusal.value.status, refusal.value.body["error"]["code"]) == (
        409,
        "idempotency_key_in_use",
    )


def _suppressed(ask: Callable[[Request], object], request: Request) -> None:
    with pytest.raises(Refused):
        ask(request)


# --- Money ---------------------------------------------------------------------------------------


def test_no_more_goes_back_than_was_taken(served: tuple[Stripe, Account]) -> None:
    _, account = served
    intent = str(paid_session(account).payment_intent)
    account.v1.payment_intents.capture(intent)
    account.v1.refunds.create({"payment_intent": intent, "amount": 100000})

    with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded"):
        account.v1.refunds.create({"payment_intent": intent, "amount": 29001})
    account.v1.refunds.create({"payment_intent": intent})
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        account.v1.refunds.create({"payment_intent": intent})

    assert refusal.value.code == "charge_already_refunded"
    assert account.refunds(intent) == [29000, 100000]


def test_a_stranger_is_not_let_in(served: tuple[Stripe, Account]) -> None:
    here, _ = served
    stranger = Account(here.configuration.origin, "sk_test_of-somebody-else")

    with pytest.raises(stripe.AuthenticationError):
        stranger.v1.charges.list()


# --- Webhooks and time ---------------------------------------------------------------------------


def test_a_webhook_is_sent_until_it_is_taken(
    served: tuple[Stripe, Account], endpoint: Endpoint
) -> None:
    _, account = served
    endpoint.failing = 2

    session = paid_session(account)

    wait_until(lambda: endpoint.taken, 20, "the webhook was taken")
    (event,) = endpoint.taken
    assert (event.type, endpoint.tries) == ("checkout.session.completed", 3)
    assert event.data.object["id"] == session.id


def test_a_session_expires_when_its_time_has_come(
    served: tuple[Stripe, Account], endpoint: Endpoint
) -> None:
    here, account = served
    session = account.v1.checkout.sessions.create(wishes(expires_at=int(time.time()) + 1800))
    with here.store.transaction() as tx:
        tx.put(tx.get("checkout.session", session.id) | {"expires_at": int(time.time()) - 1})
        tx.schedule(session.id, time.time())
    here.deliverer.wake()

    wait_until(lambda: endpoint.kinds == ["checkout.session.expired"], 20, "it was told")

    assert account.v1.checkout.sessions.retrieve(session.id).status == "expired"
    assert card.enter_card(str(session.url)).status_code == 200
    assert account.charges(session.client_reference_id) == []


def test_what_was_answered_outlives_kill_9(stack: Stack) -> None:
    account = Account(stack.plan.stripe, stack.plan.secrets.stripe_key)
    asked = wishes()
    key: Any = {"idempotency_key": str(uuid4())}
    session = account.v1.checkout.sessions.create(asked, key)
    card.enter_card(str(session.url))

    stack.wait_restarted("stripe", None, stack.kill("stripe"))

    assert account.v1.checkout.sessions.create(asked, key).id == session.id
    assert account.v1.checkout.sessions.retrieve(session.id).status == "complete"
    assert account.charges(session.client_reference_id) == [("authorised", 0, 0)]


# --- Would Stripe's client know it? --------------------------------------------------------------


def test_answers_have_the_fields_and_values_that_stripes_client_knows(
    served: tuple[Stripe, Account],
) -> None:
    _, account = served
    session = paid_session(account)
    intent = account.v1.payment_intents.capture(str(session.payment_intent))
    charge = account.v1.charges.retrieve(str(intent.latest_charge))
    refund = account.v1.refunds.create({"payment_intent": intent.id})
    event = account.v1.events.list().data[0]

    unknown = {
        type(answer).__name__: _unknown(type(answer), answer.to_dict())
        for answer in (session, intent, charge, refund, event)
    }

    assert unknown == {
        name: [] for name in ("Session", "PaymentIntent", "Charge", "Refund", "Event")
    }
    assert _unknown(stripe.Refund, {"statos": "x", "object": "refun"}) == [
        "statos",
        "object='refun'",
    ]
    kinds = _hints(stripe.Event)["type"]
    assert set(_literals(kinds)) >= DELIVERED


class _Names(dict[str, Any]):
    """Names that a module imports for type checkers only, as anything."""

    def __init__(self, module: str) -> None:
        super().__init__()
        self._known = vars(sys.modules[module]).keys() | vars(builtins).keys()

    def __missing__(self, name: str) -> Any:
        if name in self._known:
            raise KeyError(name)
        return Any


def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind, localns=_Names(kind.__module__))


def _unknown(kind: type, document: dict[str, Any]) -> list[str]:
    """Fields that the class does not have, and values that its field may not have."""
    hints = _hints(kind)
    wrong = []
    for name, value in document.items():
        allowed = _literals(hints.get(name))
        if name not in hints:
            wrong.append(name)
        elif allowed and isinstance(value, str) and value not in allowed:
            wrong.append(f"{name}={value!r}")
    return wrong


def _literals(hint: Any) -> tuple[str, ...]:
    """The texts that a type lists; none where it lists none."""
    if typing.get_origin(hint) is typing.Literal:
        return tuple(typing.get_args(hint))
    return tuple(text for part in typing.get_args(hint) for text in _literals(part))
