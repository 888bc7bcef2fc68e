"""`failover watch`: promote unattended, when a majority of regions agree that nobody can write."""

import getpass
import signal
from threading import Event
from typing import TextIO

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from failover.actions import Action, Options
from failover.promotion.record import now
from failover.providers import provider
from failover.watching.verdict import Policy
from failover.watching.views import WATCH
from failover.watching.watcher import Watcher
from regions.regions import all_regions
from regions.servers import ProviderError
from storage import control

_EPILOG = """\
Run one in every region, under a supervisor. One leads, by a lease; the others only say what
they see. While DynamoDB does not answer, nothing is decided.

exit codes:
  0  ended by SIGTERM or SIGINT; or paused, or resumed
  1  there is no provider to promote with, or DynamoDB did not answer
  2  wrong arguments

examples:
  manage.py failover watch --pause "maintenance of the network until 05:00"
  manage.py failover watch --resume
"""


def _add_arguments(parser: CommandParser) -> None:
    parser.add_argument("--pause", metavar="WHY", help="let no watcher act, and say why")
    parser.add_argument("--resume", action="store_true", help="let them act again")
    parser.add_argument(
        "--after",
        type=float,
        default=3.0,
        metavar="SECONDS",
        help="without a writer, as a majority sees it, before one is promoted (default 3)",
    )


def _run(options: Options, out: TextIO) -> int:
    if options["pause"] is not None or options["resume"]:
        return _switch(options["pause"], out)
    try:
        environment = provider()
    except ProviderError as error:
        raise CommandError(str(error), returncode=1) from error
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    policy = Policy.among(len(all_regions()), options["after"])
    Watcher(settings.ANYPORT_REGION, environment, policy).run(stop)
    return 0


def _switch(why: str | None, out: TextIO) -> int:
    data = {"paused": why is not None, "by": getpass.getuser(), "why": why or "", "since": now()}
    try:
        control.change(WATCH, lambda _: data)
    except (control.ControlUnreachable, control.Conflict) as error:
        raise CommandError(f"DynamoDB did not answer: {error}", returncode=1) from error
    if why is not None:
        out.write("Paused: nothing is promoted unattended until `failover watch --resume`.\n")
    else:
        out.write("Resumed: the watchers act again.\n")
    return 0


action = Action(
    help="promote unattended, when a majority of regions agree that nobody can write",
    description=(
        "Look once a second whether a write is acknowledged, as this region sees it. When most "
        "regions have missed the writer for some seconds, promote the standby that is furthest."
    ),
    epilog=_EPILOG,
    add_arguments=_add_arguments,
    run=_run,
)
