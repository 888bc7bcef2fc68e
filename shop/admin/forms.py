"""The admin's forms for products: variants with their prices, and pictures."""

from typing import Any, Final

from django import forms
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop
from unfold.widgets import UnfoldAdminIntegerFieldWidget

from shop.admin.fields import OptionsField, PriceField, measure_picture, store_picture
from shop.models import Customer, Price, ProductImage, Variant
from shop.services.stock import Cause, Mover, open_stock

FIRST_STOCK: Final = gettext_noop("First stock")
PRICE_FIELDS = {f"price_{currency}": currency for currency in settings.SHOP_CURRENCIES}


class VariantForm(forms.ModelForm[Variant]):
    """A variant with one price a currency, and its first stock when it is new.

    Later changes of stock have a page of their own, which asks for a reason.
    """

    staff: Customer | None = None
    """Whose request it is: the ledger of stock names them."""

    options = OptionsField()
    on_hand = forms.IntegerField(
        label=_("on hand"),
        required=False,
        min_value=0,
        max_value=2**31 - 1,
        widget=UnfoldAdminIntegerFieldWidget(attrs={"class": "ap-units"}),
    )

    class Meta:
        model = Variant
        fields = ("sku", "options", "position", "is_active")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance._state.adding:
            return
        for price in self.instance.prices.all():
            if f"price_{price.currency}" in self.fields:
                self.initial[f"price_{price.currency}"] = price.amount
        stock = getattr(self.instance, "stock", None)
        self.initial["on_hand"] = stock.on_hand if stock else 0
        self.fields["on_hand"].disabled = True

    def _save_m2m(self) -> None:
        """Runs when the variant has its primary key, whoever saves it."""
        super()._save_m2m()  # type: ignore[misc]  # ModelForm has it, its stubs not
        for name, currency in PRICE_FIELDS.items():
            if name in self.changed_data:
                self._save_price(currency, self.cleaned_data[name])
        cause = Cause(Mover.STAFF, self.staff, reason=FIRST_STOCK)
        open_stock({self.instance.pk: self.cleaned_data["on_hand"] or 0}, cause)

    def _save_price(self, currency: str, amount: int | None) -> None:
        if amount is None:
            Price.objects.filter(variant=self.instance, currency=currency).delete()
        else:
            Price.objects.update_or_create(
                variant=self.instance, currency=currency, defaults={"amount": amount}
            )


for _name, _currency in PRICE_FIELDS.items():
    VariantForm.base_fields[_name] = PriceField(_currency)
    VariantForm.declared_fields[_name] = VariantForm.base_fields[_name]


class ImageForm(forms.ModelForm[ProductImage]):
    """A picture: checked, measured and stored before the row that shows it is written."""

    class Meta:
        model = ProductImage
        fields = ("file", "alt", "variant", "position")

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if not isinstance(file, UploadedFile):
            return file
        suffix, self.instance.width, self.instance.height = measure_picture(file)
        return store_picture(file, suffix)
