"""Checkout Sessions: https://docs.stripe.com/api/checkout/sessions"""

import re
import time
from typing import Final
from urllib.parse import urlsplit

from regions.embedded.stripe.payments import ASKS_OWNER, charge, new_intent, release_intent
from regions.embedded.stripe.store import Transaction, new_id
from regions.embedded.stripe.wire import Document, Parameters, Refused

SHORTEST: Final = 30 * 60
LONGEST: Final = 24 * 60 * 60
"""Seconds between which a session may live."""
_LEEWAY = 60  # of clocks that differ
_LEAST: Final = 50
"""The smallest charge in JPY, SGD and USD, in Stripe's units (docs.stripe.com/currencies)."""
_CURRENCIES = ("twd", "jpy", "sgd", "usd", "eur", "hkd")


def create_session(tx: Transaction, parameters: Parameters, origin: str) -> Document:
    now = int(time.time())
    parameters.text("mode", of=("payment",))
    expires_at = parameters.integer("expires_at", now + LONGEST)
    if not now + SHORTEST - _LEEWAY <= expires_at <= now + LONGEST + _LEEWAY:
        message = (
            "The `expires_at` timestamp must be at least 30 minutes and less than 24 hours from"
            " Checkout Session creation."
        )
        raise Refused(400, message, param="expires_at")
    items, amount, currency = _line_items(parameters)
    name = new_id("cs_test")
    session = {
        "id": name,
        "object": "checkout.session",
        "amount_subtotal": amount,
        "amount_total": amount,
        "cancel_url": _address(parameters, "cancel_url"),
        "client_reference_id": parameters.text("client_reference_id", None),
        "created": now,
        "currency": currency,
        "customer_email": parameters.text("customer_email", None),
        "expires_at": expires_at,
        "livemode": False,
        "locale": parameters.text("locale", None),
        "metadata": parameters.metadata(),
        "mode": "payment",
        "payment_intent": None,
        "allowed_payment_method_types": parameters.array("allowed_payment_method_types"),
        "payment_method_types": ["card"],
        "payment_status": "unpaid",
        "status": "open",
        "success_url": _address(parameters, "success_url"),
        "url": f"{origin}/c/pay/{name}",
        "_items": items,
        "_intent": _intent_wishes(parameters.nested("payment_intent_data")),
    }
    parameters.end()
    tx.put(session)
    tx.schedule(name, expires_at)
    return session


def _line_items(parameters: Parameters) -> tuple[str, int, str]:
    """Names, sum and currency. Raises Refused where no card can pay them."""
    names, total, currencies = [], 0, set()
    for item in parameters.trees("line_items"):
        price = item.nested("price_data")
        quantity = item.integer("quantity", 1, least=1)
        unit = price.integer("unit_amount", least=0)
        currencies.add(price.text("currency", of=_CURRENCIES))
        product = price.nested("product_data")
        names.append(str(product.text("name")))
        for part in (product, price, item):
            part.end()
        total += quantity * unit
    if len(currencies) != 1:
        raise Refused(400, "Send line_items, all in one currency.", param="line_items")
    currency = currencies.pop()
    if total < _LEAST:
        message = "The Checkout Session's total amount is too small to be charged."
        raise Refused(400, message, code="amount_too_small")
    return ", ".join(names), total, currency


def _intent_wishes(parameters: Parameters) -> Document:
    wishes = {
        "capture_method": parameters.text(
            "capture_method", "automatic_async", of=("automatic", "automatic_async", "manual")
        ),
        "description": parameters.text("description", None),
        "metadata": parameters.metadata(),
    }
    parameters.end()
    return wishes


def _address(parameters: Parameters, name: str) -> str:
    address = str(parameters.text(name))
    if urlsplit(address).scheme not in {"http", "https"}:
        raise Refused(400, "Not a valid URL", code="url_invalid", param=name)
    return address


def current(tx: Transaction, name: str) -> Document:
    """The session as it is now: one whose time has passed is expired by looking at it."""
    session = tx.get("checkout.session", name)
    if session["status"] == "open" and session["expires_at"] <= time.time():
        session = _expire(tx, session, "abandoned")
    return session


def expire_session(tx: Transaction, parameters: Parameters, name: str) -> Document:
    parameters.end()
    session = current(tx, name)
    if session["status"] != "open":
        raise Refused(
            400,
            'Only Checkout Sessions with a status in ["open"] can be expired.'
            f" This Checkout Session has a status of {session['status']}",
            saved=True,
        )
    return _expire(tx, session, "abandoned")


def _expire(tx: Transaction, session: Document, reason: str) -> Document:
    session |= {"status": "expired", "url": None}
    tx.put(session)
    if intent := intent_of(tx, session):
        release_intent(tx, intent, reason)
    tx.emit("checkout.session.expired", session)
    return session


# --- What the shopper does on the hosted page ----------------------------------------------------


def act(tx: Transaction, name: str, form: dict[str, str]) -> str:
    """Do what the page's form asks for, on an open session; what is wrong with the form itself.

    Afterwards the session is complete, asks the card's owner, or is open still and its
    PaymentIntent says why. Raises Refused for a session that does not exist.
    """
    session = current(tx, name)
    if session["status"] != "open":
        return ""
    if "bank" in form:
        _answer_bank(tx, session, agrees=form["bank"] == "yes")
    elif "card" in form:
        number = re.sub(r"[\s-]", "", form["card"])
        if not _is_card_number(number):
            return "Your card number is incorrect."
        _pay(tx, session, number)
    return ""


def intent_of(tx: Transaction, session: Document) -> Document | None:
    """None until a card is tried."""
    name = session["payment_intent"]
    return tx.get("payment_intent", name) if name else None


def _pay(tx: Transaction, session: Document, card: str) -> None:
    intent = intent_of(tx, session)
    if intent is None:
        intent = new_intent(tx, session)
        session["payment_intent"] = intent["id"]
        tx.put(session)
    if card not in ASKS_OWNER:
        _charge(tx, session, intent, card)
        return
    intent |= {"status": "requires_action", "_card": card, "last_payment_error": None}
    intent["next_action"] = {"type": "use_stripe_sdk", "use_stripe_sdk": {}}
    tx.put(intent)
    tx.emit("payment_intent.requires_action", intent)


def _answer_bank(tx: Transaction, session: Document, *, agrees: bool) -> None:
    """What the card's owner answers to its bank."""
    intent = intent_of(tx, session)
    if intent is None or intent["status"] != "requires_action":
        return
    if agrees:
        _charge(tx, session, intent, intent["_card"])
        return
    message = "We are unable to authenticate your payment method. Choose another one."
    code = "payment_intent_authentication_failure"
    error = {"type": "invalid_request_error", "code": code, "message": message}
    intent |= {"status": "requires_payment_method", "next_action": None, "_card": ""}
    intent["last_payment_error"] = error
    tx.put(intent)
    tx.emit("payment_intent.payment_failed", intent)


def _charge(tx: Transaction, session: Document, intent: Document, card: str) -> None:
    if not charge(tx, intent, card):
        return
    session |= {"status": "complete", "url": None}
    session["payment_status"] = "paid" if intent["status"] == "succeeded" else "unpaid"
    tx.put(session)
    tx.emit("checkout.session.completed", session)


def _is_card_number(text: str) -> bool:
    """Sixteen digits whose last one checks the others (Luhn)."""
    if len(text) != 16 or not (text.isascii() and text.isdecimal()):
        return False
    doubled = (int(digit) * 2 for digit in text[0::2])
    return (sum(d - 9 if d > 9 else d for d in doubled) + sum(map(int, text[1::2]))) % 10 == 0
