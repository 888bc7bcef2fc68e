"""Forms of checkout and order look-up."""

import uuid
from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from orders.models import Order, OrderLine
from orders.services.checkout import OrderDetails
from shop.forms import REQUIRED, PostalForm
from shop.models import Customer
from shop.money import Money


def offered_methods() -> list[tuple[str, Any]]:
    """Those that somebody takes the money of (settings.PAYMENT_METHODS)."""
    return [choice for choice in Order.Payment.choices if choice[0] in settings.PAYMENT_METHODS]


class CheckoutForm(PostalForm):
    """One page: contact, address, delivery, payment, and what makes the button safe.

    `key` names this order (idempotency); `cart_version`, `currency` and `total_*` are what the
    shopper was shown, so that nothing else is sent or charged silently.
    """

    email = forms.EmailField(
        label=_("E-mail"),
        max_length=254,
        error_messages=REQUIRED,
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
        help_text=_("With it and the order number you can always find your order."),
    )
    delivery_method = forms.ChoiceField(choices=Order.Delivery, widget=forms.RadioSelect)
    payment_method = forms.ChoiceField(choices=offered_methods, widget=forms.RadioSelect)
    save_address = forms.BooleanField(required=False)
    key = forms.UUIDField(widget=forms.HiddenInput)
    cart_version = forms.IntegerField(required=False, widget=forms.HiddenInput)
    currency = forms.CharField(max_length=3, required=False, widget=forms.HiddenInput)
    total_standard = forms.IntegerField(required=False, widget=forms.HiddenInput)
    total_express = forms.IntegerField(required=False, widget=forms.HiddenInput)

    field_order = ("email",)

    def clean_key(self) -> uuid.UUID:
        key: uuid.UUID = self.cleaned_data["key"]
        if key.version != 4:
            raise forms.ValidationError(_("Not a key of ours."))
        return key

    @property
    def is_stale(self) -> bool:
        """Only what the page itself sends is wrong: it is old, or was tampered with."""
        hidden = {field.name for field in self.hidden_fields()}
        return bool(self.errors) and set(self.errors) <= hidden

    @property
    def offers_card(self) -> bool:
        return Order.Payment.CARD in settings.PAYMENT_METHODS

    def expected(self) -> Money:
        """What stood beside the chosen method; what no order costs if nothing stood there."""
        cleaned: dict[str, Any] = self.cleaned_data
        amount = cleaned.get(f"total_{cleaned['delivery_method']}")
        return Money(-1 if amount is None else amount, cleaned["currency"])

    def shown_version(self) -> int:
        """That of the cart the page listed; one that no cart has if it did not say."""
        version: int | None = self.cleaned_data["cart_version"]
        return -1 if version is None else version

    def details(self, *, currency: str) -> OrderDetails:
        """What was typed, to be paid in `currency`."""
        names = ("email", "name", "line1", "line2", "city", "postcode", "country")
        chosen = {name: self.cleaned_data[name] for name in names}
        return OrderDetails(
            **chosen,
            delivery_method=self.cleaned_data["delivery_method"],
            payment_method=self.cleaned_data["payment_method"],
            currency=currency,
        )


def first_values(customer: Customer | None) -> dict[str, Any]:
    """What checkout starts with: the customer's own, or the first choice of each kind."""
    values: dict[str, Any] = {
        "country": "TW",
        "delivery_method": Order.Delivery.STANDARD,
        "payment_method": Order.Payment.INVOICE,
    }
    if customer is None:
        return values
    values |= {"email": customer.email, "name": customer.name, "save_address": True}
    address = customer.addresses.first()
    if address:
        names = ("name", "line1", "line2", "city", "postcode", "country")
        values |= {name: getattr(address, name) for name in names}
    return values


class ReturnForm(forms.Form):
    """How many of each line come back, and why. `key` makes a second press the same wish."""

    reason = forms.CharField(
        label=_("Why?"),
        max_length=300,
        error_messages=REQUIRED,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("It helps us to answer quickly."),
    )
    key = forms.UUIDField(widget=forms.HiddenInput, initial=uuid.uuid4)

    def __init__(self, order: Order, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lines = [line for line in order.lines.all() if line.returnable_quantity]
        for line in self.lines:
            counts = [(count, str(count)) for count in range(line.returnable_quantity + 1)]
            self.fields[f"line_{line.pk}"] = forms.TypedChoiceField(
                label=line.name, choices=counts, coerce=int, initial=0
            )

    def rows(self) -> list[tuple[OrderLine, forms.BoundField]]:
        return [(line, self[f"line_{line.pk}"]) for line in self.lines]

    def units(self) -> dict[int, int]:
        """`{line id: units}`; those of none too."""
        return {line.pk: self.cleaned_data[f"line_{line.pk}"] for line in self.lines}


class OrderLookupForm(forms.Form):
    number = forms.CharField(
        label=_("Order number"),
        max_length=60,
        error_messages=REQUIRED,
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "autocapitalize": "characters", "spellcheck": "false"}
        ),
        help_text=_("It looks like AP-7K3Q-9XWM-2F4T."),
    )
    email = forms.EmailField(
        label=_("E-mail"),
        max_length=254,
        error_messages=REQUIRED,
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
        help_text=_("The one you gave when you ordered."),
    )
