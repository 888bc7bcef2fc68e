"""`manage.py failover …`: what operators type."""

import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from typing import Any

from django.core.management.base import BaseCommand

from failover.report import EXIT_CODES, as_json, show
from failover.services import check_everything, overall

_EXIT_CODES = """\
exit codes:
  0  ok: everything answers
  1  degraded: everything answers, but something is not as it should be (a standby far behind)
  2  failing: a store of some region does not answer, or the shop cannot work as it is
"""


class Command(BaseCommand):
    help = "See how the regions are."
    requires_system_checks: list[str] = []
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        check = actions.add_parser(
            "check",
            help="reach every store of every region and say what is wrong",
            description="Reach every store of every region, each for two seconds at most.",
            epilog=_EXIT_CODES,
            formatter_class=RawDescriptionHelpFormatter,
        )
        check.add_argument("--json", action="store_true", help="for programs")

    def handle(self, *args: Any, **options: Any) -> None:
        actions = {"check": self.check_stores}
        actions[options["action"]](options)

    def check_stores(self, options: dict[str, Any]) -> None:
        findings = check_everything()
        if options["json"]:
            self.stdout.write(as_json(findings))
        else:
            show(findings, sys.stdout)
        sys.exit(EXIT_CODES[overall(findings)])
