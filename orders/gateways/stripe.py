"""Cards, on Stripe's own payment page: Checkout Sessions, captured by hand once they are paid.

    start     a Checkout Session, under the key `<payment>:start`
    look_up   the session until it is paid, its PaymentIntent afterwards
    capture, cancel   once by Stripe's own states: they need no key
    refund    under the key `<refund>:refund`; looked for first when it is asked again

Stripe remembers a key for a day (docs.stripe.com/api/idempotent_requests). A session ends long
before, so a reply that was lost is had again by the same key; a refund carries its id as metadata.
It keeps its own 5xx as well: a payment gives way to another then, a refund waits for that day.
"""

import functools
import logging
from collections.abc import Callable
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, cast
from uuid import UUID

import stripe
from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import override

from orders.gateways.base import (
    GatewayRefused,
    GatewayUnreachable,
    PaymentAnswer,
    RefundAnswer,
)
from orders.gateways.events import Event, ForgedEvent
from orders.models import Payment, Refund
from shop.money import EXPONENTS
from storage.breaker import Circuit, CircuitOpen

if TYPE_CHECKING:
    from stripe.params.checkout import SessionCreateParams

logger = logging.getLogger(__name__)

SESSION_LIFE: Final = timedelta(minutes=75)
"""From when the payment was written down, so that the same is sent however often it is asked.

Stripe takes nothing below 30 minutes from the moment it is asked: what is left is the time for
which an order for a card holds its units, 45 minutes."""
TOLERANCE: Final = 300
"""Seconds by which a webhook's signature may be old."""
RETRIES: Final = 1
ZERO_DECIMAL: Final = frozenset({"JPY"})
"""Of our currencies, those that Stripe writes without decimals too (docs.stripe.com/currencies).

The New Taiwan dollar has none in the shop, and two at Stripe."""
LOCALES: Final = {"en": "en", "ja": "ja", "zh-hant": "zh-TW"}

State = Payment.State


@functools.cache
def client() -> stripe.StripeClient:
    """One a process; each thread has its own connections."""
    bases: Any = {"api": settings.STRIPE_API_BASE} if settings.STRIPE_API_BASE else {}
    return stripe.StripeClient(
        settings.STRIPE_SECRET_KEY,
        base_addresses=bases,
        http_client=stripe.RequestsClient(timeout=settings.STRIPE_TIMEOUTS),
        max_network_retries=RETRIES,
    )


def _intents() -> stripe.PaymentIntentService:
    return client().v1.payment_intents


def stripe_amount(amount: int, currency: str) -> int:
    """Our minor units in Stripe's: NT$1,290 is 1290 here and 129000 there."""
    decimals = 0 if currency in ZERO_DECIMAL else 2
    return amount * int(10 ** (decimals - EXPONENTS[currency]))


class StripeGateway:
    name = "stripe"

    def start(self, payment: Payment) -> PaymentAnswer:
        if payment.reference:
            return self.look_up(payment)
        wishes = _session_wishes(payment)
        key: Any = {"idempotency_key": f"{payment.pk}:start"}
        session = _ask(lambda: _start(wishes, key))
        replayed = session.last_response and "Idempotent-Replayed" in session.last_response.headers
        # A replay tells how things stood then.
        return _read_session(payment, session.id) if replayed else _answer(payment, session)

    def look_up(self, payment: Payment) -> PaymentAnswer:
        if payment.reference.startswith("pi_"):
            return _intent_answer(payment, _ask(lambda: _intents().retrieve(payment.reference)))
        if payment.reference:
            return _read_session(payment, payment.reference)
        return PaymentAnswer(State.STARTED)

    def capture(self, payment: Payment) -> PaymentAnswer:
        try:
            return _intent_answer(payment, _ask(lambda: _intents().capture(payment.reference)))
        except _WrongState:  # captured already, or let go
            return self.look_up(payment)

    def cancel(self, payment: Payment) -> PaymentAnswer:
        """A session that no shopper was told of ends by itself."""
        now = self.look_up(payment)
        try:
            if now.state == State.AUTHORISED:
                return _intent_answer(payment, _ask(lambda: _intents().cancel(now.reference)))
            if now.state == State.REQUIRES_ACTION and now.reference.startswith("cs_"):
                sessions = client().v1.checkout.sessions
                return _answer(payment, _ask(lambda: sessions.expire(now.reference)))
        except _WrongState:  # paid or expired since
            return self.look_up(payment)
        return PaymentAnswer(State.CANCELLED) if now.state == State.STARTED else now

    def refund(self, refund: Refund) -> RefundAnswer:
        again = refund.attempt > 1 or refund.reference
        found = _ask(lambda: _find_refund(refund)) if again else None
        return _refund_answer(found or _ask(lambda: _create_refund(refund)))

    def read_event(self, payload: bytes, signature: str) -> Event:
        """Raises ForgedEvent."""
        try:
            event = client().construct_event(
                payload, signature, settings.STRIPE_WEBHOOK_SECRET, TOLERANCE
            )
            about = event.data.object
            payment, refund = _uuid(_note(about, "payment")), _uuid(_note(about, "refund"))
            return Event(self.name, event.id, event.type, payment, refund)
        except (stripe.SignatureVerificationError, ValueError, AttributeError, KeyError) as error:
            raise ForgedEvent(str(error)) from error


# --- Errors --------------------------------------------------------------------------------------


class _WrongState(GatewayRefused):
    """It moved on since it was looked at."""


def _probe() -> None:
    try:
        client().v1.payment_intents.list({"limit": 1}, {"max_network_retries": 0})
    except stripe.APIConnectionError:
        raise
    except stripe.StripeError:  # an answer
        return


# A thread that waits for Stripe serves no other shopper, and there are few of them.
_circuit: Final = Circuit("stripe", _probe, outages=(stripe.APIConnectionError,))


def _ask[T](question: Callable[[], T]) -> T:
    """Stripe's errors as the shop's. Raises GatewayUnreachable, GatewayRefused."""
    try:
        return _circuit.call(question)
    except CircuitOpen as error:
        raise GatewayUnreachable(str(error)) from error
    except stripe.InvalidRequestError as error:
        moved_on = error.code == "payment_intent_unexpected_state" or "can be expired" in str(error)
        raise (_WrongState if moved_on else GatewayRefused)(str(error)) from error
    except (stripe.CardError, stripe.IdempotencyError) as error:
        raise GatewayRefused(str(error)) from error
    except (stripe.AuthenticationError, stripe.PermissionError) as error:
        # Says nothing of the payment: it goes on once the key is right.
        logger.error("Stripe does not accept STRIPE_SECRET_KEY: %s", error)
        raise GatewayUnreachable(str(error)) from error
    except stripe.StripeError as error:
        raise GatewayUnreachable(str(error)) from error


def _start(wishes: "SessionCreateParams", key: Any) -> stripe.checkout.Session:
    """Raises GatewayRefused where Stripe keeps a breakdown of its own (5xx) under the key.

    It would say the same for a day. Another payment has another key, and a session that may have
    been made all the same ends by itself, as nobody has its address.
    """
    try:
        return client().v1.checkout.sessions.create(wishes, key)
    except stripe.APIError as error:
        kept = "Idempotent-Replayed" in (error.headers or {})
        if kept and (error.http_status or 0) >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise GatewayRefused(str(error)) from error
        raise


# --- Payments ------------------------------------------------------------------------------------


def _session_wishes(payment: Payment) -> "SessionCreateParams":
    """The same whenever it is asked: Stripe refuses a key that comes with something else."""
    order = payment.order
    address = settings.ANYPORT_URL
    about = {"payment": str(payment.pk), "order": order.number}
    with override(order.language):
        title = _("Order %(number)s") % {"number": order.number}
    return {
        "mode": "payment",
        "client_reference_id": str(payment.pk),
        "metadata": about,
        "payment_intent_data": {
            "capture_method": "manual",
            "description": order.number,
            "metadata": about,
        },
        "allowed_payment_method_types": ["card"],
        "line_items": [
            {
                "quantity": 1,
                "price_data": {
                    "currency": payment.currency.lower(),
                    "unit_amount": stripe_amount(payment.amount, payment.currency),
                    "product_data": {"name": title},
                },
            }
        ],
        "customer_email": order.email,
        "locale": LOCALES.get(order.language, "auto"),
        "expires_at": int((payment.created_at + SESSION_LIFE).timestamp()),
        "success_url": address + reverse("orders:paid", args=[order.number]),
        "cancel_url": address + order.get_absolute_url(),
    }


def _read_session(payment: Payment, name: str) -> PaymentAnswer:
    sessions = client().v1.checkout.sessions
    expand: Any = {"expand": ["payment_intent"]}
    return _answer(payment, _ask(lambda: sessions.retrieve(name, expand)))


def _answer(payment: Payment, session: stripe.checkout.Session) -> PaymentAnswer:
    """By the session; by its PaymentIntent once the session is complete."""
    if session.status == "expired":
        return PaymentAnswer(State.CANCELLED, session.id)
    if session.status == "complete":
        return _intent_answer(payment, cast(stripe.PaymentIntent, session.payment_intent))
    return PaymentAnswer(State.REQUIRES_ACTION, session.id, action_url=session.url or "")


def _intent_answer(payment: Payment, intent: stripe.PaymentIntent) -> PaymentAnswer:
    if _note(intent, "payment") != str(payment.pk):
        raise GatewayRefused(f"{intent.id} is not of payment {payment.pk}")
    error = intent.last_payment_error
    match intent.status:
        case "requires_capture":
            return PaymentAnswer(State.AUTHORISED, intent.id)
        case "succeeded":
            if intent.amount_received != stripe_amount(payment.amount, payment.currency):
                raise GatewayRefused(f"{intent.id} took {intent.amount_received} units")
            return PaymentAnswer(State.CAPTURED, intent.id)
        case "canceled":
            return PaymentAnswer(State.CANCELLED, intent.id)
        case "requires_payment_method":
            failure = (error and error.message) or "the payment failed"
            return PaymentAnswer(State.FAILED, intent.id, failure=failure)
    return PaymentAnswer(State.REQUIRES_ACTION, intent.id)  # processing: its webhook tells


# --- Refunds -------------------------------------------------------------------------------------


def _create_refund(refund: Refund) -> stripe.Refund:
    payment = refund.payment
    return client().v1.refunds.create(
        {
            "payment_intent": payment.reference,
            "amount": stripe_amount(refund.amount, payment.currency),
            "metadata": {"refund": str(refund.pk), "payment": str(payment.pk)},
        },
        {"idempotency_key": f"{refund.pk}:refund"},
    )


def _find_refund(refund: Refund) -> stripe.Refund | None:
    """What an earlier attempt did, even if its reply was lost longer ago than keys are kept."""
    if refund.reference:
        return client().v1.refunds.retrieve(refund.reference)
    made = client().v1.refunds.list({"payment_intent": refund.payment.reference, "limit": 100})
    for one in made.auto_paging_iter():
        if _note(one, "refund") == str(refund.pk):
            return one
    return None


def _refund_answer(made: stripe.Refund) -> RefundAnswer:
    if made.status == "succeeded":
        return RefundAnswer(Refund.State.DONE, made.id)
    if made.status in {"failed", "canceled"}:
        return RefundAnswer(Refund.State.FAILED, made.id, made.failure_reason or made.status)
    return RefundAnswer(Refund.State.REQUESTED, made.id)


def _note(thing: Any, name: str) -> str:
    """Of what we gave it as metadata; nothing where it has none."""
    metadata = getattr(thing, "metadata", None)
    return str(metadata[name]) if metadata and name in metadata else ""


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
