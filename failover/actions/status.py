"""`failover status`: how the regions are just now."""

import time
from collections.abc import Iterator
from typing import Final, TextIO

from django.core.management.base import CommandParser
from rich.console import Console
from rich.live import Live

from failover.actions import Action, Options
from failover.overview import Overview, take, take_samples
from failover.overview.as_json import as_json
from failover.overview.screen import WIDTH, render
from failover.report import EXIT_CODES

EVERY: Final = 2.0  # seconds, from one look of --watch to the next
BETWEEN: Final = 1.0  # seconds between two samples of the counters, for requests a second

_EPILOG = """\
It looks and changes nothing; whether a region could take over, `failover check` tries.
TL is PostgreSQL's timeline, which grows with each promotion, and beside it how far a standby is
behind. Req/s and 5xx/s are of the web process that answered at the region's own address
(ANYPORT_REGION_URLS); WS are open WebSockets, where this machine knows who serves them.

exit codes:
  0  ok: nothing needs attention; --watch was ended
  1  degraded: shoppers are served, something needs a look
  2  failing: something does not work
"""


def _add_arguments(parser: CommandParser) -> None:
    parser.add_argument(
        "--watch", action="store_true", help=f"again every {EVERY:.0f} s, until Ctrl-C"
    )
    parser.add_argument(
        "--json", action="store_true", help="for programs; with --watch a line for each look"
    )


def _run(options: Options, out: TextIO) -> int:
    if options["watch"]:
        return _watch(out, json=options["json"])
    samples = take_samples()
    time.sleep(BETWEEN)
    overview = take(samples)
    if options["json"]:
        out.write(as_json(overview) + "\n")
    else:
        _console(out).print(render(overview))
    return EXIT_CODES[overview.state]


def _watch(out: TextIO, *, json: bool) -> int:
    try:
        if json:
            for overview in _looks():
                out.write(as_json(overview, indent=None) + "\n")
                out.flush()
        else:
            _show(_console(out))
    except KeyboardInterrupt:
        pass
    return 0


def _show(console: Console) -> None:
    with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:
        for overview in _looks():
            if console.is_terminal:
                live.update(render(overview), refresh=True)
            else:  # nothing to refresh in place
                console.print(render(overview))


def _looks() -> Iterator[Overview]:
    samples = take_samples()
    time.sleep(BETWEEN)
    while True:
        began = time.monotonic()
        overview = take(samples)
        samples |= overview.samples
        yield overview
        time.sleep(max(0.0, began + EVERY - time.monotonic()))


def _console(out: TextIO) -> Console:
    # A file or a pipe has no width of its own.
    return Console(file=out, highlight=False, width=None if out.isatty() else WIDTH)


action = Action(
    help="how the regions are: ready, roles, lag, requests, sessions, leases",
    description="Show how the regions are just now. Each part is asked for two seconds at most.",
    epilog=_EPILOG,
    add_arguments=_add_arguments,
    run=_run,
)
