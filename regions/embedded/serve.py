"""granian, whose processes live and die together: `python -m regions.embedded.serve <arguments>`.

granian's main process holds the port and forks a worker that serves. The supervisor knows the
main process; were that killed with SIGKILL, the worker would go on alone, unwatched, beside its
successor. So each fork asks Linux to be killed with its parent. When a worker dies, granian ends
by itself, and the supervisor starts both anew.
"""

import ctypes
import os
import signal
import sys

from granian.cli import entrypoint

_PR_SET_PDEATHSIG = 1


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    if sys.platform == "linux":
        os.register_at_fork(after_in_child=_die_with_parent)
    entrypoint()  # type: ignore[no-untyped-call]  # untyped there
