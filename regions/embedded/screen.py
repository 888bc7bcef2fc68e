"""What a person sees of a stack: a line for everything that becomes ready, then where to go."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.markup import escape
from rich.status import Status

from regions.embedded.plan import Plan


class Screen:
    """Lines, coloured and with a progress indicator where the output is a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._console = Console(file=stream, highlight=False, soft_wrap=True)
        self._start = time.monotonic()
        self._status: Status | None = None
        self._pending: list[str] = []

    @contextmanager
    def progress(self, waiting_for: list[str]) -> Iterator[None]:
        """Show what is still waited for, until the block ends."""
        self._pending = list(waiting_for)
        if not self._console.is_terminal:
            yield
            return
        with self._console.status(self._waiting()) as self._status:
            yield
        self._status = None

    def _waiting(self) -> str:
        shown = ", ".join(self._pending[:4]) + (" …" if len(self._pending) > 4 else "")
        return f"starting: {escape(shown)}" if self._pending else "almost there"

    def heading(self, plan: Plan) -> None:
        regions = ", ".join(plan.regions)
        self._print(
            f"[bold]Anyport[/] starts in {regions}; state and logs: {escape(str(plan.state))}"
        )

    def ready(self, what: str, where: str = "") -> None:
        """A part is ready; `what` as it was announced to `progress`."""
        seconds = time.monotonic() - self._start
        if what in self._pending:
            self._pending.remove(what)
        self._print(f"[green]✓[/] {escape(what):<20} {escape(where):<24} [dim]{seconds:5.1f} s[/]")
        if self._status:
            self._status.update(self._waiting())

    def note(self, text: str) -> None:
        self._print(f"  {escape(text)}")

    def warn(self, text: str) -> None:
        clock = time.strftime("%H:%M:%S")
        self._print(f"[yellow]![/] {clock} {escape(text)}")

    def running(self, plan: Plan) -> None:
        """The last screenful: where to go, and how to stop."""
        seconds = time.monotonic() - self._start
        self._print(
            f"""
[bold green]Anyport is ready[/] after {seconds:.1f} s.

  Shop    [bold]{plan.front}/[/]
  Admin   [bold]{plan.front}/admin/[/]
          {escape(plan.secrets.admin_email)} / {escape(plan.secrets.admin_password)}
  Cards   [bold]{plan.stripe}/[/]
          a Stripe of this machine, and what was charged there
  Logs    {escape(str(plan.logs))}
  Stop    Ctrl-C here, or `manage.py down` anywhere
"""
        )

    def stopping(self) -> None:
        self._print("\nStopping everything. Ctrl-C again kills at once, without saving.")

    def stopped(self) -> None:
        self._print("Stopped. Nothing is left running; data are kept.")

    def _print(self, text: str) -> None:
        self._console.print(text)


def tail(log: Path, lines: int = 12) -> str:
    """The last lines of a log, indented; empty when there is none."""
    try:
        with log.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - 8192))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(f"    {line}" for line in text.splitlines()[-lines:])
