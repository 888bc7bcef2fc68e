"""Orders, their lines, and the history of their status."""

import secrets
from typing import Final

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from shop.models.catalogue import CURRENCIES, Variant
from shop.models.customer import PostalAddress
from shop.money import Money

# Crockford's base 32: no I, L, O or U, so a number survives being read over the telephone.
NUMBER_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def new_order_number() -> str:
    """`AP-7K3Q-9XWM-2F4T`: 60 random bits, so that a number tells nothing and none is guessed."""
    groups = ("".join(secrets.choice(NUMBER_ALPHABET) for _ in range(4)) for _ in range(3))
    return "AP-" + "-".join(groups)


class Order(PostalAddress):
    class Status(models.TextChoices):
        PENDING = "pending", _("Pending")
        PAID = "paid", _("Paid")
        PARTLY_FULFILLED = "partly_fulfilled", _("Partly fulfilled")
        FULFILLED = "fulfilled", _("Fulfilled")
        CANCELLED = "cancelled", _("Cancelled")
        REFUNDED = "refunded", _("Refunded")

    class Payment(models.TextChoices):
        INVOICE = "invoice", _("Invoice")
        CASH = "cash_on_delivery", _("Cash on delivery")
        CARD = "card", _("Card")

    class Delivery(models.TextChoices):
        STANDARD = "standard", _("Standard post")
        EXPRESS = "express", _("Express courier")

    number = models.CharField(
        _("number"), max_length=20, unique=True, default=new_order_number, editable=False
    )
    customer = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="orders",
        verbose_name=_("customer"),
    )
    email = models.EmailField(_("e-mail"))
    status = models.CharField(
        _("status"), max_length=20, choices=Status, default=Status.PENDING, editable=False
    )
    currency = models.CharField(_("currency"), max_length=3, choices=CURRENCIES, editable=False)
    subtotal_amount = models.PositiveBigIntegerField(_("subtotal"), editable=False)
    delivery_amount = models.PositiveBigIntegerField(_("delivery"), editable=False)
    total_amount = models.PositiveBigIntegerField(_("total"), editable=False)
    refunded_amount = models.PositiveBigIntegerField(
        _("refunded"), default=0, db_default=0, editable=False
    )
    """What was sent back, or is on its way back."""
    language = models.CharField(
        _("language"), max_length=10, choices=settings.LANGUAGES, default="en", db_default="en"
    )
    """Of the messages that the shopper gets."""
    delivery_method = models.CharField(_("delivery method"), max_length=20, choices=Delivery)
    payment_method = models.CharField(_("payment method"), max_length=20, choices=Payment)
    placed_at = models.DateTimeField(_("placed"), default=timezone.now, editable=False)
    expires_at = models.DateTimeField(
        _("held until"),
        null=True,
        blank=True,
        editable=False,
        help_text=_("An unpaid order gives its stock back after this."),
    )
    region = models.CharField(_("region"), max_length=40, editable=False)

    class Meta:
        ordering = ("-placed_at", "-pk")
        verbose_name = _("order")
        verbose_name_plural = _("orders")
        indexes = (
            models.Index(fields=["-placed_at", "-id"], name="order_newest_first"),
            models.Index(
                fields=["expires_at"], condition=Q(status="pending"), name="order_unpaid_expiry"
            ),
        )
        constraints = (
            models.CheckConstraint(
                condition=Q(total_amount=F("subtotal_amount") + F("delivery_amount")),
                name="order_total_adds_up",
            ),
            models.CheckConstraint(
                condition=Q(refunded_amount__lte=F("total_amount")),
                name="order_refund_within_total",
            ),
        )

    def __str__(self) -> str:
        return self.number

    def get_absolute_url(self) -> str:
        return reverse("orders:order", args=[self.number])

    @property
    def subtotal(self) -> Money:
        return Money(self.subtotal_amount, self.currency)

    @property
    def delivery(self) -> Money:
        return Money(self.delivery_amount, self.currency)

    @property
    def total(self) -> Money:
        return Money(self.total_amount, self.currency)

    @property
    def refunded(self) -> Money:
        return Money(self.refunded_amount, self.currency)


class OrderLine(models.Model):
    """What was bought, as it was called and cost then."""

    order = models.ForeignKey(Order, models.CASCADE, related_name="lines", verbose_name=_("order"))
    variant = models.ForeignKey(
        Variant, models.PROTECT, related_name="+", verbose_name=_("variant")
    )
    sku = models.CharField(_("SKU"), max_length=40)
    name = models.CharField(_("name"), max_length=200)
    options = models.JSONField(_("options"), default=dict, blank=True)
    quantity = models.PositiveIntegerField(_("quantity"))
    shipped_quantity = models.PositiveIntegerField(
        _("shipped"), default=0, db_default=0, editable=False
    )
    returned_quantity = models.PositiveIntegerField(
        _("returned"), default=0, db_default=0, editable=False
    )
    unit_amount = models.PositiveBigIntegerField(_("price"))
    total_amount = models.PositiveBigIntegerField(_("total"))

    class Meta:
        ordering = ("pk",)
        verbose_name = _("order line")
        verbose_name_plural = _("order lines")
        constraints = (
            models.CheckConstraint(condition=Q(quantity__gte=1), name="order_line_has_units"),
            models.CheckConstraint(
                condition=Q(total_amount=F("unit_amount") * F("quantity")),
                name="order_line_total_adds_up",
            ),
            models.UniqueConstraint(fields=("order", "variant"), name="order_line_one_a_variant"),
            models.CheckConstraint(
                condition=Q(shipped_quantity__lte=F("quantity")),
                name="order_line_ships_what_was_sold",
            ),
            models.CheckConstraint(
                condition=Q(returned_quantity__lte=F("shipped_quantity")),
                name="order_line_returns_what_was_shipped",
            ),
        )

    def __str__(self) -> str:
        return f"{self.quantity} × {self.sku}"

    @property
    def price(self) -> Money:
        return Money(self.unit_amount, self.order.currency)

    @property
    def total(self) -> Money:
        return Money(self.total_amount, self.order.currency)

    @property
    def open_quantity(self) -> int:
        """Units that have not left yet."""
        return self.quantity - self.shipped_quantity

    @property
    def returnable_quantity(self) -> int:
        """Units that left and have not come back."""
        return self.shipped_quantity - self.returned_quantity

    @property
    def option_text(self) -> str:
        return ", ".join(str(value) for value in self.options.values())


class OrderStatusChange(models.Model):
    """One step of an order's life: the audit trail, and the history a shopper sees."""

    order = models.ForeignKey(
        Order, models.CASCADE, related_name="history", verbose_name=_("order")
    )
    from_status = models.CharField(_("from"), max_length=20, choices=Order.Status, blank=True)
    to_status = models.CharField(_("to"), max_length=20, choices=Order.Status)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("by"),
    )
    note = models.CharField(_("note"), max_length=200, blank=True)
    at = models.DateTimeField(_("at"), default=timezone.now)

    class Meta:
        ordering = ("pk",)
        verbose_name = _("status change")
        verbose_name_plural = _("status history")

    def __str__(self) -> str:
        return f"{self.from_status or '–'} → {self.to_status}"
