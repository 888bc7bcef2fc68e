"""What staff fill in on an order's pages. Each form carries the key of its effect."""

from decimal import Decimal
from typing import Any, Final
from uuid import uuid4

from django import forms
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from orders.models import OrderLine, Payment
from shop.money import EXPONENTS

SELLABLE, BROKEN, DECLINED = "sellable", "broken", "declined"
HERE: Final = (
    (SELLABLE, _("Here, and on the shelf again")),
    (BROKEN, _("Here, not to be sold again")),
)
OUTCOMES: Final = (*HERE, (DECLINED, _("Not taken back")))


class KeyedForm(forms.Form):
    """Sent twice, it takes effect once: `key` becomes the id of what it writes."""

    key = forms.UUIDField(initial=uuid4, widget=forms.HiddenInput())


class RefundForm(KeyedForm):
    amount = forms.DecimalField(label=_("Amount"))
    reason = forms.CharField(label=_("Why"), max_length=200, widget=UnfoldAdminTextInputWidget())

    def __init__(self, *args: Any, payment: Payment, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.exponent = EXPONENTS[payment.currency]
        least = Decimal(1).scaleb(-self.exponent)
        rest = payment.amount - payment.refunded_amount
        # No upper bound: sent again after it took effect, less is left, and it must be known.
        self.fields["amount"] = forms.DecimalField(
            label=_("Amount in %(currency)s") % {"currency": payment.currency},
            min_value=least,
            max_digits=14,
            decimal_places=self.exponent,
            initial=Decimal(rest).scaleb(-self.exponent),
            widget=UnfoldAdminDecimalFieldWidget(attrs={"step": str(least), "class": "ap-price"}),
        )

    @property
    def minor_units(self) -> int:
        amount: Decimal = self.cleaned_data["amount"]
        return int(amount.scaleb(self.exponent))


class UnitsForm(KeyedForm):
    """Asks for units of each line, of those too of which none are left: the form may be an old
    one.
    """

    def __init__(self, *args: Any, lines: list[OrderLine], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lines = lines
        for line in lines:
            initial, help_text = self.about(line)
            self.fields[f"line_{line.pk}"] = forms.IntegerField(
                label=f"{line.name} · {line.option_text}" if line.options else line.name,
                min_value=0,
                max_value=line.quantity,
                initial=initial,
                help_text=help_text,
                widget=UnfoldAdminIntegerFieldWidget(attrs={"class": "ap-units"}),
            )

    def about(self, line: OrderLine) -> tuple[int, str]:
        """Units that are proposed, and what they are a part of."""
        raise NotImplementedError

    @property
    def units(self) -> dict[int, int]:
        return {line.pk: self.cleaned_data[f"line_{line.pk}"] for line in self.lines}


class ShipForm(UnitsForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["tracking"] = forms.CharField(
            label=_("Tracking number"),
            max_length=100,
            required=False,
            help_text=_("The shopper gets it by e-mail and sees it on the order's page."),
            widget=UnfoldAdminTextInputWidget(),
        )

    def about(self, line: OrderLine) -> tuple[int, str]:
        open_units = {"sku": line.sku, "open": line.open_quantity, "sold": line.quantity}
        text = _("%(sku)s: %(open)d of %(sold)d have not left.") % open_units
        return line.open_quantity, text


class RefusedForm(UnitsForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["outcome"] = forms.ChoiceField(
            label=_("Outcome"), choices=HERE, widget=UnfoldAdminSelectWidget(choices=HERE)
        )
        self.fields["lost"] = forms.BooleanField(
            label=_("Nothing else comes back"),
            required=False,
            help_text=_("And nobody pays for it: the order ends, whatever is still out."),
            widget=UnfoldBooleanWidget(),
        )
        self.fields["reason"] = forms.CharField(
            label=_("Why"),
            max_length=200,
            help_text=_("What the courier says. It stays in the history; the shopper is not told."),
            widget=UnfoldAdminTextInputWidget(),
        )

    def about(self, line: OrderLine) -> tuple[int, str]:
        out = {"sku": line.sku, "out": line.returnable_quantity, "sold": line.quantity}
        text = _("%(sku)s: %(out)d of %(sold)d are out.") % out
        return line.returnable_quantity, text


class SettleForm(forms.Form):
    """`request` is the return that the page showed: a second click must not settle the next."""

    request = forms.UUIDField(widget=forms.HiddenInput())
    outcome = forms.ChoiceField(
        label=_("Outcome"),
        choices=OUTCOMES,
        widget=UnfoldAdminSelectWidget(choices=OUTCOMES),
    )
    answer = forms.CharField(
        label=_("What you tell the shopper"),
        max_length=300,
        required=False,
        widget=UnfoldAdminTextInputWidget(),
    )


class ResendForm(KeyedForm):
    mail = forms.ChoiceField(label=_("Mail"))

    def __init__(self, *args: Any, choices: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["mail"] = forms.ChoiceField(
            label=_("Mail"),
            choices=choices,
            widget=UnfoldAdminSelectWidget(choices=choices),
        )
