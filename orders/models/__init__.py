from orders.models.fulfilment import Return, ReturnLine, Shipment, ShipmentLine
from orders.models.idempotency import IdempotencyRecord
from orders.models.order import Order, OrderLine, OrderStatusChange, new_order_number
from orders.models.outbox import OutboxMessage
from orders.models.payment import GatewayEvent, Payment, Refund

__all__ = [
    "GatewayEvent",
    "IdempotencyRecord",
    "Order",
    "OrderLine",
    "OrderStatusChange",
    "OutboxMessage",
    "Payment",
    "Refund",
    "Return",
    "ReturnLine",
    "Shipment",
    "ShipmentLine",
    "new_order_number",
]
