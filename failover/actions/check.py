"""`failover check`: reach every store of every region and say what is wrong."""

from typing import TextIO

from django.core.management.base import CommandParser

from failover.actions import Action, Options
from failover.report import EXIT_CODES, as_json, show
from failover.services import check_everything, overall

_EXIT_CODES = """\
exit codes:
  0  ok: everything answers
  1  degraded: everything answers, but something is not as it should be (a standby far behind)
  2  failing: a store of some region does not answer, or the shop cannot work as it is
"""


def _add_arguments(parser: CommandParser) -> None:
    parser.add_argument("--json", action="store_true", help="for programs")


def _run(options: Options, out: TextIO) -> int:
    findings = check_everything()
    if options["json"]:
        out.write(as_json(findings) + "\n")
    else:
        show(findings, out)
    return EXIT_CODES[overall(findings)]


action = Action(
    help="reach every store of every region and say what is wrong",
    description="Reach every store of every region, each for two seconds at most.",
    epilog=_EXIT_CODES,
    add_arguments=_add_arguments,
    run=_run,
)
