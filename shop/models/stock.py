"""Stock: what is there, and the ledger of every change. Written by `shop.services.stock` alone.

The database holds the two together (migration 0002): an item always equals the totals of its
ledger's last row, each row continues the one before it, and none is ever changed or deleted.
"""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from shop.models.catalogue import Variant


class StockItem(models.Model):
    """Units of a variant. `allocated` units belong to orders and have not left yet."""

    variant = models.OneToOneField(
        Variant, models.CASCADE, related_name="stock", verbose_name=_("variant")
    )
    on_hand = models.PositiveIntegerField(_("on hand"), default=0)
    allocated = models.PositiveIntegerField(_("allocated to orders"), default=0, db_default=0)
    back_order = models.BooleanField(
        _("sold on back-order"),
        default=False,
        db_default=False,
        help_text=_("Shoppers may order more than is here; they are told that it is sent later."),
    )
    sequence = models.PositiveBigIntegerField(
        _("movements"), default=0, db_default=0, editable=False
    )
    """Number of the ledger's last row. It grows by one with every change of the units."""

    class Meta:
        verbose_name = _("stock item")
        verbose_name_plural = _("stock")
        constraints = (
            models.CheckConstraint(
                condition=Q(on_hand__gte=F("allocated")) | Q(back_order=True),
                name="stock_never_negative",
            ),
        )

    def __str__(self) -> str:
        return f"{self.variant_id}: {self.available}"

    @property
    def available(self) -> int:
        """Units that can be sold from the shelf now."""
        return max(self.balance, 0)

    @property
    def balance(self) -> int:
        """Below zero it counts the units that orders wait for."""
        return self.on_hand - self.allocated


class StockMovement(models.Model):
    """One change of a stock item: how many, who, why, and what there was afterwards."""

    class Kind(models.TextChoices):
        RECEIVED = "received", pgettext_lazy("stock", "Received")
        ALLOCATED = "allocated", _("Allocated")
        RELEASED = "released", _("Released")
        SHIPPED = "shipped", _("Shipped")
        ADJUSTED = "adjusted", _("Adjusted")

    class Mover(models.TextChoices):
        SHOPPER = "shopper", _("Shopper")
        STAFF = "staff", _("Staff")
        SYSTEM = "system", _("System")

    stock_item = models.ForeignKey(
        StockItem,
        models.CASCADE,
        related_name="movements",
        db_index=False,  # the constraint below has an index that begins with it
        verbose_name=_("stock item"),
    )
    sequence = models.PositiveBigIntegerField(_("movement"))
    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    on_hand_change = models.IntegerField(_("change on hand"))
    allocated_change = models.IntegerField(_("change allocated"))
    on_hand_after = models.PositiveIntegerField(_("on hand afterwards"))
    allocated_after = models.PositiveIntegerField(_("allocated afterwards"))
    mover = models.CharField(_("moved by"), max_length=10, choices=Mover)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("by"),
    )
    reason = models.CharField(_("reason"), max_length=200, blank=True)
    order_number = models.CharField(_("order"), max_length=20, blank=True)
    key = models.UUIDField(_("form"), null=True, editable=False)
    """Of the form that was sent, so that a second click moves nothing."""
    created_at = models.DateTimeField(_("at"), db_default=Now())

    class Meta:
        ordering = ("-pk",)
        verbose_name = _("stock movement")
        verbose_name_plural = _("stock movements")
        indexes = (
            models.Index(
                fields=["order_number"], condition=~Q(order_number=""), name="movement_of_order"
            ),
        )
        constraints = (
            models.UniqueConstraint(fields=("stock_item", "sequence"), name="movement_in_sequence"),
            models.UniqueConstraint(
                fields=("key",), condition=Q(key__isnull=False), name="movement_form_once"
            ),
            models.CheckConstraint(
                condition=Q(kind="received", on_hand_change__gt=0, allocated_change=0)
                | Q(kind="allocated", on_hand_change=0, allocated_change__gt=0)
                | Q(kind="released", on_hand_change=0, allocated_change__lt=0)
                | Q(kind="shipped", on_hand_change__lt=0, allocated_change=F("on_hand_change"))
                | (Q(kind="adjusted") & ~Q(on_hand_change=0, allocated_change=0)),
                name="movement_moves_what_its_kind_says",
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.on_hand_change:+}/{self.allocated_change:+}"
