"""Start a task soon, where nobody may wait for the broker.

The task must be one that its schedule starts anyway: a nudge may be lost.
"""

import logging
import os
from threading import Condition, Thread
from typing import Final

from jobs.celery import app

logger = logging.getLogger(__name__)

EXPIRES: Final = 60
"""Seconds after which a nudge that no worker took is dropped: the schedule has been there."""


class Nudger:
    """A thread that tells the broker, beside the requests.

    Sending takes a millisecond, and six seconds when the broker is gone. Nudges that come
    meanwhile become one.
    """

    def __init__(self) -> None:
        self._reset()
        # In a fork there is no thread, and the lock may be one that nobody will ever let go.
        os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        self._changed = Condition()
        self._wanted: set[str] = set()
        self._thread: Thread | None = None

    def nudge(self, task: str) -> None:
        """Ask for `task` (a dotted name). Returns at once and raises nothing."""
        with self._changed:
            self._wanted.add(task)
            self._changed.notify()
            if self._thread is None or not self._thread.is_alive():
                self._start()

    def _start(self) -> None:
        self._thread = Thread(target=self._run, name="nudger", daemon=True)
        try:
            self._thread.start()
        except RuntimeError as error:  # no threads left, or the interpreter ends
            self._thread = None
            logger.warning("nudges wait: %s", error)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._wanted))
                task = self._wanted.pop()
            try:
                app.send_task(task, expires=EXPIRES, retry=False)
            except Exception as error:  # the broker's clients raise many kinds
                logger.warning("%s not nudged: %r", task, error)


_nudger = Nudger()
nudge = _nudger.nudge
