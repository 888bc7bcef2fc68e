"""PaymentIntents, charges and refunds: https://docs.stripe.com/payments/paymentintents/lifecycle"""

import time
from typing import Final

from regions.embedded.stripe.store import Transaction, new_id
from regions.embedded.stripe.wire import Document, Parameters, Refused

DECLINED: Final = {
    "4000000000000002": ("card_declined", "generic_decline"),
    "4000000000000341": ("card_declined", "generic_decline"),
    "4000000000009995": ("card_declined", "insufficient_funds"),
    "4000000000000069": ("expired_card", "expired_card"),
    "4000000000000127": ("incorrect_cvc", "incorrect_cvc"),
    "4000000000000119": ("processing_error", "processing_error"),
    "4000008400001629": ("card_declined", "generic_decline"),
}
"""Cards that are refused, with Stripe's code and decline code (docs.stripe.com/testing)."""
ASKS_OWNER: Final = frozenset({"4000002500003155", "4000002760003184", "4000008400001629"})
"""Cards whose bank asks its owner first (3-D Secure); the last is refused all the same."""
REFUND_LATER: Final = {"4000000000007726": "succeeded", "4000000000005126": "failed"}
"""Cards whose refunds are settled a moment later: pending at first, or only apparently done."""
SETTLES_AFTER = 1.0  # seconds

_MESSAGES = {
    "insufficient_funds": "Your card has insufficient funds.",
    "expired_card": "Your card has expired.",
    "incorrect_cvc": "Your card's security code is incorrect.",
    "processing_error": "An error occurred while processing your card. Try again.",
}
_OPEN = ("requires_payment_method", "requires_confirmation", "requires_action")
_REASONS = ("duplicate", "fraudulent", "requested_by_customer")


def new_intent(tx: Transaction, session: Document) -> Document:
    wanted = session["_intent"]
    name = new_id("pi")
    intent = {
        "id": name,
        "object": "payment_intent",
        "amount": session["amount_total"],
        "amount_capturable": 0,
        "amount_received": 0,
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": wanted["capture_method"],
        "client_secret": f"{name}_secret_{new_id('x')[2:]}",
        "created": int(time.time()),
        "currency": session["currency"],
        "customer": None,
        "description": wanted["description"],
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "metadata": wanted["metadata"],
        "next_action": None,
        "payment_method_types": ["card"],
        "status": "requires_payment_method",
        "_session": session["id"],
    }
    tx.put(intent, session["id"])
    tx.emit("payment_intent.created", intent)
    return intent


def charge(tx: Transaction, intent: Document, card: str) -> bool:
    """Reserve the amount on the card, or take it; False when the card is declined."""
    code, decline = DECLINED.get(card, ("", ""))
    made = _new_charge(intent, card)
    intent |= {"latest_charge": made["id"], "next_action": None, "_card": ""}
    if code:
        message = _MESSAGES.get(decline, "Your card was declined.")
        made |= {"paid": False, "status": "failed"}
        made |= {"failure_code": code, "failure_message": message}
        intent["status"] = "requires_payment_method"
        intent["last_payment_error"] = {
            "type": "card_error",
            "code": code,
            "decline_code": decline,
            "message": message,
            "charge": made["id"],
        }
    else:
        intent |= {"last_payment_error": None, "status": "requires_capture"}
        intent["amount_capturable"] = intent["amount"]
    tx.put(made, intent["id"])
    tx.put(intent)
    if code:
        tx.emit("charge.failed", made)
        tx.emit("payment_intent.payment_failed", intent)
        return False
    tx.emit("charge.succeeded", made)
    if intent["capture_method"] == "manual":
        tx.emit("payment_intent.amount_capturable_updated", intent)
    else:
        _capture(tx, intent, intent["amount"])
    return True


def _new_charge(intent: Document, card: str) -> Document:
    return {
        "id": new_id("ch"),
        "object": "charge",
        "amount": intent["amount"],
        "amount_captured": 0,
        "amount_refunded": 0,
        "captured": False,
        "created": int(time.time()),
        "currency": intent["currency"],
        "description": intent["description"],
        "disputed": False,
        "failure_code": None,
        "failure_message": None,
        "livemode": False,
        "metadata": intent["metadata"],
        "paid": True,
        "payment_intent": intent["id"],
        "payment_method_details": {"type": "card", "card": {"brand": "visa", "last4": card[-4:]}},
        "refunded": False,
        "status": "succeeded",
        "_card": card,
    }


def capture_intent(tx: Transaction, parameters: Parameters, name: str) -> Document:
    intent = tx.get("payment_intent", name)
    amount = parameters.integer("amount_to_capture", intent["amount_capturable"], least=1)
    parameters.end()
    if intent["status"] != "requires_capture":
        raise _unexpected(intent, "captured", "requires_capture")
    if amount > intent["amount_capturable"]:
        raise Refused(
            400,
            f"The requested capture amount ({amount}) is greater than the amount you can capture"
            f" ({intent['amount_capturable']}).",
            code="amount_too_large",
            param="amount_to_capture",
        )
    return _capture(tx, intent, amount)


def _capture(tx: Transaction, intent: Document, amount: int) -> Document:
    made = tx.get("charge", intent["latest_charge"])
    made |= {"captured": True, "amount_captured": amount}
    made["amount_refunded"] = made["amount"] - amount  # what was reserved and not taken
    intent |= {"status": "succeeded", "amount_received": amount, "amount_capturable": 0}
    session = tx.get("checkout.session", intent["_session"])
    tx.put(made)
    tx.put(intent)
    tx.put(session | {"payment_status": "paid"})
    tx.emit("charge.captured", made)
    tx.emit("payment_intent.succeeded", intent)
    return intent


def cancel_intent(tx: Transaction, parameters: Parameters, name: str) -> Document:
    reason = parameters.text("cancellation_reason", "requested_by_customer")
    parameters.end()
    intent = tx.get("payment_intent", name)
    if tx.get("checkout.session", intent["_session"])["status"] == "open":
        raise Refused(
            400,
            "You cannot cancel a PaymentIntent that belongs to an open Checkout Session."
            " Expire the Checkout Session instead.",
            code="payment_intent_unexpected_state",
        )
    if intent["status"] not in (*_OPEN, "requires_capture"):
        raise _unexpected(intent, "canceled", ", ".join((*_OPEN, "requires_capture")))
    return release_intent(tx, intent, reason)


def release_intent(tx: Transaction, intent: Document, reason: str) -> Document:
    if intent["status"] == "requires_capture":
        made = tx.get("charge", intent["latest_charge"])
        tx.put(made | {"amount_refunded": made["amount"], "refunded": True})
    intent |= {"status": "canceled", "canceled_at": int(time.time()), "next_action": None}
    intent |= {"cancellation_reason": reason, "amount_capturable": 0}
    tx.put(intent)
    tx.emit("payment_intent.canceled", intent)
    return intent


def _unexpected(intent: Document, verb: str, wanted: str) -> Refused:
    return Refused(
        400,
        f"This PaymentIntent could not be {verb} because it has a status of {intent['status']}."
        f" Only a PaymentIntent with one of the following statuses may be {verb}: {wanted}.",
        saved=True,
        code="payment_intent_unexpected_state",
    )


def create_refund(tx: Transaction, parameters: Parameters) -> Document:
    intent_name = parameters.text("payment_intent", "")
    charge_name = parameters.text("charge", "")
    wanted = parameters.integer("amount", 0, least=1)
    reason = parameters.text("reason", None, of=_REASONS)
    metadata = parameters.metadata()
    parameters.end()
    if bool(intent_name) == bool(charge_name):
        raise Refused(400, "Send one of these params: charge, payment_intent.")
    if intent_name:
        charge_name = tx.get("payment_intent", intent_name)["latest_charge"] or ""
    made = tx.get("charge", charge_name) if charge_name else {}
    if not made.get("captured"):
        raise Refused(
            400, "This PaymentIntent does not have a captured charge to refund.", saved=True
        )
    left = made["amount"] - made["amount_refunded"]
    if not left:
        message = f"Charge {made['id']} has already been refunded."
        raise Refused(400, message, saved=True, code="charge_already_refunded")
    if wanted > left:
        message = f"Refund amount ({wanted}) is greater than unrefunded amount on charge ({left})"
        raise Refused(400, message, saved=True, param="amount")
    return _send_back(tx, made, wanted or left, reason, metadata)


def _send_back(
    tx: Transaction, made: Document, amount: int, reason: str | None, metadata: dict[str, str]
) -> Document:
    later = REFUND_LATER.get(made["_card"])
    refund = {
        "id": new_id("re"),
        "object": "refund",
        "amount": amount,
        "charge": made["id"],
        "created": int(time.time()),
        "currency": made["currency"],
        "metadata": metadata,
        "payment_intent": made["payment_intent"],
        "reason": reason,
        "status": "pending" if later == "succeeded" else "succeeded",
        "_later": later,
    }
    made["amount_refunded"] += amount
    made["refunded"] = made["amount_refunded"] == made["amount"]
    tx.put(made)
    tx.put(refund, made["payment_intent"])
    if later:
        tx.schedule(refund["id"], time.time() + SETTLES_AFTER)
    tx.emit("refund.created", refund)
    tx.emit("charge.refunded", made)
    return refund


def settle_refund(tx: Transaction, name: str) -> None:
    """What a bank says of a refund a moment later."""
    refund = tx.get("refund", name)
    refund["status"] = refund.pop("_later")
    if refund["status"] == "failed":
        refund["failure_reason"] = "expired_or_canceled_card"
        made = tx.get("charge", refund["charge"])
        left = made["amount_refunded"] - refund["amount"]
        tx.put(made | {"amount_refunded": left, "refunded": False})
        tx.emit("refund.failed", refund)
    tx.put(refund)
    tx.emit("refund.updated", refund)
