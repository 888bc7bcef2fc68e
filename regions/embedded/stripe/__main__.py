"""The process `stripe` of an embedded stack: `python -m regions.embedded.stripe`."""

import logging
import os
import signal
import sys
from pathlib import Path

from regions.embedded.plan import Plan
from regions.embedded.ports import LOOPBACK
from regions.embedded.stripe.server import Configuration, Server, Stripe


def main() -> None:
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    plan = Plan.load(Path(os.environ["ANYPORT_STATE"]))
    stripe = Stripe(
        Configuration(
            path=plan.state / "stripe" / "stripe.sqlite3",
            origin=plan.stripe,
            key=plan.secrets.stripe_key,
            webhook_url=f"{plan.front}/webhooks/stripe/",
            webhook_secret=plan.secrets.stripe_webhook,
        )
    )
    server = Server((LOOPBACK, plan.ports["stripe"]))
    server.stripe = stripe
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit())  # all that was answered is on disk
    stripe.deliverer.start()
    logging.getLogger("anyport.stripe").info("listening on port %d", plan.ports["stripe"])
    server.serve_forever(poll_interval=3600)


if __name__ == "__main__":
    main()
