"""Where an order's money and goods are: payments, refunds, parcels and returns, to look at."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import translation
from django.utils.translation import gettext as _

from orders.gateways import method_of
from orders.models import Order, Payment, Refund, Return, Shipment
from shop.money import Money


@dataclass(frozen=True)
class MoneyRow:
    what: str
    state: str
    at: datetime
    by: str
    details: str
    amount: Money
    failure: str = ""
    is_back: bool = False


@dataclass(frozen=True)
class GoodsRow:
    what: str
    state: str
    at: datetime
    by: str
    units: str
    details: str


def payments_of(order: Order) -> list[Payment]:
    """With their refunds, oldest first."""
    payments = order.payments.order_by("created_at").prefetch_related("refunds__actor")
    return list(payments)


def money_rows(payments: Iterable[Payment]) -> Iterator[MoneyRow]:
    for payment in payments:
        yield MoneyRow(
            what=_("Payment"),
            state=payment.get_state_display(),
            at=payment.updated_at,
            by=str(dict(Order.Payment.choices).get(method_of(payment.gateway), payment.gateway)),
            details=payment.reference,
            amount=payment.money,
            failure=payment.failure,
        )
        for refund in payment.refunds.all():
            yield _refund_row(refund, payment.currency)


def _refund_row(refund: Refund, currency: str) -> MoneyRow:
    return MoneyRow(
        what=_("Refund"),
        state=refund.get_state_display(),
        at=refund.updated_at,
        by=str(refund.actor or _("the shop itself")),
        details=translation.gettext(refund.reason),  # where it is the shop's own
        amount=Money(refund.amount, currency),
        failure=refund.failure,
        is_back=True,
    )


def goods_rows(order: Order) -> list[GoodsRow]:
    """Parcels and returns, by time."""
    parcels = order.shipments.select_related("actor").prefetch_related("lines__line")
    returns = order.returns.select_related("actor").prefetch_related("lines__line")
    rows = [*map(_parcel_row, parcels), *map(_return_row, returns)]
    return sorted(rows, key=lambda row: row.at)


def _parcel_row(parcel: Shipment) -> GoodsRow:
    return GoodsRow(
        what=_("Parcel"),
        state=_("Sent"),
        at=parcel.shipped_at,
        by=str(parcel.actor or "–"),
        units=_units(parcel),
        details=parcel.tracking,
    )


def _return_row(request: Return) -> GoodsRow:
    units = _units(request)
    state = request.get_state_display() if units else _("Lost")
    if request.restocked and units:
        state = f"{state}, {_('on the shelf again')}"
    details = f"“{request.reason}”" + (f" – {request.answer}" if request.answer else "")
    by = str(request.actor or "–")
    what = _("Refused at the door") if request.at_door else _("Return")
    return GoodsRow(what, state, request.requested_at, by, units or "–", details)


def _units(of: Any) -> str:
    """`2 × RB-1`: of a parcel or a return."""
    return ", ".join(f"{each.quantity} × {each.line.sku}" for each in of.lines.all())
