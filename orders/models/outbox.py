"""Effects outside the database, written down with what they follow from (orders/outbox.py)."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class OutboxMessage(models.Model):
    """Something to be done once its transaction is committed, in order within its stream."""

    stream = models.CharField(_("stream"), max_length=80)
    """Such as `order:AP-…`: the next of a stream waits until this one is done or dead."""
    kind = models.CharField(_("kind"), max_length=60)
    """A handler's name."""
    key = models.CharField(_("key"), max_length=120, unique=True)
    """What makes it the same effect, so that it is written down once: `mail:confirmation:AP-…`."""
    payload = models.JSONField(_("content"), default=dict)
    created_at = models.DateTimeField(_("written"), default=timezone.now, db_default=Now())
    attempts = models.PositiveIntegerField(_("tries"), default=0, db_default=0)
    next_try_at = models.DateTimeField(_("next try"), default=timezone.now, db_default=Now())
    done_at = models.DateTimeField(_("done"), null=True, blank=True)
    dead_at = models.DateTimeField(_("given up"), null=True, blank=True)
    error = models.TextField(_("last error"), blank=True, default="", db_default="")

    class Meta:
        ordering = ("pk",)
        verbose_name = _("outgoing message")
        verbose_name_plural = _("outgoing messages")
        indexes = (
            models.Index(
                fields=["stream", "id"],
                condition=Q(done_at__isnull=True, dead_at__isnull=True),
                name="outbox_waiting",
            ),
            models.Index(
                fields=["next_try_at", "id"],
                condition=Q(done_at__isnull=True, dead_at__isnull=True),
                name="outbox_due",
            ),
            models.Index(fields=["done_at"], name="outbox_done"),
            models.Index(
                fields=["dead_at"], condition=Q(dead_at__isnull=False), name="outbox_dead"
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.stream}"
