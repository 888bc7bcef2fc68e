"""Who takes the shop's money, by payment method; cards are offered where Stripe's key is set."""

from urllib.parse import urlsplit

from settings.env import env_str, refuse

# Which gateway takes a method's money, and where each gateway is. Lazily imported by name.
PAYMENT_METHODS = {"invoice": "invoice", "cash_on_delivery": "cash_on_delivery"}
PAYMENT_GATEWAYS = {
    "invoice": "orders.gateways.manual.Invoice",
    "cash_on_delivery": "orders.gateways.manual.CashOnDelivery",
}

# --- Stripe: all empty where the shop takes no cards ------------------------------------------
STRIPE_SECRET_KEY = env_str("STRIPE_SECRET_KEY", "")
STRIPE_WEBHOOK_SECRET = env_str("STRIPE_WEBHOOK_SECRET", "")
# Empty for Stripe itself; the embedded stack brings a server of its own.
STRIPE_API_BASE = env_str("STRIPE_API_BASE", "").rstrip("/")
# Where its hosted payment page is: the one foreign address that a form of ours may lead to.
STRIPE_CHECKOUT_ORIGIN = env_str(
    "STRIPE_CHECKOUT_ORIGIN", STRIPE_API_BASE or "https://checkout.stripe.com"
).rstrip("/")
# Seconds to connect, for each address of the name, and to read; a call is tried at most twice.
STRIPE_TIMEOUTS = (2.0, 5.0)

if STRIPE_SECRET_KEY:
    if not STRIPE_SECRET_KEY.startswith(("sk_", "rk_")):
        refuse("STRIPE_SECRET_KEY", "is wrong: a secret key begins with sk_, a restricted one rk_.")
    if not STRIPE_WEBHOOK_SECRET.startswith("whsec_"):
        refuse(
            "STRIPE_WEBHOOK_SECRET",
            "must hold the signing secret (whsec_…) of the endpoint /webhooks/stripe/, as"
            " STRIPE_SECRET_KEY is set. Without STRIPE_SECRET_KEY the shop takes no cards.",
        )
    if urlsplit(STRIPE_CHECKOUT_ORIGIN).scheme not in {"http", "https"}:
        refuse("STRIPE_CHECKOUT_ORIGIN", "is wrong: it must hold an address, https://….")
    PAYMENT_METHODS["card"] = "stripe"
    PAYMENT_GATEWAYS["stripe"] = "orders.gateways.stripe.StripeGateway"
