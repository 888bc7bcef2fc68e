"""What the shop asks of whoever takes its money.

Each call is made outside transactions, may be made again after a crash, and takes effect once: a
gateway derives its own idempotency keys from the id of the payment or refund, which is a UUID and
not a serial that a lossy fail-over could issue twice.
"""

from dataclasses import dataclass
from typing import Protocol

from orders.models import Payment, Refund


class GatewayUnreachable(Exception):
    """No answer, or none that tells: nobody knows whether the call took effect. Ask again."""


class GatewayRefused(Exception):
    """The gateway understood and declines for good. Its text is for staff and logs."""


@dataclass(frozen=True)
class PaymentAnswer:
    """Where the payment stands, by the gateway's own account."""

    state: Payment.State
    reference: str = ""
    """The gateway's name of the payment, once it has one."""
    action_url: str = ""
    """Where the shopper pays, while `state` is REQUIRES_ACTION."""
    failure: str = ""
    """Why, while `state` is FAILED; for staff."""


@dataclass(frozen=True)
class RefundAnswer:
    state: Refund.State
    reference: str = ""
    failure: str = ""


class PaymentGateway(Protocol):
    """All methods raise GatewayUnreachable and GatewayRefused, within bounded time."""

    name: str

    def start(self, payment: Payment) -> PaymentAnswer:
        """Make the payment known: REQUIRES_ACTION, or what came of it by itself."""
        ...

    def look_up(self, payment: Payment) -> PaymentAnswer:
        """As it stands now. Changes nothing."""
        ...

    def capture(self, payment: Payment) -> PaymentAnswer:
        """Take the money of an AUTHORISED payment: CAPTURED."""
        ...

    def cancel(self, payment: Payment) -> PaymentAnswer:
        """Let go what is not captured: CANCELLED. CAPTURED where it comes too late."""
        ...

    def refund(self, refund: Refund) -> RefundAnswer:
        """Send this part of a captured payment back."""
        ...
