"""Forms of cart and addresses. The API validates the same things with its schemas."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from shop.countries import COUNTRIES
from shop.models.cart import MAX_QUANTITY

QUANTITY_ERRORS = {
    "required": _("Say how many."),
    "invalid": _("Write the quantity as a whole number."),
    "min_value": _("The quantity must be at least %(limit_value)s."),
    "max_value": _("We sell at most %(limit_value)s of one item at a time."),
}


class AddItemForm(forms.Form):
    sku = forms.CharField(max_length=40, error_messages={"required": _("Choose an item.")})
    quantity = forms.IntegerField(
        min_value=1, max_value=MAX_QUANTITY, error_messages=QUANTITY_ERRORS
    )


class SetQuantityForm(forms.Form):
    """0 removes the line, and so does the button named `remove`."""

    remove = forms.BooleanField(required=False)
    quantity = forms.IntegerField(
        min_value=0, max_value=MAX_QUANTITY, required=False, error_messages=QUANTITY_ERRORS
    )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = self.cleaned_data
        if cleaned.get("remove"):
            self.errors.pop("quantity", None)
            cleaned["quantity"] = 0
        elif cleaned.get("quantity") is None and "quantity" not in self.errors:
            self.add_error("quantity", QUANTITY_ERRORS["required"])
        return cleaned


REQUIRED = {"required": _("Please fill this in.")}


def _text(label: Any, length: int, autocomplete: str, **kwargs: Any) -> forms.CharField:
    widget = forms.TextInput(attrs={"autocomplete": autocomplete})
    return forms.CharField(
        label=label, max_length=length, widget=widget, error_messages=REQUIRED, **kwargs
    )


class PostalForm(forms.Form):
    """Where a parcel goes."""

    name = _text(_("Full name"), 150, "name")
    line1 = _text(_("Address"), 200, "address-line1", help_text=_("Street and number."))
    line2 = _text(_("Flat, floor, company (optional)"), 200, "address-line2", required=False)
    city = _text(_("Town or city"), 100, "address-level2")
    postcode = _text(_("Postcode"), 20, "postal-code")
    country = forms.ChoiceField(
        label=_("Country"),
        choices=COUNTRIES,
        widget=forms.Select(attrs={"autocomplete": "country"}),
        error_messages={"invalid_choice": _("We do not send parcels there. Choose from the list.")},
    )


class AddressForm(PostalForm):
    is_default = forms.BooleanField(label=_("Use this address by default"), required=False)
