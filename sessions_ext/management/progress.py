"""How far a long command is: a bar on a terminal, now and then a line in a log."""

import sys
import time
from types import TracebackType
from typing import Final, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

EVERY: Final = 2.0  # seconds between two lines


class Bar:
    """Writes to standard error, so that `--json` stays readable."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._console = Console(file=sys.stderr, quiet=quiet)
        self._quiet = quiet
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=self._console,
        )
        self._tasks: dict[str, int] = {}
        self._last = 0.0

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        if self._console.is_terminal:
            self._progress.stop()

    def __call__(self, what: str, done: int, total: int | None) -> None:
        if self._console.is_terminal:
            if what not in self._tasks:
                self._tasks[what] = self._progress.add_task(what, total=total)
            self._progress.update(self._tasks[what], completed=done)  # type: ignore[arg-type]  # rich takes int and float
        elif not self._quiet and (done == total or time.monotonic() - self._last >= EVERY):
            self._last = time.monotonic()
            of = f" of {total}" if total is not None else ""
            print(f"{what}: {done}{of} sessions", file=sys.stderr, flush=True)
