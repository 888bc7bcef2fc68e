"""Which generation of the writer this database is: each promotion adds a row."""

from django.db import models
from django.db.models.functions import Now


class Generation(models.Model):
    """Written on the new writer, so that its history carries it, and no other does."""

    number = models.PositiveBigIntegerField(primary_key=True)
    promotion = models.UUIDField(unique=True)
    region = models.CharField(max_length=63)
    started_at = models.DateTimeField(db_default=Now())
    verified_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "failover_generation"

    def __str__(self) -> str:
        return f"{self.number} ({self.region})"
