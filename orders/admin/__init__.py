"""Orders in the admin: list, detail, steps of an order's life, and the front page."""

from orders.admin import customers, idempotency, orders, outbox

__all__ = ["customers", "idempotency", "orders", "outbox"]
