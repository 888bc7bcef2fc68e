"""`failover check`: reach every store of every region and say what is wrong."""

from collections.abc import Iterable
from typing import Final, TextIO

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from rich.console import Console
from rich.table import Table

from failover.actions import Action, Options
from failover.report import EXIT_CODES, as_json, show
from failover.services import all_checks, check_everything, overall
from regions.checkup import LIMIT, Finding, State

_EPILOG: Final = """\
exit codes:
  0  ok: everything is as it should be
  1  degraded: shoppers are served, but something needs a look (one standby gone, one region
     drained, one instance dead): warn
  2  failing: shoppers are hurt, or the next loss would hurt them (no writer, no Redis primary,
     no DynamoDB, a key missing): wake somebody; also an option that does not exist
  3  nothing was checked: there is no such check, or no such region

examples:
  manage.py failover check --list                     what is verified, by id
  manage.py failover check --only postgres            all checks of PostgreSQL
  manage.py failover check --only postgres.lag,redis.quorum --json
  manage.py failover check --region tokyo             what belongs to tokyo
"""


def _add_arguments(parser: CommandParser) -> None:
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument(
        "--limit",
        type=float,
        default=LIMIT,
        metavar="SECONDS",
        help="that each check may take: 2; more where links are slow",
    )
    parser.add_argument("--list", action="store_true", help="list the checks' ids and end")
    parser.add_argument("--region", help="only this region, and what fails for all")
    parser.add_argument(
        "--only", metavar="ID[,ID…]", help="only these checks: whole ids, or what they begin with"
    )


def _run(options: Options, out: TextIO) -> int:
    if options["list"]:
        _list(out)
        return 0
    region = options["region"]
    if region and region not in settings.ANYPORT_REGIONS:
        raise CommandError(
            f"There is no region {region!r}. There are {', '.join(settings.ANYPORT_REGIONS)}.",
            returncode=3,
        )
    words = _words(options["only"] or "")
    only = _chosen(words) if options["only"] else None
    findings = check_everything(only=only, limit=options["limit"])
    findings += _untold(words, findings)
    if region:
        findings = [finding for finding in findings if _concerns(finding, region)]
    if not findings:
        raise CommandError(
            f"None of these checks belongs to {region}: leave --region out.", returncode=3
        )
    if options["json"]:
        out.write(as_json(findings) + "\n")
    else:
        show(findings, out)
    return EXIT_CODES[overall(findings)]


def _concerns(finding: Finding, region: str) -> bool:
    """Nobody is served in this region either, where nobody is served at all."""
    of_all = not finding.region and finding.state is State.FAILING
    return of_all or finding.region == region


def _words(text: str) -> list[str]:
    return [word for part in text.split(",") if (word := part.strip().rstrip("."))]


def _named(word: str, ids: Iterable[str]) -> set[str]:
    """Those that are called so or begin so: `postgres` is every `postgres.…`."""
    return {id for id in ids if id == word or id.startswith(f"{word}.")}


def _chosen(words: Iterable[str]) -> set[str]:
    known = all_checks()
    chosen = {id for word in words for id in _named(word, known)}
    unknown = [word for word in words if not _named(word, known)]
    if unknown or not chosen:
        named = ", ".join(unknown) or "nothing"
        ids = "\n".join(f"  {id}" for id in known)
        raise CommandError(f"No check is called {named}. There are:\n{ids}", returncode=3)
    return chosen


def _untold(words: Iterable[str], findings: Iterable[Finding]) -> list[Finding]:
    """Whoever asks by name is told, and be it that nobody knows: silence would look like ok."""
    told = {finding.check.id for finding in findings}
    silent = {id for word in words if not _named(word, told) for id in _named(word, all_checks())}
    return [
        all_checks()[id].problem(
            "nobody knows",
            "what this is concluded from did not answer, or these settings have no such part",
            state=State.DEGRADED,
            advice="manage.py failover check, without --only, says what does not answer.",
        )
        for id in sorted(silent)
    ]


def _list(out: TextIO) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("Check", "At worst", "Verifies"):
        table.add_column(heading, no_wrap=heading != "Verifies")
    for check in all_checks().values():
        table.add_row(check.id, check.worst, check.verifies)
    Console(file=out, highlight=False, width=None if out.isatty() else 120).print(table)


action = Action(
    help="reach every store of every region and say what is wrong",
    description="Reach every store of every region, all at once, each for two seconds at most.",
    epilog=_EPILOG,
    add_arguments=_add_arguments,
    run=_run,
)
