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

    Sending takes a millisecond, but for ever when the broker is gone, and kombu's own way out is
    to wait for it. Nudges that come meanwhile become one.
    """

    def __init__(self) -> None:
        self._changed = Condition()
        self._wanted: set[str] = set()
        self._thread: Thread | None = None
        self._pid = 0

    def nudge(self, task: str) -> None:
        """Ask for `task` (a dotted name). Returns at once and raises nothing."""
        with self._changed:
            self._wanted.add(task)
            self._changed.notify()
            self._start()

    def _start(self) -> None:
        # A thread that was copied by a fork is not alive in the child.
        if self._thread and self._pid == os.getpid() and self._thread.is_alive():
            return
        thread = Thread(target=self._run, name="nudger", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # no threads left, or the interpreter ends
            logger.warning("nudges wait: %s", error)
            return
        self._thread, self._pid = thread, os.getpid()

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
