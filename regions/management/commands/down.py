"""`manage.py down`: stops the stack that `manage.py up` runs, from anywhere."""

import signal
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from regions.embedded.claim import clear_leftovers, holder
from regions.embedded.plan import REPOSITORY
from regions.embedded.processes import wait_until

_TIMEOUT = 60.0  # seconds; an orderly stop takes five


class Command(BaseCommand):
    help = "Stop the stack that `manage.py up` started. Exit code 0 when nothing is left running."
    requires_system_checks: list[str] = []
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--state", type=Path, default=REPOSITORY / ".anyport", metavar="DIR", help="as of `up`"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        state: Path = options["state"].expanduser().resolve()
        running = holder(state)
        if running is None:
            ended = clear_leftovers(state)
            self.stdout.write(f"Ended {len(ended)} left over." if ended else "Nothing is running.")
            return
        process = running.process()
        if process:
            process.send_signal(signal.SIGTERM)
        if not wait_until(lambda: running.process() is None, _TIMEOUT):
            raise CommandError(f"process {running.pid} still runs after {_TIMEOUT:.0f} s")
        self.stdout.write("Stopped.")
