import uuid
from typing import Final

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from shop.models.catalogue import Variant

MAX_QUANTITY: Final = 99
"""Most units of one variant in a cart."""


class Cart(models.Model):
    """Lines a shopper means to buy. A guest's is known to their session, a customer's is theirs."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    customer = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="cart",
        verbose_name=_("customer"),
    )
    version = models.PositiveIntegerField(
        _("version"), default=0, help_text=_("Counts changes, so that a stale tab is noticed.")
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)

    class Meta:
        verbose_name = _("cart")
        verbose_name_plural = _("carts")

    def __str__(self) -> str:
        return str(self.id)


class CartLine(models.Model):
    cart = models.ForeignKey(Cart, models.CASCADE, related_name="lines", verbose_name=_("cart"))
    variant = models.ForeignKey(
        Variant, models.CASCADE, related_name="+", verbose_name=_("variant")
    )
    quantity = models.PositiveIntegerField(_("quantity"))
    added_at = models.DateTimeField(_("added"), auto_now_add=True)

    class Meta:
        ordering = ("pk",)
        verbose_name = _("cart line")
        verbose_name_plural = _("cart lines")
        constraints = (
            models.UniqueConstraint(fields=("cart", "variant"), name="cart_line_one_a_variant"),
            models.CheckConstraint(
                condition=Q(quantity__gte=1, quantity__lte=MAX_QUANTITY),
                name="cart_line_quantity_in_range",
            ),
        )

    def __str__(self) -> str:
        return f"{self.quantity} × {self.variant_id}"
