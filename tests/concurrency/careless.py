"""The shop with its guards bypassed: what the controls of this folder run.

`python -m tests.concurrency.careless N` serves it over HTTP and prints its port. N requests meet
where each has looked for its key, and again where each has read its cart.
"""

import sys
from collections.abc import Callable
from socketserver import ThreadingMixIn
from threading import Barrier
from typing import Any
from uuid import UUID
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import django

type Replace = Callable[[Any, str, Any], object]

together: Any = None
"""Of the processes that tests/concurrency/killed.py has forked at once."""


def bypass_guard(replace: Replace) -> None:
    """The control: "GET; work; SET". The key is written after the commit of the effect."""
    from orders import idempotency  # noqa: PLC0415 (after the set-up)
    from orders.answers import Answer  # noqa: PLC0415 (after the set-up)
    from orders.models import IdempotencyRecord  # noqa: PLC0415 (after the set-up)

    def take(claim: Any) -> tuple[list[str], Answer | None]:
        seen = IdempotencyRecord.objects.filter(owner__in=claim.owners, key=claim.key).first()
        if seen is None:
            return [], None
        return [], Answer(seen.status or 0, bytes(seen.body or b""), seen.headers or {})

    def write_later(owners: tuple[str, ...], key: UUID, digest: str, answer: Answer) -> None:
        from django.utils import timezone  # noqa: PLC0415 (after the set-up)

        IdempotencyRecord.objects.get_or_create(
            owner=owners[0],
            key=key,
            defaults={
                "status": answer.status,
                "body": answer.body,
                "headers": dict(answer.headers),
                "expires_at": timezone.now(),
            },
        )

    replace(idempotency._Claim, "_take", take)
    replace(idempotency._Claim, "_write", lambda claim, answer, claimed: None)
    replace(idempotency, "recall", lambda owners, key: None)
    replace(idempotency, "remember", write_later)


def key_per_attempt(replace: Replace) -> None:
    """The control: a gateway is asked under a new key whenever it is asked."""
    from orders.gateways import stripe  # noqa: PLC0415 (after the set-up)
    from orders.gateways.base import PaymentAnswer  # noqa: PLC0415 (after the set-up)
    from orders.models import Payment  # noqa: PLC0415 (after the set-up)

    def start(gateway: stripe.StripeGateway, payment: Payment) -> PaymentAnswer:
        key: Any = {"idempotency_key": f"{payment.pk}:start:{payment.attempt}"}
        sessions = stripe.client().v1.checkout.sessions
        return stripe._answer(payment, sessions.create(stripe._session_wishes(payment), key))

    replace(stripe.StripeGateway, "start", start)


def ask_then_write(replace: Replace) -> None:
    """The control: a refund is written down when the gateway has done it."""
    from orders import api_payments  # noqa: PLC0415 (after the set-up)
    from orders.gateways import get_gateway  # noqa: PLC0415 (after the set-up)
    from orders.models import Refund  # noqa: PLC0415 (after the set-up)
    from orders.services import refunds  # noqa: PLC0415 (after the set-up)

    def request_refund(*, payment: Any, amount: int, reason: str, actor: Any, key: UUID) -> Refund:
        refund = Refund(payment=payment, amount=amount, reason=reason, actor=actor)
        answer = get_gateway(payment.gateway).refund(refund)
        refunds.take_off(payment, amount)
        refund.state, refund.reference = answer.state, answer.reference
        refund.save(force_insert=True)
        refunds._finish(refund, payment.order)
        return refund

    replace(api_payments, "request_refund", request_refund)


def mail_at_once(replace: Replace) -> None:
    """The control: mails are sent where they should be written down, within the transaction."""
    _mail(replace, lambda send: send())


def mail_after_commit(replace: Replace) -> None:
    """The control: mails are sent by whoever committed, if they live so long."""
    from django.db import transaction  # noqa: PLC0415 (after the set-up)

    _mail(replace, transaction.on_commit)


def _mail(replace: Replace, when: Callable[[Callable[[], None]], object]) -> None:
    from orders import mails  # noqa: PLC0415 (after the set-up)
    from orders.models import OutboxMessage  # noqa: PLC0415 (after the set-up)

    def enqueue(**message: Any) -> None:
        when(lambda: mails.send_mail(OutboxMessage(**message)))

    replace(mails, "enqueue", enqueue)


def look_together(replace: Replace) -> None:
    """The control: each looks for its key before any has acted, and asks before it writes."""
    from orders import idempotency  # noqa: PLC0415 (after the set-up)

    bypass_guard(replace)
    ask_then_write(replace)
    take: Any = idempotency._Claim._take

    def take_together(claim: Any) -> Any:
        taken = take(claim)
        together.wait(30)
        return taken

    replace(idempotency._Claim, "_take", take_together)


def count_together(replace: Replace) -> None:
    """The control: each counts what is left before any has taken it off, under no lock."""
    from orders.models import Order, Payment  # noqa: PLC0415 (after the set-up)
    from orders.services import refunds  # noqa: PLC0415 (after the set-up)

    def look_then_write(payment: Payment, amount: int) -> None:
        refunded = payment.refunded_amount + amount
        assert refunded <= payment.amount
        together.wait(30)
        Payment.objects.filter(pk=payment.pk).update(refunded_amount=refunded)
        Order.objects.filter(pk=payment.order_id).update(refunded_amount=refunded)

    replace(refunds, "take_off", look_then_write)
    replace(refunds, "lock_order", lambda pk: Order.objects.get(pk=pk))


def meet(together: int) -> None:
    """Let so many requests look before any acts, and take the cart's lock away."""
    from orders import idempotency  # noqa: PLC0415 (after the set-up)
    from orders.services import checkout  # noqa: PLC0415 (after the set-up)

    barrier = Barrier(together, timeout=30)
    take: Any = idempotency._Claim._take
    price: Any = checkout._price_lines

    def take_together(claim: Any) -> Any:
        taken = take(claim)
        barrier.wait()
        return taken

    def price_together(*given: Any) -> Any:
        barrier.wait()
        return price(*given)

    replace: Callable[[Any, str, Any], None] = setattr
    replace(idempotency._Claim, "_take", take_together)
    replace(checkout, "_price_lines", price_together)
    replace(checkout, "lock_cart", lambda cart: cart)


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


def main() -> None:
    django.setup()
    from django.core.wsgi import get_wsgi_application  # noqa: PLC0415 (after the set-up)

    bypass_guard(setattr)
    meet(int(sys.argv[1]))
    application = get_wsgi_application()
    with make_server("127.0.0.1", 0, application, Server, Quiet) as server:
        print(server.server_port, flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
