"""`failover drain`: takes a region out, gracefully."""

import json
from typing import Any, Final, TextIO

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from failover import traffic
from failover.actions import Action, Options
from failover.traffic import NoOtherRegion
from storage.control import Conflict, ControlUnreachable
from storage.drain import drained_regions

_EPILOG: Final = """\
What happens: /health/ready of the region answers 503 within two seconds, so the front door sends
nothing new there. Requests in flight finish, and those that still come are served. Sockets close
with 1012, and browsers open them in another region. Workers take no more tasks and finish what they
have; beat claims no slot. Stores and the writer stay where they are. `undrain` undoes it.

exit codes:
  0  drained, and seen to be: its ready answers 503. Also when it was drained before
  1  nothing was changed: no such region, nobody else could serve, DynamoDB cannot be asked
  2  the flag is set, but the region was not seen to obey within ten seconds

example:
  manage.py failover drain tokyo --why "new kernel"
"""


def add_region(parser: CommandParser) -> None:
    parser.add_argument("region", metavar="REGION", help=", ".join(settings.ANYPORT_REGIONS))
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, do nothing")
    parser.add_argument("--json", action="store_true", help="for programs")


def known(region: str) -> str:
    """Raises CommandError with the names that there are."""
    if region not in settings.ANYPORT_REGIONS:
        names = ", ".join(settings.ANYPORT_REGIONS)
        raise CommandError(f"There is no region {region!r}. The regions are {names}.")
    return region


def _add_arguments(parser: CommandParser) -> None:
    add_region(parser)
    parser.add_argument("--why", default="", help="shown to whoever looks later")
    parser.add_argument(
        "--force", action="store_true", help="also when nobody else could serve: shoppers get 503"
    )


def _run(options: Options, out: TextIO) -> int:
    region = known(options["region"])
    try:
        report = _look(region, options) if options["dry_run"] else _drain(region, options)
    except NoOtherRegion as nobody:
        raise CommandError(_refusal(region, nobody)) from nobody
    except (ControlUnreachable, Conflict) as error:
        raise CommandError(f"Nothing was changed: DynamoDB cannot be asked ({error}).") from error
    tell(report, options, out)
    return 2 if report["outcome"] == "not heard" else 0


def _look(region: str, options: Options) -> dict[str, Any]:
    flags = drained_regions()
    if region in flags:
        return _was_drained(region)
    if not options["force"]:
        traffic.someone_else_serves(region)(set(flags))
    words = [f"{region} would be drained. Nothing was changed.", *_about_writer(region)]
    return {"region": region, "outcome": "dry run", "words": words}


def _drain(region: str, options: Options) -> dict[str, Any]:
    if not traffic.take_out(region, why=options["why"], force=options["force"]):
        return _was_drained(region)
    heard, detail, seconds = traffic.wait_heard(region, ready=False)
    if heard:
        words = [
            f"{region} is drained: after {seconds:.1f} s its ready answers 503, so nothing new"
            " is sent there.",
            "Requests in flight finish, sockets move, workers finish what they have.",
        ]
    else:
        words = [
            f"The flag is set, but {region} was not seen to obey it ({detail}).",
            "If it runs, it may not reach DynamoDB: take it out of the front door by hand.",
            "If it does not run, it will start drained.",
        ]
    words += [*_about_writer(region), f"To undo:  manage.py failover undrain {region}"]
    outcome = "drained" if heard else "not heard"
    return {"region": region, "outcome": outcome, "seconds": seconds, "words": words}


def _was_drained(region: str) -> dict[str, Any]:
    entry = drained_regions().get(region, {})
    why = f" ({entry['why']})" if entry.get("why") else ""
    since = f"since {entry.get('since', 'just now')} by {entry.get('by', 'somebody')}"
    words = [f"{region} is drained already, {since}{why}. Nothing was changed."]
    return {"region": region, "outcome": "was drained", "words": words, **entry}


def _about_writer(region: str) -> list[str]:
    if traffic.writers_region() != region:
        return []
    other = next((name for name in settings.ANYPORT_REGIONS if name != region), "REGION")
    return [
        f"The writer is in {region} and stays there: every order still needs its PostgreSQL.",
        f"Before you stop that, move it:  manage.py failover promote {other}",
    ]


def _refusal(region: str, nobody: NoOtherRegion) -> str:
    lines = [f"{region} was not drained: no other region could serve in its place."]
    lines += [f"  {other}: {problem}" for other, problem in nobody.problems.items()]
    lines += [
        "Bring one back first (manage.py failover check says what is wrong with it;",
        "manage.py failover undrain, if it is drained). --force drains nevertheless: then",
        "shoppers get 503 from everywhere.",
    ]
    return "\n".join(lines)


def tell(report: dict[str, Any], options: Options, out: TextIO) -> None:
    if options["json"]:
        out.write(json.dumps(report, ensure_ascii=False, indent=2) + "\n")
    else:
        out.write("\n".join(report["words"]) + "\n")


action = Action(
    help="take a region out: no new requests, sockets or tasks",
    description="Take a region out gracefully. Nobody notices, and nothing is stopped.",
    epilog=_EPILOG,
    add_arguments=_add_arguments,
    run=_run,
)
