"""Parcels that left, and goods that come back. Written by `orders.services.fulfilment` alone."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from orders.models.idempotency import Keyed
from orders.models.order import Order, OrderLine


class Shipment(Keyed, models.Model):
    """One parcel of an order."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    order = models.ForeignKey(
        Order, models.CASCADE, related_name="shipments", verbose_name=_("order")
    )
    tracking = models.CharField(_("tracking number"), max_length=100, blank=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("by"),
    )
    shipped_at = models.DateTimeField(_("shipped"), default=timezone.now)

    class Meta:
        ordering = ("shipped_at",)
        verbose_name = _("shipment")
        verbose_name_plural = _("shipments")

    def __str__(self) -> str:
        return self.tracking or str(self.id)


class ShipmentLine(models.Model):
    shipment = models.ForeignKey(
        Shipment, models.CASCADE, related_name="lines", verbose_name=_("shipment")
    )
    line = models.ForeignKey(OrderLine, models.CASCADE, related_name="+", verbose_name=_("line"))
    quantity = models.PositiveIntegerField(_("quantity"))

    class Meta:
        verbose_name = _("shipment line")
        verbose_name_plural = _("shipment lines")
        constraints = (
            models.CheckConstraint(condition=Q(quantity__gte=1), name="shipment_line_has_units"),
            models.UniqueConstraint(fields=("shipment", "line"), name="shipment_line_once"),
        )

    def __str__(self) -> str:
        return f"{self.quantity} × {self.line_id}"


class Return(Keyed, models.Model):
    """Goods that a shopper wants to send back, and what became of the wish; or that nobody took
    in at the door, which come back unasked and are settled when they are written down.
    """

    class State(models.TextChoices):
        REQUESTED = "requested", _("Requested")
        RECEIVED = "received", _("Received")
        DECLINED = "declined", _("Declined")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    order = models.ForeignKey(
        Order, models.CASCADE, related_name="returns", verbose_name=_("order")
    )
    state = models.CharField(_("state"), max_length=20, choices=State, default=State.REQUESTED)
    reason = models.CharField(_("reason"), max_length=300)
    answer = models.CharField(_("answer"), max_length=300, blank=True)
    """What the shop tells the shopper of it."""
    at_door = models.BooleanField(_("refused at the door"), default=False, db_default=False)
    restocked = models.BooleanField(_("back on the shelf"), default=False)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("settled by"),
    )
    requested_at = models.DateTimeField(_("requested"), default=timezone.now)
    settled_at = models.DateTimeField(_("settled"), null=True)

    class Meta:
        ordering = ("requested_at",)
        verbose_name = _("return")
        verbose_name_plural = _("returns")
        constraints = (
            models.UniqueConstraint(
                fields=("order",), condition=Q(state="requested"), name="return_open_once_an_order"
            ),
        )

    def __str__(self) -> str:
        return f"{self.order_id}: {self.state}"


class ReturnLine(models.Model):
    request = models.ForeignKey(
        Return, models.CASCADE, related_name="lines", verbose_name=_("return")
    )
    line = models.ForeignKey(OrderLine, models.CASCADE, related_name="+", verbose_name=_("line"))
    quantity = models.PositiveIntegerField(_("quantity"))

    class Meta:
        verbose_name = _("return line")
        verbose_name_plural = _("return lines")
        constraints = (
            models.CheckConstraint(condition=Q(quantity__gte=1), name="return_line_has_units"),
            models.UniqueConstraint(fields=("request", "line"), name="return_line_once"),
        )

    def __str__(self) -> str:
        return f"{self.quantity} × {self.line_id}"
