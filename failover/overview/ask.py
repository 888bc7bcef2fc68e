"""Asks many at once, and waits for none of them longer than two seconds."""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

LIMIT: Final = 2.0
"""Seconds that any one may take."""


class _Asked:
    """A question in a daemon thread: one that hangs is left behind and ends by its time-outs."""

    def __init__(self, question: Callable[[], Any]) -> None:
        self._question = question
        self._answer: Any = TimeoutError(f"no answer within {LIMIT:.0f} s")
        self._thread = threading.Thread(target=self._ask, daemon=True)
        self._thread.start()

    def _ask(self) -> None:
        try:
            self._answer = self._question()
        except Exception as error:  # whatever a client raises is the answer
            self._answer = error

    def answer(self, deadline: float) -> Any:
        self._thread.join(max(0.0, deadline - time.monotonic()))
        return self._answer


def ask_all[K](questions: Mapping[K, Callable[[], Any]]) -> dict[K, Any]:
    """What each returned, or the exception that it raised; TimeoutError for those too slow."""
    asked = {key: _Asked(question) for key, question in questions.items()}
    deadline = time.monotonic() + LIMIT
    return {key: each.answer(deadline) for key, each in asked.items()}


def problem(error: Exception) -> str:
    """One short line of it."""
    lines = str(error).strip().splitlines()
    return lines[0][:160] if lines else type(error).__name__
