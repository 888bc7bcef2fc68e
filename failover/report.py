"""How findings are shown: a table for people, JSON for programs."""

import json
from collections.abc import Iterable
from typing import Final, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from failover.services import overall
from regions.checkup import Finding, State

EXIT_CODES: Final = {State.OK: 0, State.DEGRADED: 1, State.FAILING: 2}
_MARKS: Final = {
    State.OK: Text("✓ ok", "green"),
    State.DEGRADED: Text("! degraded", "yellow"),
    State.FAILING: Text("✗ failing", "bold red"),
}
_VERDICTS: Final = {
    State.OK: "Everything answers.",
    State.DEGRADED: "Shoppers are served; something needs a look.",
    State.FAILING: "Something does not answer.",
}


def as_json(findings: list[Finding]) -> str:
    state = overall(findings)
    return json.dumps(
        {
            "status": state,
            "exit_code": EXIT_CODES[state],
            "checks": [
                {
                    "check": finding.check,
                    "where": finding.where,
                    "status": finding.state,
                    "detail": finding.detail,
                    "impact": finding.impact,
                    "advice": finding.advice,
                    "seconds": round(finding.seconds, 3),
                }
                for finding in findings
            ],
        },
        ensure_ascii=False,
        indent=2,
    )


def show(findings: list[Finding], out: TextIO) -> None:
    # A file or a pipe has no width of its own.
    console = Console(file=out, highlight=False, width=None if out.isatty() else 120)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("", "Check", "Where", "Found", "ms"):
        table.add_column(heading, justify="right" if heading == "ms" else "left")
    for finding in findings:
        took = f"{finding.seconds * 1000:.0f}" if finding.seconds else ""
        # Text: what a store says is no markup of ours.
        words = (finding.check, finding.where, finding.detail, took)
        table.add_row(_MARKS[finding.state], *map(Text, words))
    console.print(table)
    _show_problems(console, [finding for finding in findings if finding.state is not State.OK])
    state = overall(findings)
    console.print()
    console.print(Text(_VERDICTS[state], _MARKS[state].style))


def _show_problems(console: Console, problems: Iterable[Finding]) -> None:
    for problem in problems:
        console.print()
        console.print(Text(f"{problem.check}, {problem.where}: {problem.detail}", "bold"))
        # Whole lines, so that a command can be copied.
        console.print(Text(f"  For shoppers  {problem.impact}"), soft_wrap=True)
        console.print(Text(f"  Do next       {problem.advice}"), soft_wrap=True)
