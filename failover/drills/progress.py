"""A drill as it runs, for people who watch."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from failover.drills.load import Load
from failover.drills.operations import Kind, Outcome


class Progress:
    """Shown in place on a terminal; elsewhere a line for each phase."""

    def __init__(self, out: TextIO) -> None:
        self.console = Console(file=out, highlight=False)
        self._live: Live | None = None
        self._title = ""
        self._began = 0.0
        self._phase = ""
        self._drawn = 0.0

    @contextmanager
    def of(self, title: str) -> Iterator[None]:
        self._title, self._began, self._phase = title, time.monotonic(), ""
        if not self.console.is_terminal:
            yield
            return
        # We draw when there is something to see: a thread of its own would be load, too.
        with Live(console=self.console, auto_refresh=False, transient=True) as self._live:
            yield
        self._live = None

    def tell(self, phase: str, load: Load | None) -> None:
        now = time.monotonic()
        if self._live is None:
            if phase != self._phase:
                self.console.print(Text(f"  {now - self._began:5.1f} s  {phase}"), soft_wrap=True)
        elif phase != self._phase or now - self._drawn > 0.25:
            self._drawn = now
            self._live.update(self._picture(phase, load, now - self._began), refresh=True)
        self._phase = phase

    def _picture(self, phase: str, load: Load | None, seconds: float) -> Group:
        head = Text.assemble((self._title, "bold"), f"  {seconds:.0f} s  {phase}")
        table = Table(box=None, pad_edge=False, header_style="dim")
        table.add_column("")
        for outcome in Outcome:
            table.add_column(outcome.value, justify="right")
        counts = load.log.counts() if load else {}
        for kind in Kind:
            numbers = [counts.get((kind, outcome), 0) for outcome in Outcome]
            table.add_row(kind.value, *map(str, numbers))
        return Group(head, table)
