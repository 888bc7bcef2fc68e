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


def bypass_guard(replace: Callable[[Any, str, Any], object]) -> None:
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
