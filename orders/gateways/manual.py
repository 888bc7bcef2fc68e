"""Money that comes by bank or at the door: staff say that it came (`payments.settle_by_hand`)."""

from orders.gateways.base import PaymentAnswer, RefundAnswer
from orders.models import Payment, Refund


class ByHand:
    """Nobody is asked, so every answer is what the shop itself knows."""

    name = ""

    def start(self, payment: Payment) -> PaymentAnswer:
        return PaymentAnswer(Payment.State.REQUIRES_ACTION)

    def look_up(self, payment: Payment) -> PaymentAnswer:
        return PaymentAnswer(Payment.State(payment.state))

    def capture(self, payment: Payment) -> PaymentAnswer:
        return PaymentAnswer(Payment.State(payment.state))

    def cancel(self, payment: Payment) -> PaymentAnswer:
        return PaymentAnswer(Payment.State.CANCELLED)

    def refund(self, refund: Refund) -> RefundAnswer:
        """Done when it is written down: whoever asks for it sends the money."""
        return RefundAnswer(Refund.State.DONE)


class Invoice(ByHand):
    name = "invoice"


class CashOnDelivery(ByHand):
    name = "cash_on_delivery"
