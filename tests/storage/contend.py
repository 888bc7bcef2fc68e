"""Contenders that add to one counter: `python -m tests.storage.contend` measures 50 × 200.

`measure` starts five processes of LEASE FILE HOW THREADS TIMES. One that is ready says so, and
begins when it is told to. HOW is `hold`, or `careless`, which asks no lease.
"""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from uuid import uuid4

import django

from regions.embedded.plan import REPOSITORY

PROCESSES: Final = 5
WIDTH: Final = 12  # digits of the counter


def measure(how: str, *, contenders: int, times: int) -> tuple[int, float]:
    """What the counter says after `contenders` have added 1 `times` times; and the seconds."""
    with TemporaryDirectory() as directory:
        counter = Path(directory) / "counter"
        counter.write_text("0".zfill(WIDTH))
        threads = contenders // PROCESSES
        words = [f"test|{uuid4()}", counter, how, threads, times]
        running = [
            subprocess.Popen(
                [sys.executable, "-m", "tests.storage.contend", *map(str, words)],
                cwd=REPOSITORY,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(PROCESSES)
        ]
        for process in running:
            assert process.stdout and process.stdout.readline() == "ready\n"
        began = time.monotonic()
        for process in running:
            assert process.stdin
            process.stdin.close()
        codes = [process.wait(1800) for process in running]
        assert codes == [0] * PROCESSES
        return int(counter.read_text()), time.monotonic() - began


def contend(lease: str, counter: str, how: str, threads: str, times: str) -> None:
    django.setup()
    from storage import leases  # noqa: PLC0415 (after the set-up)

    file = os.open(counter, os.O_RDWR)

    def work(number: int) -> None:
        owner = f"{os.getpid()}/{number}"
        for _ in range(int(times)):
            with leases.hold(lease, owner=owner, wait=1800) if how == "hold" else nullcontext():
                seen = int(os.pread(file, WIDTH, 0))
                os.pwrite(file, str(seen + 1).zfill(WIDTH).encode(), 0)

    leases.read(lease)  # boto3's client is made
    print("ready", flush=True)
    sys.stdin.read()
    with ThreadPoolExecutor(int(threads)) as pool:
        list(pool.map(work, range(int(threads))))


if __name__ == "__main__":
    if sys.argv[1:]:
        contend(*sys.argv[1:])
    else:
        print(measure("hold", contenders=50, times=200))
