"""`failover drill`: break something for real, under load, and give an account of it."""

import json
import signal
import sys
from argparse import ArgumentTypeError
from dataclasses import replace
from typing import Final, TextIO

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from failover.actions import Action, Options
from failover.drills import Scenario, all_scenarios
from failover.drills.commands import CommandFaults
from failover.drills.engine import Course, Drill
from failover.drills.faults import FaultFailed, Faults, configured_faults
from failover.drills.keep import NotKept, keep
from failover.drills.progress import Progress
from failover.drills.results import Result, State
from failover.drills.tables import as_markdown, show_result, show_summary

ALL: Final = "all"
EXIT_CODES: Final = {State.PASSED: 0, State.MISSED: 1, State.BROKEN: 3, State.NOT_RUN: 4}
_EPILOG: Final = """\
exit codes (the worst of all drills; one of several that is not run here changes none):
  0    every target was met
  1    a target was missed: the output names it, and by how much
  2    wrong arguments
  3    a drill could not be carried out, so nothing is known: what was missing is named
  4    not run here: the scenario needs what this machine has not
  130  interrupted; what was broken has been healed

examples:
  failover drill region-loss
  failover drill all --repeat 20 --markdown figures.md
  failover drill database-loss --url https://staging.example \\
      --fault-command 'ssh db1 systemctl kill -s KILL postgresql' \\
      --heal-command 'ssh db1 systemctl start postgresql'

An operation of a shopper is a success when it ends well within 2 s: a page, a look at a
session, a cart, an order. What changes something is sent once more within them, at once and with
the same key, when nobody says what became of it. Unavailable is the time from the beginning of the
first failure to the first success after which none fails for a second.
"""


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ArgumentTypeError("must be 1 or more")
    return number


def _shoppers(text: str) -> int:
    number = int(text)
    if not 3 <= number <= 300:
        raise ArgumentTypeError("must be 3 to 300: readers, buyers and members, a third each")
    return number


def _add_arguments(parser: CommandParser) -> None:
    names = [*all_scenarios(), ALL]
    parser.add_argument("scenario", choices=names, metavar="SCENARIO", help=", ".join(names))
    parser.add_argument(
        "--shoppers", type=_shoppers, default=12, metavar="N", help="at once (default %(default)s)"
    )
    parser.add_argument("--repeat", type=_positive, default=1, metavar="N")
    parser.add_argument(
        "--seconds", type=float, metavar="S", help="how long the fault lasts, at least"
    )
    parser.add_argument(
        "--busy",
        action="store_true",
        help="this machine has other work to do: shoppers are four times as patient, and of the "
        "targets only those count that nothing is lost; seconds are told",
    )
    parser.add_argument("--json", action="store_true", help="for programs: all results")
    parser.add_argument("--markdown", metavar="FILE", help="write a table of all results there")
    parser.add_argument("--url", metavar="URL", help="front door (default: this shop's own)")
    parser.add_argument("--fault-command", metavar="CMD", help="breaks it, in place of ours")
    parser.add_argument("--heal-command", metavar="CMD", help="mends it again")


def _run(options: Options, out: TextIO) -> int:
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    faults = _faults(options)
    course = Course(
        front=options["url"] or settings.ANYPORT_URL,
        direct={} if options["url"] else settings.ANYPORT_REGION_URLS,
        shoppers=options["shoppers"],
        lasts=options["seconds"],
        busy=options["busy"],
    )
    scenarios = _chosen(options["scenario"], faults)
    progress = Progress(sys.stderr if options["json"] else out)
    results: list[Result] = []
    interrupted = False
    try:
        for number in range(1, options["repeat"] + 1):
            for name, scenario in scenarios.items():
                title = f"{name} {number} of {options['repeat']}"
                results.append(_drill(title, name, scenario, faults, course, progress))
    except KeyboardInterrupt:
        interrupted = True
    finally:  # whatever ends it, nothing that was measured is left out
        _report(results, options, out)
    return 130 if interrupted else exit_code(results)


def _faults(options: Options) -> Faults:
    if options["url"] and not options["fault_command"]:
        raise CommandError(
            "--url shops at another stack: say what breaks it, --fault-command", returncode=2
        )
    try:
        if options["fault_command"]:
            return CommandFaults(options["fault_command"], options["heal_command"])
        return configured_faults()
    except FaultFailed as problem:
        raise CommandError(str(problem), returncode=3) from None


def _chosen(name: str, faults: Faults) -> dict[str, Scenario]:
    """With commands of an operator, the scenario gives its targets, and they the blow."""
    everything = all_scenarios()
    if not isinstance(faults, CommandFaults):
        return everything if name == ALL else {name: everything[name]}
    if name == ALL:
        raise CommandError("name one scenario: --fault-command breaks one thing", returncode=2)
    return {name: replace(everything[name], strike=faults.strike, needs=faults.needs)}


def _drill(
    title: str, name: str, scenario: Scenario, faults: Faults, course: Course, progress: Progress
) -> Result:
    progress.console.print(f"[bold]{title}[/]: {scenario.help}")
    with progress.of(title):
        result = Drill(name, scenario, faults, course, progress.tell).run()
    try:
        where = keep(result)
    except NotKept as problem:
        where = f"the report could not be kept: {problem}"
    show_result(result, progress.console)
    progress.console.print(f"    {where}", soft_wrap=True, style="dim", markup=False)
    return result


def _report(results: list[Result], options: Options, out: TextIO) -> None:
    if options["markdown"]:
        with open(options["markdown"], "w", encoding="utf-8") as file:
            file.write(as_markdown(results))
    if options["json"]:
        found = [result.as_json() for result in results]
        out.write(json.dumps({"exit_code": exit_code(results), "drills": found}, indent=1) + "\n")
    else:
        show_summary(results, out)


def exit_code(results: list[Result]) -> int:
    states = {result.state for result in results}
    bad = [state for state in (State.MISSED, State.BROKEN) if state in states]
    if bad:
        return EXIT_CODES[bad[0]]
    return EXIT_CODES[State.PASSED if State.PASSED in states else State.NOT_RUN]


action = Action(
    help="break something for real, under load, and give an account of it",
    description="Break something for real while shoppers order, and compare with the database "
    "what they were told. Scenarios:\n\n"
    + "\n".join(f"  {name:20} {each.help}" for name, each in all_scenarios().items()),
    epilog=_EPILOG,
    add_arguments=_add_arguments,
    run=_run,
)
