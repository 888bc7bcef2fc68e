"""What staff do on pages of their own: send a parcel, refund, settle a return, send a mail again.

Each is asked for by a form, shown once more to be confirmed, and done by one service under the
form's key. A second click finds what the first one did.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Final, cast
from uuid import UUID

from django import forms
from django.contrib import messages
from django.urls import reverse
from django.utils.functional import Promise, cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders.admin.forms import BROKEN, DECLINED, SELLABLE, RefundForm, SettleForm, ShipForm
from orders.errors import (
    NothingCaptured,
    NoUnits,
    RefundTooLarge,
    ReturnOpen,
    ReturnSettled,
    TooManyUnits,
    WrongStatus,
)
from orders.idempotency import KeyReused
from orders.models import Order, Payment, Refund, Return
from orders.services.fulfilment import settle_return, ship
from orders.services.payments import try_now
from orders.services.refunds import advance_refund, request_refund
from orders.services.status import allowed_origins
from shop.errors import ShopError, StockTooLow
from shop.models import Customer
from shop.money import Money


@dataclass(frozen=True)
class Told:
    """What the person is told, and how it went."""

    text: str
    level: int = messages.SUCCESS
    again: bool = False
    """Whether the form was sent before, and nothing was left to do."""


class Page(ABC):
    """One deed on one order. `take` raises ShopError and KeyReused, which `refusal` explains."""

    name: ClassVar[str]
    permission: ClassVar[str] = "orders.change_order"
    label: ClassVar[Promise]
    """Of the button that leads here."""
    heading: ClassVar[Promise]
    question: ClassVar[Promise]
    answer: ClassVar[Promise]
    """Of the button that does it."""
    consequence: ClassVar[Promise | str] = ""

    def __init__(self, order: Order) -> None:
        self.order = order

    @property
    def url(self) -> str:
        return reverse(f"admin:orders_order_{self.name}", args=[self.order.pk])

    @property
    @abstractmethod
    def is_open(self) -> bool:
        """Whether there is something to do. Of an old form the service decides."""

    @property
    def facts(self) -> list[tuple[str, str]]:
        """What one has to know to fill in the form: names and values."""
        return []

    @abstractmethod
    def form(self, data: Any = None) -> forms.Form: ...

    @abstractmethod
    def summary(self, form: Any) -> list[tuple[str, str]]:
        """What the confirmation shows: names and values."""

    def key(self, form: Any) -> UUID:
        """What a second click has in common with the first."""
        key: UUID = form.cleaned_data["key"]
        return key

    @abstractmethod
    def take(self, form: Any, actor: Customer) -> Told:
        """Do it."""


class ShipPage(Page):
    name = "ship"
    label = gettext_lazy("Send a parcel…")
    heading = gettext_lazy("What leaves?")
    question = gettext_lazy("Has this parcel left?")
    answer = gettext_lazy("Yes, it has left")
    consequence = gettext_lazy(
        "The units leave the stock and the shopper is told by e-mail. This cannot be undone."
    )

    @cached_property
    def lines(self) -> list[Any]:
        return list(self.order.lines.all())

    @property
    def is_open(self) -> bool:
        return self.order.status in allowed_origins(self.order, Order.Status.FULFILLED)

    def form(self, data: Any = None) -> ShipForm:
        return ShipForm(data, lines=self.lines)

    def summary(self, form: ShipForm) -> list[tuple[str, str]]:
        units = form.units
        rows = [
            (f"{line.name} ({line.sku})", f"× {units[line.pk]}")
            for line in self.lines
            if units[line.pk]
        ]
        return [*rows, (_("Tracking number"), form.cleaned_data["tracking"] or "–")]

    def take(self, form: ShipForm, actor: Customer) -> Told:
        data = form.cleaned_data
        units, tracking = form.units, data["tracking"]
        parcel = ship(
            order=self.order, units=units, tracking=tracking, key=data["key"], actor=actor
        )
        self.order.refresh_from_db(fields=["status"])
        if self.order.status == Order.Status.PARTLY_FULFILLED:
            text = _("The parcel is written down. Some of the order has not left yet.")
        else:
            text = _("The parcel is written down. All of the order has left.")
        return Told(text, again=parcel.was_there)


class RefundPage(Page):
    name = "refund"
    permission = "orders.add_refund"
    label = gettext_lazy("Refund…")
    heading = gettext_lazy("How much goes back?")
    question = gettext_lazy("Send this money back?")
    answer = gettext_lazy("Yes, send it back")
    consequence = gettext_lazy(
        "A card gets it back by itself; transfers and cash are sent back by you. When all is back, "
        "the order ends and units that have not left go on sale again. This cannot be undone."
    )

    @cached_property
    def payment(self) -> Payment | None:
        """That of which money was taken; of an old form, all of it may have gone back since."""
        taken = (Payment.State.CAPTURED, Payment.State.REFUNDED)
        return self.order.payments.filter(state__in=taken).first()

    @property
    def is_open(self) -> bool:
        paid = self.payment
        return paid is not None and paid.refunded_amount < paid.amount

    @property
    def facts(self) -> list[tuple[str, str]]:
        payment = cast(Payment, self.payment)
        left = Money(payment.amount - payment.refunded_amount, payment.currency)
        return [(_("Paid"), str(payment.money)), (_("Left of it"), str(left))]

    def form(self, data: Any = None) -> RefundForm:
        if self.payment is None:
            raise NothingCaptured
        return RefundForm(data, payment=self.payment)

    def summary(self, form: RefundForm) -> list[tuple[str, str]]:
        payment = cast(Payment, self.payment)
        return [
            (_("Goes back"), str(Money(form.minor_units, payment.currency))),
            (_("Of"), str(payment.money)),
            (_("Paid by"), self.order.get_payment_method_display()),
            (_("Why"), form.cleaned_data["reason"]),
        ]

    def take(self, form: RefundForm, actor: Customer) -> Told:
        refund = request_refund(
            payment=cast(Payment, self.payment),
            amount=form.minor_units,
            reason=form.cleaned_data["reason"],
            actor=actor,
            key=form.cleaned_data["key"],
        )
        state = Refund.State(try_now(refund, advance_refund).state)
        text = str(REFUND_TOLD[state]) % {"amount": refund.money}
        return Told(text, REFUND_LEVELS.get(state, messages.SUCCESS), again=refund.was_there)


REFUND_TOLD: Final[dict[str, Promise]] = {
    Refund.State.DONE: gettext_lazy("%(amount)s was sent back."),
    Refund.State.REQUESTED: gettext_lazy(
        "%(amount)s is on its way back; the gateway has not confirmed it yet."
    ),
    Refund.State.FAILED: gettext_lazy(
        "The gateway refused to send %(amount)s back. Below is what it said."
    ),
}
REFUND_LEVELS: Final = {
    Refund.State.REQUESTED: messages.INFO,
    Refund.State.FAILED: messages.ERROR,
}


class SettlePage(Page):
    name = "settle"
    label = gettext_lazy("Settle the return…")
    heading = gettext_lazy("Settle the return")
    question = gettext_lazy("Settle the return like this?")
    answer = gettext_lazy("Yes, settle it")
    consequence = gettext_lazy(
        "The shopper is told by e-mail. Money is another matter: refund it on its own page."
    )

    @cached_property
    def request(self) -> Return | None:
        return self.order.returns.filter(state=Return.State.REQUESTED).first()

    @property
    def is_open(self) -> bool:
        return self.request is not None

    @property
    def facts(self) -> list[tuple[str, str]]:
        return _told_of(self.request) if self.request else []

    def form(self, data: Any = None) -> SettleForm:
        return SettleForm(data, initial={"request": self.request and self.request.pk})

    def summary(self, form: SettleForm) -> list[tuple[str, str]]:
        outcome = dict(form.fields["outcome"].choices)[form.cleaned_data["outcome"]]  # type: ignore[attr-defined]  # a ChoiceField
        return [
            *_told_of(self._find(form)),
            (_("Outcome"), str(outcome)),
            (_("What you tell the shopper"), form.cleaned_data["answer"] or "–"),
        ]

    def take(self, form: SettleForm, actor: Customer) -> Told:
        outcome = form.cleaned_data["outcome"]
        settled = settle_return(
            request=self._find(form),
            received=outcome != DECLINED,
            restock=outcome == SELLABLE,
            answer=form.cleaned_data["answer"],
            actor=actor,
        )
        return Told(str(SETTLED_TOLD[outcome]), again=settled.was_there)

    def key(self, form: SettleForm) -> UUID:
        key: UUID = form.cleaned_data["request"]
        return key

    def _find(self, form: SettleForm) -> Return:
        found = self.order.returns.filter(pk=form.cleaned_data["request"]).first()
        if found is None:  # a form that somebody wrote themselves
            raise WrongStatus(self.order.number, self.order.status, "returned")
        return found


def _told_of(request: Return) -> list[tuple[str, str]]:
    lines = request.lines.select_related("line")
    rows = [(f"{each.line.name} ({each.line.sku})", f"× {each.quantity}") for each in lines]
    return [*rows, (_("The shopper's reason"), request.reason)]


SETTLED_TOLD: Final[dict[str, Promise]] = {
    SELLABLE: gettext_lazy("The return is settled, and its units are on sale again."),
    BROKEN: gettext_lazy("The return is settled. Its units are not sold again."),
    DECLINED: gettext_lazy("The return is declined."),
}


def refusal(error: ShopError | KeyReused) -> str:
    """Why it was not done, for the person who asked for it."""
    match error:
        case TooManyUnits():
            text = _("%(wanted)d of %(sku)s are too many: %(possible)d are left.")
            return text % vars(error)
        case NoUnits():
            return _("Choose at least one unit.")
        case StockTooLow():
            text = _("Only %(on_hand)d of %(sku)s are on hand: the others have not come yet.")
            return text % vars(error)
        case RefundTooLarge():
            return _("That is more than is left: %(left)s.") % {"left": error.left}
        case NothingCaptured():
            return _("There is no money to send back.")
        case ReturnOpen():
            return _("The shopper has asked to return something: settle that first.")
        case ReturnSettled():
            return _("Somebody else has settled this return, and otherwise.")
        case WrongStatus():
            status = Order.Status(error.status).label.lower()
            return _("The order is %(status)s: this is not possible (any more).") % {
                "status": status
            }
        case KeyReused():
            return _(
                "This page was sent before with something else, which was done. Look at the order "
                "before you try again."
            )
    raise error
