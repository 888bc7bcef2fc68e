"""How findings are shown: a table for people, JSON for programs."""

import json
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any, Final, TextIO

from django.conf import settings
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
    State.OK: "All is well: {total} checks.",
    State.DEGRADED: "Shoppers are served. {bad} of {total} checks need a look.",
    State.FAILING: "Shoppers are hurt, or the next loss would hurt them. {bad} of {total} checks"
    " are not ok; begin with the first problem above.",
}
_EVERYWHERE: Final = "all regions"
_NAMED: Final = 6
"""Places of one problem that are named."""
_ADVISED: Final = 3
"""Pieces of advice for one problem."""


def as_dict(finding: Finding) -> dict[str, Any]:
    return {
        "check": finding.check.id,
        "region": finding.region,
        "where": finding.where,
        "status": finding.state,
        "detail": finding.detail,
        "impact": finding.impact,
        "advice": finding.advice,
        "seconds": round(finding.seconds, 3),
    }


def as_json(findings: Sequence[Finding]) -> str:
    state = overall(findings)
    return json.dumps(
        {
            "status": state,
            "exit_code": EXIT_CODES[state],
            "checks": [as_dict(finding) for finding in by_urgency(findings)],
        },
        ensure_ascii=False,
        indent=2,
    )


def by_urgency(findings: Iterable[Finding]) -> list[Finding]:
    """What has to be known first stands first: the worse, and of these causes before effects."""
    return sorted(findings, key=_urgency)


def _urgency(finding: Finding) -> tuple[int, int, str]:
    return -finding.state.severity, finding.check.rank, finding.check.id


def show(findings: Sequence[Finding], out: TextIO) -> None:
    """What is as it should be first, by region; what is not last, where the eye is."""
    # A file or a pipe has no width of its own.
    console = Console(file=out, highlight=False, width=None if out.isatty() else 120)
    console.print(_table(findings))
    bad = by_urgency(finding for finding in findings if finding.state is not State.OK)
    _show_problems(console, bad)
    state = overall(findings)
    console.print()
    verdict = _VERDICTS[state].format(total=len(findings), bad=len(bad))
    console.print(Text(verdict, _MARKS[state].style))


def _table(findings: Iterable[Finding]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("Region", "", "Check", "Where", "Found", "ms"):
        table.add_column(
            heading,
            justify="right" if heading == "ms" else "left",
            overflow="fold",
            no_wrap=heading in ("", "Check"),
        )
    order = ["", *settings.ANYPORT_REGIONS]
    sorted_ones = sorted(findings, key=lambda found: (order.index(found.region), found.check.id))
    for region, of_region in groupby(sorted_ones, key=lambda found: found.region):
        name = region or _EVERYWHERE
        for finding in of_region:
            took = f"{finding.seconds * 1000:.0f}" if finding.seconds else ""
            # Text: what a store says is no markup of ours.
            words = (finding.check.id, finding.where, finding.detail, took)
            table.add_row(Text(name, "bold"), _MARKS[finding.state], *map(Text, words))
            name = ""
        table.add_section()
    return table


def _show_problems(console: Console, problems: Sequence[Finding]) -> None:
    """Each check once, and what only follows from another one's problem in one line."""
    following = [found for found in problems if any(_causes(other, found) for other in problems)]
    told = [found for found in problems if found not in following]
    together = {
        found.check.id: [other for other in told if other.check is found.check] for found in told
    }
    for number, (check, places) in enumerate(together.items(), 1):
        console.print()
        console.print(Text(f"{number}. {_MARKS[places[0].state].plain}: {check}", "bold"))
        for place in places[:_NAMED]:
            console.print(Text(f"   {_place(place)}: {place.detail}"), soft_wrap=True)
        if len(places) > _NAMED:
            console.print(f"   and {len(places) - _NAMED} more, in the table")
        # Whole lines, so that a command can be copied.
        _show_each(console, "For shoppers", (place.impact for place in places))
        _show_each(console, "Do next", (place.advice for place in places))
    if following:
        console.print()
        ids = ", ".join(dict.fromkeys(found.check.id for found in following))
        console.print(Text(f"These should end with the above: {ids}."), soft_wrap=True)


def _causes(one: Finding, other: Finding) -> bool:
    elsewhere = one.check.local and one.region and other.region and one.region != other.region
    return one.check.id in other.check.after and not elsewhere


def _show_each(console: Console, label: str, words: Iterable[str]) -> None:
    for word in list(dict.fromkeys(words))[:_ADVISED]:
        console.print(Text(f"   {label:<14}{word}"), soft_wrap=True)
        label = ""


def _place(finding: Finding) -> str:
    return f"{finding.region} ({finding.where})" if finding.region else finding.where
