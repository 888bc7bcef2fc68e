"""Orders, their lines and history, and the idempotency records of requests that made them."""

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
        FULFILLED = "fulfilled", _("Fulfilled")
        CANCELLED = "cancelled", _("Cancelled")
        REFUNDED = "refunded", _("Refunded")

    class Payment(models.TextChoices):
        INVOICE = "invoice", _("Invoice")
        CASH = "cash_on_delivery", _("Cash on delivery")

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


class IdempotencyRecord(models.Model):
    """A request that must take effect once, and the answer it got (orders/idempotency.py)."""

    owner = models.CharField(_("owner"), max_length=80)
    key = models.UUIDField(_("key"))
    fingerprint = models.CharField(_("fingerprint"), max_length=64)
    status = models.PositiveSmallIntegerField(_("status"), null=True)
    body = models.BinaryField(_("body"), null=True)
    # Null, so that instances of the release before may still write records while this one starts.
    headers = models.JSONField(null=True)
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    expires_at = models.DateTimeField(_("expires"))

    class Meta:
        verbose_name = _("idempotency record")
        verbose_name_plural = _("idempotency records")
        indexes = (models.Index(fields=["expires_at"], name="idempotency_expiry"),)
        constraints = (
            models.UniqueConstraint(fields=("owner", "key"), name="idempotency_key_once"),
        )

    def __str__(self) -> str:
        return f"{self.owner} {self.key}"
