"""Create the buckets and tables that the shop needs."""

from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from django.core.management.base import BaseCommand, CommandError

from storage.buckets import create_buckets
from storage.tables import create_tables


class Command(BaseCommand):
    help = "Create missing S3 buckets and DynamoDB tables. Safe to repeat."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            created = [*create_buckets(), *create_tables()]
        except (BotoCoreError, ClientError) as error:
            raise CommandError(f"S3 or DynamoDB could not be reached: {error}") from error
        for name in created:
            self.stdout.write(f"created {name}")
        if not created:
            self.stdout.write("nothing to create")
