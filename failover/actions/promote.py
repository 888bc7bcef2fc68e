"""`failover promote`: move the writer to another region, losing nothing."""

import getpass
import json
from typing import Any, TextIO

from django.core.management.base import CommandError, CommandParser
from rich.console import Console
from rich.text import Text

from failover.actions import Action, Options
from failover.promotion.errors import NotUndone, Refused, Unfinished
from failover.promotion.machine import Request, begin, promote
from failover.promotion.plan import planned_steps, server_table
from failover.promotion.record import Record
from failover.promotion.steps import Step
from failover.providers import provider
from failover.providers.base import Provider
from regions.servers import ProviderError
from storage.control import ControlUnreachable
from storage.leases import LeasesUnreachable, LeaseTaken

_EPILOG = """\
exit codes:
  0  done: the region takes writes, and one was acknowledged; or it was the writer already
  1  refused: nothing was changed, or what was changed has been undone
  2  wrong arguments
  3  unfinished: type the same command again, it goes on where it stopped; or refused, and what
     was stopped for it does not come back: it says what to do

examples:
  manage.py failover promote tokyo --dry-run
  manage.py failover promote tokyo
  manage.py failover promote             (whichever standby is furthest)
"""


def _add_arguments(parser: CommandParser) -> None:
    parser.add_argument("region", nargs="?", help="the new writer; without it the furthest standby")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, do nothing")
    parser.add_argument(
        "--allow-data-loss",
        action="store_true",
        help="promote although nobody knows whether every acknowledged order survives",
    )
    parser.add_argument("--keep-redis", action="store_true", help="leave Redis's primary alone")
    parser.add_argument("--json", action="store_true", help="for programs")


def _run(options: Options, out: TextIO) -> int:
    request = Request(
        options["region"],
        by=getpass.getuser(),
        allow_data_loss=options["allow_data_loss"],
        redis=not options["keep_redis"],
    )
    try:
        environment = provider()
        if options["dry_run"]:
            return _dry_run(request, environment, options, out)
        return _promote(request, environment, options, out)
    except NotUndone as error:
        raise CommandError(f"Refused. {error}", returncode=3) from error
    except Refused as error:
        raise CommandError(f"Refused. {error}", returncode=1) from error
    except (ProviderError, LeasesUnreachable, ControlUnreachable) as error:
        raise CommandError(f"Nothing was done: {error}", returncode=1) from error
    except LeaseTaken as error:
        raise CommandError(
            f"{error.owner} is promoting now. Wait for it: manage.py failover status", returncode=1
        ) from error
    except Unfinished as error:
        raise CommandError(
            f"{error}\nNot finished: type the same command again, it goes on from there.",
            returncode=3,
        ) from error


def _dry_run(request: Request, environment: Provider, options: Options, out: TextIO) -> int:
    servers = environment.servers()
    ledger = begin(request, environment)
    resumed = ledger.document.data.get("id") == ledger.record.id
    steps = planned_steps(ledger.record, servers, environment)
    if options["json"]:
        _write_json(out, {"dry_run": True, "resumed": resumed, "steps": steps})
        return 0
    console = _console(out)
    console.print(server_table(servers))
    if resumed:
        console.print(f"Under way since {ledger.record.started}: this would finish it.")
    for title, would in steps.items():
        console.print(Text.assemble((f"  {title:24}", "bold"), would), soft_wrap=True)
    console.print("Nothing was changed.")
    return 0


def _promote(request: Request, environment: Provider, options: Options, out: TextIO) -> int:
    console = _console(out)

    def say(step: Step, found: str, seconds: float) -> None:
        if not options["json"]:
            line = Text.assemble(("✓ ", "green"), (f"{step.title:24}", "bold"), found)
            console.print(line + Text(f"  {seconds:.1f} s", "dim"), soft_wrap=True)

    record = promote(request, environment, say)
    if options["json"]:
        _write_json(out, record.data())
    else:
        console.print(_verdict(record), soft_wrap=True)
    return 0


def _verdict(record: Record) -> Text:
    if not record.generation:
        return Text(f"{record.target} is the writer already: nothing to do.", "green")
    return Text(
        f"{record.target} is the writer, generation {record.generation}.\n"
        "Have a look: manage.py failover check",
        "green",
    )


def _write_json(out: TextIO, data: dict[str, Any]) -> None:
    out.write(json.dumps(data, indent=2, ensure_ascii=False) + "\n")


def _console(out: TextIO) -> Console:
    return Console(file=out, highlight=False, width=None if out.isatty() else 120)


action = Action(
    help="move the writer to another region, losing nothing",
    description=(
        "Fence the old writer, choose the standby that has every acknowledged commit, promote it, "
        "and let the others follow. Recorded step by step: after a kill, type it again."
    ),
    epilog=_EPILOG,
    add_arguments=_add_arguments,
    run=_run,
)
