"""Which generation of the writer this database is, the drills that were held, and how it all is."""

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class Generation(models.Model):
    """Each promotion adds one, on the new writer: its history carries it, and no other does."""

    number = models.PositiveBigIntegerField(primary_key=True)
    promotion = models.UUIDField(unique=True)
    region = models.CharField(max_length=63)
    started_at = models.DateTimeField(db_default=Now())
    verified_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "failover_generation"

    def __str__(self) -> str:
        return f"{self.number} ({self.region})"


class DrillRun(models.Model):
    """One drill of one scenario. The whole report is in S3."""

    class State(models.TextChoices):
        PASSED = "passed", _("Passed")
        MISSED = "missed", _("Target missed")
        BROKEN = "broken", _("Could not be carried out")
        NOT_RUN = "not run", _("Not run")

    id = models.CharField(max_length=32, primary_key=True)
    scenario = models.CharField(_("scenario"), max_length=60)
    state = models.CharField(_("state"), max_length=20, choices=State)
    started_at = models.DateTimeField(_("started"))
    seconds = models.FloatField(_("seconds"))
    summary = models.JSONField(_("summary"))
    """`failover.drills.results.Result.as_json`."""
    region = models.CharField(_("region"), max_length=40)
    """Whose bucket `backups` holds the report."""
    report = models.CharField(_("report"), max_length=200)
    """Its key there."""

    class Meta:
        ordering = ("-started_at", "-id")
        verbose_name = _("drill")
        verbose_name_plural = _("drills")
        indexes = (models.Index(fields=["-started_at", "-id"], name="drill_newest_first"),)

    def __str__(self) -> str:
        return f"{self.scenario} {self.id}"


class Status(models.Model):
    """How the regions are. Has no table: it is asked anew each time; see failover.overview."""

    class Meta:
        managed = False
        default_permissions = ("view",)
        verbose_name = _("state of the regions")
        verbose_name_plural = _("Regions")

    def __str__(self) -> str:
        return str(self._meta.verbose_name)
