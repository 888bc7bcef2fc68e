"""Staff write down that a parcel which was to be paid at the door came back."""

from typing import Any

from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from orders.admin.forms import HERE, SELLABLE, RefusedForm
from orders.admin.pages import Page, Told
from orders.models import Order, OrderLine
from orders.services.refusals import Refusal, cash_to_come, take_back_refused
from shop.models import Customer


class RefusedPage(Page):
    name = "refused"
    label = gettext_lazy("Refused at the door…")
    heading = gettext_lazy("What came back?")
    question = gettext_lazy("Did this come back unpaid?")
    answer = gettext_lazy("Yes, it came back")
    consequence = gettext_lazy(
        "Once nothing is out any more, the order is cancelled and the shopper is told by e-mail: "
        "there is nothing to pay, and nothing to pay back. Units that have not left go on sale "
        "again. This cannot be undone."
    )

    @cached_property
    def lines(self) -> list[OrderLine]:
        return list(self.order.lines.all())

    @property
    def is_open(self) -> bool:
        return cash_to_come(self.order) is not None

    @property
    def facts(self) -> list[tuple[str, str]]:
        part = _(
            "Write down what came back, then mark the order as paid and refund what came back."
        )
        return [
            (_("Not paid at the door"), str(self.order.total)),
            (_("Was a part accepted, and paid for?"), part),
        ]

    def form(self, data: Any = None) -> RefusedForm:
        return RefusedForm(data, lines=self.lines)

    def summary(self, form: RefusedForm) -> list[tuple[str, str]]:
        units, data = form.units, form.cleaned_data
        rows = [
            (f"{line.name} ({line.sku})", f"× {units[line.pk]}")
            for line in self.lines
            if units[line.pk]
        ]
        out = sum(max(line.returnable_quantity - units[line.pk], 0) for line in self.lines)
        rest = _("Lost") if data["lost"] else _("Awaited")
        return [
            *(rows or [(_("Came back"), _("Nothing"))]),
            *([(_("Outcome"), str(dict(HERE)[data["outcome"]]))] if rows else []),
            *([(_("Still out"), f"{out} · {rest}")] if out else []),
            (_("Why"), data["reason"]),
        ]

    def take(self, form: RefusedForm, actor: Customer) -> Told:
        data = form.cleaned_data
        refusal = Refusal(form.units, data["outcome"] == SELLABLE, data["lost"], data["reason"])
        there = take_back_refused(order=self.order, refusal=refusal, key=data["key"], actor=actor)
        self.order.refresh_from_db(fields=["status"])
        if self.order.status == Order.Status.CANCELLED:
            return Told(_("The order is cancelled: nobody paid for it."), again=there.was_there)
        out = sum(line.returnable_quantity for line in self.order.lines.all())
        text = ngettext(
            "Written down. %(count)d unit is still out, and its money is awaited.",
            "Written down. %(count)d units are still out, and their money is awaited.",
            out,
        )
        return Told(text % {"count": out}, again=there.was_there)
