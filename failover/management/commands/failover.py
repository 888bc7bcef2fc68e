"""`manage.py failover …`: what operators type. The actions are in failover.actions."""

import sys
from argparse import RawDescriptionHelpFormatter
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from failover.actions import all_actions


class Command(BaseCommand):
    help = "See how the regions are, and move traffic and the writer between them."
    requires_system_checks: list[str] = []
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        for name, action in all_actions().items():
            of_action = actions.add_parser(
                name,
                help=action.help,
                description=action.description,
                epilog=action.epilog,
                formatter_class=RawDescriptionHelpFormatter,
            )
            action.add_arguments(of_action)

    def handle(self, *args: Any, **options: Any) -> None:
        sys.exit(all_actions()[options["action"]].run(options, sys.stdout))
