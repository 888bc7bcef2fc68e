from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class JobRun(models.Model):
    """One schedule slot of one job taking effect: at most once, whatever the schedulers do.

    Unique on (job, slot): the boundary that no lost lease and no second scheduler can cross.
    """

    class Status(models.TextChoices):
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")

    job = models.CharField(_("job"), max_length=80)
    slot = models.DateTimeField(_("slot"), help_text=_("When it was due, UTC."))
    attempt = models.PositiveIntegerField(_("attempt"), default=1)
    status = models.CharField(_("status"), max_length=10, choices=Status, default=Status.RUNNING)
    region = models.CharField(_("region"), max_length=40)
    started_at = models.DateTimeField(_("started"), default=timezone.now)
    finished_at = models.DateTimeField(_("finished"), null=True)
    result = models.JSONField(_("result"), default=dict)

    class Meta:
        ordering = ("-slot", "job")
        verbose_name = _("job run")
        verbose_name_plural = _("job runs")
        constraints = (models.UniqueConstraint(fields=("job", "slot"), name="job_run_slot_once"),)

    def __str__(self) -> str:
        return f"{self.job} {self.slot:%Y-%m-%d %H:%M}Z"
