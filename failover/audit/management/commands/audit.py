"""`manage.py audit`: the whole inventory, also where `manage.py check` would stop at it."""

import json
import sys
from collections.abc import Iterable
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from failover.audit.baseline import read_baseline
from failover.audit.inventory import of_everything, problems_of_baseline
from failover.audit.parts import Part

_EXIT_CODES = """\
exit codes:
  0  nothing is found but what the baseline accepts
  1  something is found
"""


class Command(BaseCommand):
    help = f"List the state that this project keeps in or beside one process.\n\n{_EXIT_CODES}"
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        how = parser.add_mutually_exclusive_group()
        how.add_argument("--json", action="store_true", help="for programs")
        how.add_argument(
            "--baseline",
            action="store_true",
            help="write what is found as entries of a baseline, whose reasons you fill in",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        parts, baseline = of_everything(), read_baseline()
        found = baseline.remaining(parts)
        if options["baseline"]:
            self.stdout.write("\n".join(map(_entry, found)))
            return
        found += problems_of_baseline(baseline, parts)
        if options["json"]:
            self.stdout.write(json.dumps([vars(part) for part in found], indent=2))
        else:
            self._show(found, accepted=len(baseline.accepted))
        sys.exit(bool(found))

    def _show(self, found: Iterable[Part], *, accepted: int) -> None:
        parts = sorted(found, key=lambda part: (not part.is_error, part.id, part.where))
        for part in parts:
            style = self.style.ERROR if part.is_error else self.style.WARNING
            self.stdout.write(style(f"{part.id}  {part.where}"))
            self.stdout.write(f"  {part.problem}\n  To do: {part.hint}\n\n")
        self.stdout.write(f"{len(parts)} found, {accepted} accepted by the baseline.")


def _entry(part: Part) -> str:
    quoted = json.dumps(part.where, ensure_ascii=False)
    return f'[[accepted]]\nid = "{part.id}"\nwhere = {quoted}\nreason = ""  # {part.problem}\n'
