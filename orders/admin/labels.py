"""How an order's status looks in the admin."""

from typing import Final

from orders.models import Order

STATUS_COLOURS: Final = {
    Order.Status.PENDING: "warning",
    Order.Status.PAID: "info",
    Order.Status.PARTLY_FULFILLED: "info",
    Order.Status.FULFILLED: "success",
    Order.Status.CANCELLED: "default",
    Order.Status.REFUNDED: "danger",
}


def status_label(order: Order) -> tuple[str, str]:
    """Unfold's label: the colour's key and the text."""
    return order.status, str(Order.Status(order.status).label)
