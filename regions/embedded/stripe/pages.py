"""The page where a shopper pays: plain forms, and marked as a test on every one of them."""

from html import escape
from string import Template
from typing import Final

from regions.embedded.stripe.wire import Document

ZERO_DECIMAL: Final = frozenset({"jpy"})

_PAGE = Template("""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<link rel="icon" href="data:,">
<title>$title</title>
<style>
:root { color-scheme: light dark; --accent: light-dark(#4b3fd6, #a9a2ff) }
body { font: 1rem/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 34rem; padding: 1rem }
.test { background: #ffd400; color: #222; padding: .6rem 1rem; border-radius: .4rem }
label, input, button { display: block; font: inherit; width: 100%; box-sizing: border-box }
input, button { padding: .7rem; border-radius: .4rem; border: 1px solid currentColor }
button { background: var(--accent); color: Canvas; border: 0; font-weight: 600; cursor: pointer }
button.quiet { background: none; color: inherit; border: 1px solid currentColor; font-weight: 400 }
form { display: grid; gap: .8rem; margin: 1.5rem 0 }
.problem { border-left: .3rem solid #d33; padding-left: .8rem }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px }
a { color: var(--accent) }
table { border-collapse: collapse; width: 100% }
td, th { text-align: start; padding: .3rem .6rem .3rem 0; overflow-wrap: anywhere }
</style>
<main>
<p class="test" role="note"><strong>Local test page.</strong> It stands for Stripe's payment page
on this machine. No card is real here and no money moves.</p>
$content
</main>
</html>
""")

_PAY = """<h1>Pay {amount}</h1>
<p>{items}</p>
{problem}
<form method="post">
<label for="card">Card number</label>
<input id="card" name="card" inputmode="numeric" autocomplete="off" required
 value="4242 4242 4242 4242" aria-describedby="cards">
<button>Pay {amount}</button>
</form>
<p id="cards">Or let the test card be</p>
<form method="post">
<button class="quiet" name="card" value="4000 0000 0000 0002">one that is declined</button>
<button class="quiet" name="card" value="4000 0027 6000 3184">one whose bank asks you first</button>
<button class="quiet" name="card" value="4000 0084 0000 1629">one that is declined then</button>
</form>
<p><a href="{cancel}">Cancel and go back to the shop</a></p>"""

_BANK = """<h1>Your bank asks: is it you who pays {amount}?</h1>
<form method="post">
<button name="bank" value="yes">Yes, it is me</button>
<button class="quiet" name="bank" value="no">No, refuse</button>
</form>
<p><a href="{cancel}">Cancel and go back to the shop</a></p>"""


def amount_of(document: Document, field: str) -> str:
    currency = document["currency"]
    amount = document[field]
    shown = f"{amount:,}" if currency in ZERO_DECIMAL else f"{amount / 100:,.2f}"
    return f"{shown} {currency.upper()}"


def payment_page(session: Document, intent: Document | None, problem: str = "") -> str:
    """For an open session: the card, or the bank's question."""
    amount = escape(amount_of(session, "amount_total"))
    cancel = escape(session["cancel_url"])
    if intent and intent["status"] == "requires_action":
        return _page(f"Confirm {amount}", _BANK.format(amount=amount, cancel=cancel))
    error = (intent or {}).get("last_payment_error")
    said = problem or (error["message"] if error else "")
    shown = f'<p class="problem" role="alert">{escape(said)}</p>' if said else ""
    content = _PAY.format(
        amount=amount, cancel=cancel, problem=shown, items=escape(session["_items"])
    )
    return _page(f"Pay {amount}", content)


def closed_page(session: Document) -> str:
    """For a session that nobody can pay any more."""
    paid = session["status"] == "complete"
    address, words = (
        (session["success_url"], "This has been paid already.")
        if paid
        else (session["cancel_url"], "This payment page has expired. Nothing was charged.")
    )
    content = f'<h1>{words}</h1><p><a href="{escape(address)}">Back to the shop</a></p>'
    return _page(words, content)


def overview(charges: list[Document], refunds: list[Document]) -> str:
    """What has been charged and sent back, for whoever tries the shop out."""
    rows = "".join(
        f"<tr><td>{escape(made['id'])}<td>{escape(amount_of(made, 'amount'))}"
        f"<td>{escape(_state(made))}<td>{escape(made['metadata'].get('order', ''))}"
        for made in charges
    )
    back = "".join(
        f"<tr><td>{escape(refund['id'])}<td>{escape(amount_of(refund, 'amount'))}"
        f"<td>{escape(refund['status'])}<td>{escape(refund['charge'])}"
        for refund in refunds
    )
    return _page(
        "Charges",
        "<h1>Charges</h1><p>The last hundred.</p>"
        f"<table><tr><th>Charge<th>Amount<th>State<th>Order{rows}</table>"
        f"<h2>Refunds</h2><table><tr><th>Refund<th>Amount<th>State<th>Of{back}</table>",
    )


def _state(made: Document) -> str:
    if made["status"] == "failed":
        return f"declined: {made['failure_code']}"
    if made["captured"]:
        return "refunded" if made["refunded"] else "captured"
    return "released" if made["refunded"] else "authorised"


def _page(title: str, content: str) -> str:
    return _PAGE.substitute(title=escape(title), content=content)
