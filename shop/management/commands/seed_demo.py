"""Fill the shop with the demo: catalogue, pictures, stock, and the admin."""

import os
from time import monotonic
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, OperationalError

from shop.demo.seeding import draw_galleries, ensure_admin, seed, upload_missing


class Command(BaseCommand):
    help = (
        "Create the demo shop's categories, products, prices, stock and pictures where they are "
        "missing. Safe to repeat: what staff changed stays, stock and orders are never touched. "
        "ADMIN_EMAIL and ADMIN_PASSWORD, when both are set, name a superuser to make."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--refresh",
            action="store_true",
            help="set names, texts, prices and pictures of demo products back to the demo's",
        )

    def handle(self, *args: Any, refresh: bool, **options: Any) -> None:
        begun = monotonic()
        galleries = draw_galleries()
        count = sum(len(shows) for shows in galleries.values())
        self.stdout.write(f"drew {count} pictures in {monotonic() - begun:.1f} s")
        try:
            uploaded, stored = upload_missing(galleries)
        except (BotoCoreError, ClientError) as error:
            raise CommandError(f"The pictures could not be stored in S3: {error}") from error
        try:
            created = seed(galleries, stored=stored, refresh=refresh)
            self._admin()
        except OperationalError as error:
            raise CommandError(f"The database could not be reached: {_line(error)}") from error
        except DatabaseError as error:
            raise CommandError(f"The database did not take the demo: {_line(error)}") from error
        rows = ", ".join(f"{number} {what}" for what, number in created.items() if number)
        self.stdout.write(
            f"uploaded {uploaded} pictures; created {rows or 'nothing'}; "
            f"{monotonic() - begun:.1f} s"
        )

    def _admin(self) -> None:
        email, password = os.environ.get("ADMIN_EMAIL"), os.environ.get("ADMIN_PASSWORD")
        if email and password and ensure_admin(email=email, password=password):
            self.stdout.write(f"created the admin {email}")


def _line(error: Exception) -> str:
    """Its first line: libpq adds a paragraph for every host it tried."""
    return str(error).strip().partition("\n")[0]
