"""Requests that must take effect once, and the answers they got (orders/idempotency.py)."""

from uuid import UUID, uuid5

from django.db import models
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class Keyed:
    """A row whose id is made of the key of the form that asked for it."""

    was_there = False
    """Whether the call that returned this object had nothing to do, as the form was sent before.
    No column: another object of the same row does not know."""


def keyed_id(key: UUID, *owners: object) -> UUID:
    """The id of the row that this key makes for these owners, such as an order and a clerk.

    Another shopper's key is another key, should it be the same.
    """
    return uuid5(key, " ".join(map(str, owners)))


def find_keyed[Row: models.Model](rows: QuerySet[Row], key: UUID, *owners: object) -> Row | None:
    """What the key made before, among the owners' own `rows`.

    The id was the key itself before keys had owners: a form may be sent again after an upgrade.
    """
    return rows.filter(pk__in=(keyed_id(key, *owners), key)).first()


class IdempotencyRecord(models.Model):
    """A request that must take effect once, and the answer it got ."""

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
