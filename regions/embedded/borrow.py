"""A command on the stack that runs, or on one of its own: `python -m regions.embedded.borrow …`.

Words after it go to `manage.py`. Where no stack serves the state directory (`ANYPORT_STATE`, or
`.anyport`), one is started on free ports with data of its own, and stopped afterwards.
"""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from regions.embedded import claim
from regions.embedded.plan import REPOSITORY
from regions.embedded.processes import dies_with_parent, wait_until

_READY = 300.0  # seconds; an idle machine takes 20
_STOP = 60.0


@contextmanager
def stack() -> Iterator[Path]:
    """The state directory of a stack that runs. Raises SystemExit where none can be started."""
    given = Path(os.environ.get("ANYPORT_STATE") or REPOSITORY / ".anyport")
    if claim.holder(given) and (given / "stack.json").exists():
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="anyport-") as directory:
        # PostgreSQL runs as a user of its own when we are root: it must be able to pass.
        Path(directory).chmod(0o755)
        yield from _own(Path(directory) / "stack")


def _own(state: Path) -> Iterator[Path]:
    log = state.with_name("up.log")
    print("no stack runs: starting one of its own …", file=sys.stderr, flush=True)
    with log.open("wb") as output:
        up = subprocess.Popen(
            [
                *dies_with_parent(signal.SIGTERM),
                *(sys.executable, str(REPOSITORY / "manage.py")),
                *("up", "--state", str(state), "--port", "0"),
            ],
            cwd=REPOSITORY,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for the command; then the stack is stopped
        )
    try:
        ready = (state / "stack.json").exists
        wait_until(lambda: ready() or up.poll() is not None, _READY)
        if not ready():
            sys.exit(f"the stack did not start:\n{log.read_text(errors='replace')[-3000:]}")
        yield state
    finally:
        up.terminate()
        up.wait(_STOP)


def main(words: list[str]) -> int:
    with stack() as state:
        command = subprocess.Popen(
            [sys.executable, str(REPOSITORY / "manage.py"), *words],
            env={**os.environ, "ANYPORT_STATE": str(state)},
        )
        while True:
            try:
                return command.wait()
            except KeyboardInterrupt:  # the command got it too, and ends in its own way
                continue


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
