"""Results in a terminal, and as a table for docs/benchmarks.md."""

from collections.abc import Iterable, Sequence
from typing import TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from failover.drills.operations import Kind
from failover.drills.results import Result, State, Summary, summarise

_MARKS = {
    State.PASSED: Text("✓ passed", "green"),
    State.MISSED: Text("✗ missed", "bold red"),
    State.BROKEN: Text("✗ not known", "bold red"),
    State.NOT_RUN: Text("– not run", "yellow"),
}
_COUNTED = (("lost", "lost"), ("duplicates", "twice"), ("oversold", "oversold"))


def show_result(result: Result, console: Console) -> None:
    """One drill that has ended: a line, and what was wrong."""
    line = Text.assemble(_MARKS[result.state], "  ", (result.scenario, "bold"))
    if result.ran:
        away = ", ".join(f"{kind} {result.seconds(kind):.2f} s" for kind in Kind)
        account = result.account
        line.append(f"  unavailable: {away}; {account.acknowledged} orders acknowledged")
    else:
        line.append(f"  {result.told}")
    console.print(line, soft_wrap=True)
    for miss in result.misses:
        console.print(Text(f"    {miss}", "red"), soft_wrap=True)
    for problem in result.account.problems[:10]:
        console.print(Text(f"      {problem}"), soft_wrap=True)
    if more := len(result.account.problems[10:]):
        console.print(Text(f"      … and {more} more, in the report"))


def show_summary(results: Iterable[Result], out: TextIO) -> None:
    console = Console(file=out, highlight=False, width=None if out.isatty() else 140)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading, justify in _headings():
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]  # one of rich's words
    for summary in summarise(results):
        table.add_row(*_cells(summary))
    console.print()
    console.print(Text("Seconds unavailable at the front door: p50 / p95 / longest (target)"))
    console.print(table)


def _headings() -> Sequence[tuple[str, str]]:
    counted = [(title, "right") for _, title in _COUNTED]
    kinds = [(kind.value, "right") for kind in Kind]
    return [
        ("scenario", "left"),
        ("passed", "right"),
        *kinds,
        ("orders", "right"),
        *counted,
        ("sessions lost", "right"),
    ]


def _cells(summary: Summary) -> list[str]:
    passed = f"{summary.count(State.PASSED)} of {len(summary.results)}"
    others = [
        f"{count} {state.value}"
        for state in (State.BROKEN, State.NOT_RUN)
        if (count := summary.count(state))
    ]
    return [
        summary.scenario,
        ", ".join([passed, *others]),
        *(_spread(summary, kind) for kind in Kind),
        f"{summary.total('acknowledged'):,}",
        *(str(summary.total(name)) for name, _ in _COUNTED),
        f"{summary.total('sessions_lost')} of {summary.total('sessions')}",
    ]


def _spread(summary: Summary, kind: Kind) -> str:
    spread = summary.spread(kind)
    if spread is None:
        return "–"
    target = summary.targets.get(kind)
    values = " / ".join(f"{value:.2f}" for value in spread)
    return values if target is None else f"{values} ({target:g})"


def as_markdown(results: Iterable[Result]) -> str:
    """Every scenario and every repeat counts; none is left out."""
    headings = _headings()
    lines = [
        "| " + " | ".join(heading for heading, _ in headings) + " |",
        "| " + " | ".join("---:" if side == "right" else "---" for _, side in headings) + " |",
    ]
    lines += ["| " + " | ".join(_cells(summary)) + " |" for summary in summarise(results)]
    return "\n".join(lines) + "\n"
