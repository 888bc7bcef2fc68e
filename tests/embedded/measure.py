"""What the embedded stack costs: seconds until ready, idle processor time and memory.

`.venv/bin/python -m tests.embedded.measure` boots a three-region stack of its own in a temporary
directory, leaves it alone for a while, prints the figures for docs/benchmarks.md, and stops it.
"""

import tempfile
import time
from pathlib import Path

import psutil

from tests.stack import Booted

IDLE = 30
"""Seconds of doing nothing that are measured, after as many to settle."""


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        began = time.monotonic()
        booted = Booted(Path(directory) / "stack", watched=True)
        try:
            booted.wait_ready()
            ready = time.monotonic() - began
            time.sleep(IDLE)
            family = _family(booted.process.pid)
            before = _seconds(family)
            time.sleep(IDLE)
            busy = _seconds(family) - before
            memory = [process.memory_full_info() for process in family if process.is_running()]
        finally:
            booted.stop()
    print(f"ready after           {ready:.1f} s (first start, with seeding)")
    print(f"idle, of one core     {100 * busy / IDLE:.1f} %")
    print(f"processes             {len(family)}")
    print(f"memory, proportional  {sum(each.pss for each in memory) / 2**30:.2f} GiB")
    print(f"memory, resident      {sum(each.rss for each in memory) / 2**30:.2f} GiB")


def _family(pid: int) -> list[psutil.Process]:
    """`up` and everything below it; PostgreSQL's and Caddy's children too."""
    parent = psutil.Process(pid)
    return [parent, *parent.children(recursive=True)]


def _seconds(family: list[psutil.Process]) -> float:
    """Processor time that the living ones have used, of both kinds."""
    times = [process.cpu_times() for process in family if process.is_running()]
    return sum(each.user + each.system for each in times)


if __name__ == "__main__":
    main()
