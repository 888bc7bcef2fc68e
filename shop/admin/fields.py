"""Form fields that let people write prices, options and pictures the way they think of them."""

import logging
from decimal import Decimal
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError
from django import forms
from django.core.exceptions import ValidationError
from django.core.files.storage import storages
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext_lazy as _
from PIL import Image, ImageOps, UnidentifiedImageError
from unfold.widgets import UnfoldAdminDecimalFieldWidget, UnfoldAdminTextInputWidget

from shop.money import EXPONENTS, SYMBOLS

logger = logging.getLogger(__name__)

MAX_UPLOAD: Final = 5 * 1024 * 1024
"""Bytes."""
MAX_PIXELS: Final = 50_000_000
"""More would need gigabytes of memory to open: a decompression bomb, or a mistake."""
SUFFIXES: Final = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "AVIF": ".avif"}


class PriceField(forms.DecimalField):
    """An amount in major units, as written on a label: `12.90` USD, `1290` JPY.

    Gives minor units, or None where the variant is not sold in this currency.
    """

    def __init__(self, currency: str) -> None:
        self.exponent = EXPONENTS[currency]
        step = Decimal(1).scaleb(-self.exponent)
        super().__init__(
            label=f"{currency} {SYMBOLS[currency]}",
            required=False,
            min_value=step,
            max_digits=12,
            decimal_places=self.exponent,
            widget=UnfoldAdminDecimalFieldWidget(
                attrs={"class": "ap-price", "inputmode": "decimal", "step": str(step)}
            ),
        )

    def clean(self, value: Any) -> int | None:
        amount = super().clean(value)
        return None if amount is None else int(amount.scaleb(self.exponent))

    def prepare_value(self, value: Any) -> Any:
        """Minor units from the database become major units; what was typed stays as typed."""
        if isinstance(value, int):
            return str(Decimal(value).scaleb(-self.exponent))
        return value

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool(self.clean(data) != initial)
        except ValidationError:
            return True


class OptionsField(forms.CharField):
    """`Colour: Sand, Size: M` for `{"Colour": "Sand", "Size": "M"}`."""

    def __init__(self) -> None:
        super().__init__(
            label=_("options"),
            required=False,
            max_length=200,
            widget=UnfoldAdminTextInputWidget(
                attrs={"class": "ap-options", "placeholder": _("Colour: Sand, Size: M")}
            ),
        )

    def clean(self, value: Any) -> dict[str, str]:
        text = super().clean(value)
        options: dict[str, str] = {}
        for part in filter(None, (part.strip() for part in text.split(","))):
            name, colon, choice = (piece.strip() for piece in part.partition(":"))
            if not (name and colon and choice):
                raise ValidationError(
                    _("Write options as “Colour: Sand, Size: M”; “%(part)s” has no colon."),
                    params={"part": part},
                )
            options[name] = choice
        return options

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, dict):
            return ", ".join(f"{name}: {choice}" for name, choice in value.items())
        return value

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return self.clean(data) != (initial or {})
        except ValidationError:
            return True


def measure_picture(upload: "UploadedFile[Any]") -> tuple[str, int, int]:
    """Suffix, width and height of a picture that a browser can show.

    Raises ValidationError for everything else: the name and the declared type prove nothing.
    """
    if (upload.size or 0) > MAX_UPLOAD:
        raise ValidationError(_("This picture is larger than 5 MB. Please make it smaller."))
    try:
        with Image.open(upload, formats=list(SUFFIXES)) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise ValidationError(_("This picture has more than 50 million pixels."))
            suffix = SUFFIXES[str(picture.format)]
            # Decodes all of it, so that a truncated file is found here and not by a shopper.
            upright = ImageOps.exif_transpose(picture)
            upright.load()
            return suffix, upright.width, upright.height
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise ValidationError(
            _("This is not a JPEG, PNG, WebP or AVIF picture, or the file is damaged.")
        ) from error


def store_picture(upload: "UploadedFile[Any]", suffix: str) -> str:
    """Put the picture into the public bucket and return its key. Raises ValidationError.

    Keys come from the content, so storing one before the rest of the form proves valid costs an
    unused object at worst.
    """
    try:
        return storages["assets"].save(f"picture{suffix}", upload)
    except (BotoCoreError, ClientError) as error:
        logger.warning("picture not stored: %r", error)
        raise ValidationError(
            _("We could not reach the picture store. Nothing was saved. Try again in a moment.")
        ) from error
