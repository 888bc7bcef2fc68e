"""Work that starts as soon as what it needs is done, everything at once."""

import threading
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait

from regions.embedded.processes import Interrupted


class Schedule:
    """A few dozen named pieces of work, a thread each; they wait for processes, not for the CPU."""

    def __init__(self) -> None:
        self._work: dict[str, tuple[Callable[[], object], tuple[str, ...]]] = {}
        self.failed = threading.Event()

    def add(self, name: str, work: Callable[[], object], *needs: str) -> None:
        """`needs` are names added before."""
        self._work[name] = (work, needs)

    def run(self) -> None:
        """Do everything. Raises the first error; `failed` then tells the rest to give up."""
        futures: dict[str, Future[object]] = {}

        def perform(work: Callable[[], object], needs: tuple[str, ...]) -> object:
            for need in needs:
                if futures[need].exception() is not None:
                    raise Interrupted
            if self.failed.is_set():
                raise Interrupted
            return work()

        with ThreadPoolExecutor(max_workers=len(self._work)) as pool:
            for name, (work, needs) in self._work.items():
                futures[name] = pool.submit(perform, work, needs)
            done, _ = wait(futures.values(), return_when=FIRST_EXCEPTION)
            if any(future.exception() for future in done):
                self.failed.set()
        errors = [error for future in futures.values() if (error := future.exception())]
        if errors:
            raise next((e for e in errors if not isinstance(e, Interrupted)), errors[0])
