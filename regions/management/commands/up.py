"""`manage.py up`: all regions on this machine, one command."""

import signal
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from regions.embedded.claim import AlreadyRunning, Lock, WrongShape, make_plan
from regions.embedded.plan import AWS_REGIONS, REPOSITORY
from regions.embedded.ports import DEFAULT_FRONT_PORT, PortTaken
from regions.embedded.postgres import PostgresError
from regions.embedded.processes import Interrupted
from regions.embedded.screen import Screen
from regions.embedded.stack import Stack
from regions.embedded.steps import StartError
from regions.embedded.supervise import SupervisorError

_EXIT_CODES = """\
exit codes:
  0    stopped by Ctrl-C, SIGTERM, SIGHUP or `manage.py down`, in good order
  1    did not start: already running, a port is taken, or a part failed (the message says which)
  2    wrong arguments
  3    the supervisor died while the stack ran; what was left has been ended
  130  killed by a second Ctrl-C
"""


class Command(BaseCommand):
    help = (
        "Start the whole shop on this machine: PostgreSQL, Valkey, S3, DynamoDB, a front door, "
        "and each region's processes. Ctrl-C stops everything; data are kept."
    )
    # The stack brings what these would look for.
    requires_system_checks: list[str] = []
    requires_migrations_checks = False

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        parser = super().create_parser(prog_name, subcommand, epilog=_EXIT_CODES, **kwargs)
        parser.formatter_class = RawDescriptionHelpFormatter
        return parser

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--regions",
            type=int,
            choices=[1, 3],
            default=3,
            help="3 (taiwan, tokyo, singapore), or 1 for a light stack without copies",
        )
        parser.add_argument(
            "--port",
            type=int,
            default=DEFAULT_FRONT_PORT,
            help="of the front door; 0 takes free ports for everything (default %(default)s)",
        )
        parser.add_argument(
            "--no-watch",
            action="store_false",
            dest="watch",
            help="start no watchers: a dead writer stays dead until you promote another",
        )
        parser.add_argument("--fresh", action="store_true", help="discard all data first")
        parser.add_argument(
            "--state",
            type=Path,
            default=REPOSITORY / ".anyport",
            metavar="DIR",
            help="where data and logs are kept (default %(default)s)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        state: Path = options["state"].expanduser().resolve()
        regions = tuple(AWS_REGIONS)[: options["regions"]]
        lock = Lock(state)
        try:
            lock.acquire()
            plan = make_plan(
                state,
                regions,
                options["port"],
                fresh=options["fresh"],
                watched=options["watch"],
            )
        except (AlreadyRunning, PortTaken, WrongShape) as problem:
            raise CommandError(str(problem), returncode=1) from None
        screen = Screen(sys.stdout)
        stack = Stack(plan, screen)
        _stop_on_signals(stack, screen)  # before a word is said: whoever reads one may send one
        screen.heading(plan)
        self._run(stack, screen)
        lock.release()

    def _run(self, stack: Stack, screen: Screen) -> None:
        """Start, watch, stop; the exit code tells how it went."""
        problem: Exception | None = None
        try:
            stack.start()
            stack.watch()
        except Interrupted:
            pass
        except (StartError, SupervisorError, PostgresError) as error:
            problem = error
        finally:
            stack.stop()
        if problem is None:
            screen.stopped()
            return
        code = 3 if isinstance(problem, SupervisorError) else 1
        raise CommandError(f"{problem}\nEverything has been stopped.", returncode=code)


def _stop_on_signals(stack: Stack, screen: Screen) -> None:
    """The first signal stops everything in good order, a second Ctrl-C at once."""
    seen: list[int] = []

    def handle(number: int, frame: object) -> None:
        if number == signal.SIGINT and seen:
            stack.kill()
            sys.exit(130)
        if not seen:
            screen.stopping()
        seen.append(number)
        stack.interrupt()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, handle)
