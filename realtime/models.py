from typing import ClassVar

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class EventStream(models.Model):
    """An audience and its last sequence number. Its row's lock orders events as they commit."""

    audience = models.CharField(_("audience"), max_length=80, primary_key=True)
    last_sequence = models.PositiveBigIntegerField(_("last sequence"), default=0)

    class Meta:
        verbose_name = _("event stream")
        verbose_name_plural = _("event streams")

    def __str__(self) -> str:
        return self.audience


class Event(models.Model):
    """Something an audience should learn, written in the transaction of what it tells of."""

    audience = models.CharField(_("audience"), max_length=80)
    sequence = models.PositiveBigIntegerField(_("sequence"))
    kind = models.CharField(_("kind"), max_length=40)
    payload = models.JSONField(_("payload"), default=dict)
    created_at = models.DateTimeField(_("created"), default=timezone.now)

    class Meta:
        ordering: ClassVar = ("pk",)
        verbose_name = _("event")
        verbose_name_plural = _("events")
        constraints = (
            models.UniqueConstraint(fields=("audience", "sequence"), name="event_sequence_once"),
        )

    def __str__(self) -> str:
        return f"{self.audience} #{self.sequence} {self.kind}"
