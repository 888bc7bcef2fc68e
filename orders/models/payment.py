"""Payments of orders and what was paid back. Written by `orders.services.payments` alone.

A row is written before its gateway is asked, and says afterwards what the gateway answered: what
a crash left open is found here and asked again, under the same key (the row's id).
"""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from orders.models.idempotency import Keyed
from orders.models.order import Order
from shop.money import Money


class GatewayCall(Keyed, models.Model):
    """Something that one process at a time asks a gateway.

    `attempt` is the fencing token: whoever claims the row takes the next number, and only the
    latest may write down what the gateway said.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    attempt = models.PositiveIntegerField(_("attempt"), default=0, editable=False)
    claimed_until = models.DateTimeField(_("claimed until"), null=True, editable=False)
    next_try_at = models.DateTimeField(_("next try"), null=True, editable=False)
    """When the completer looks at it again; null where nothing is left to do."""
    reference = models.CharField(_("gateway's reference"), max_length=200, blank=True)
    failure = models.CharField(_("failure"), max_length=300, blank=True)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    updated_at = models.DateTimeField(_("changed"), auto_now=True)

    class Meta:
        abstract = True


class Payment(GatewayCall):
    class State(models.TextChoices):
        STARTED = "started", _("Started")
        """Written down; the gateway may not know of it yet."""
        REQUIRES_ACTION = "requires_action", _("Waits for the shopper")
        AUTHORISED = "authorised", _("Authorised")
        """The money is reserved and not taken yet."""
        CAPTURED = "captured", _("Captured")
        FAILED = "failed", _("Failed")
        CANCELLED = "cancelled", pgettext_lazy("payment", "Cancelled")
        REFUNDED = "refunded", _("Refunded")
        """All of it."""

    order = models.ForeignKey(
        Order, models.PROTECT, related_name="payments", verbose_name=_("order")
    )
    gateway = models.CharField(_("gateway"), max_length=20)
    """A name in `orders.gateways`."""
    state = models.CharField(_("state"), max_length=20, choices=State, default=State.STARTED)
    amount = models.PositiveBigIntegerField(_("amount"))
    currency = models.CharField(_("currency"), max_length=3)
    refunded_amount = models.PositiveBigIntegerField(_("refunded"), default=0)
    """What refunds that did not fail have taken of it, those under way included."""
    action_url = models.TextField(_("where the shopper pays"), blank=True)

    class Meta:
        ordering = ("-created_at",)
        verbose_name = _("payment")
        verbose_name_plural = _("payments")
        indexes = (
            models.Index(
                fields=["next_try_at"],
                condition=Q(next_try_at__isnull=False),
                name="payment_to_complete",
            ),
        )
        constraints = (
            models.UniqueConstraint(
                fields=("order",),
                condition=~Q(state__in=("failed", "cancelled")),
                name="payment_once_an_order",
            ),
            models.UniqueConstraint(
                fields=("gateway", "reference"),
                condition=~Q(reference=""),
                name="payment_reference_once",
            ),
            models.CheckConstraint(
                condition=Q(refunded_amount__lte=F("amount")), name="payment_refund_within_amount"
            ),
        )

    def __str__(self) -> str:
        return f"{self.gateway} {self.money}: {self.state}"

    @property
    def money(self) -> Money:
        return Money(self.amount, self.currency)


class Refund(GatewayCall):
    """Money that goes back to the shopper."""

    class State(models.TextChoices):
        REQUESTED = "requested", _("Requested")
        """Written down; the gateway may not know of it yet."""
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")

    payment = models.ForeignKey(
        Payment, models.PROTECT, related_name="refunds", verbose_name=_("payment")
    )
    state = models.CharField(_("state"), max_length=20, choices=State, default=State.REQUESTED)
    amount = models.PositiveBigIntegerField(_("amount"))
    reason = models.CharField(_("reason"), max_length=200)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("by"),
    )
    """Null where the shop itself pays back."""

    class Meta:
        ordering = ("created_at",)
        verbose_name = _("refund")
        verbose_name_plural = _("refunds")
        indexes = (
            models.Index(
                fields=["next_try_at"],
                condition=Q(next_try_at__isnull=False),
                name="refund_to_complete",
            ),
        )
        constraints = (
            models.CheckConstraint(condition=Q(amount__gte=1), name="refund_of_something"),
        )

    def __str__(self) -> str:
        return f"{self.money}: {self.state}"

    @property
    def money(self) -> Money:
        return Money(self.amount, self.payment.currency)


class GatewayEvent(models.Model):
    """A webhook that was taken in, so that its copies do nothing."""

    gateway = models.CharField(_("gateway"), max_length=20)
    event_id = models.CharField(_("event"), max_length=200)
    kind = models.CharField(_("kind"), max_length=100)
    received_at = models.DateTimeField(_("received"), default=timezone.now)

    class Meta:
        verbose_name = _("gateway event")
        verbose_name_plural = _("gateway events")
        indexes = (models.Index(fields=["received_at"], name="gateway_event_age"),)
        constraints = (
            models.UniqueConstraint(fields=("gateway", "event_id"), name="gateway_event_once"),
        )

    def __str__(self) -> str:
        return f"{self.gateway} {self.kind} {self.event_id}"
