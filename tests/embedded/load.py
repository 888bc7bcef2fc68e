"""Requests from many threads, and the account of them: who failed, and for how long."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import httpx


@dataclass
class Account:
    """What became of the requests to one address."""

    answers: list[tuple[float, int]] = field(default_factory=list)
    """Moment of the answer, and its status; 0 when there was none."""
    asked: list[float] = field(default_factory=list)
    """Moment of each answer's request."""
    regions: list[str] = field(default_factory=list)
    """Who answered, in that order; empty for an answer of the front door itself."""

    @property
    def failures(self) -> int:
        return sum(_failed(status) for _, status in self.answers)

    def longest_outage(self) -> float:
        """Seconds between the first failure of a row and the next request that did not fail."""
        longest, since = 0.0, None
        for asked, (moment, status) in zip(self.asked, self.answers, strict=True):
            if _failed(status):
                since = moment if since is None else since
                longest = max(longest, moment - since)
            elif since is not None:
                longest, since = max(longest, asked - since), None
        return longest


def _failed(status: int) -> bool:
    return status == 0 or status >= 500


# Answered with 200 and 405, from Django, without any store.
LIVE = (("GET", "/health/live"), ("POST", "/health/live"))


class Load:
    """Requests in turn from one thread an address, at most fifty a second each."""

    def __init__(self, *addresses: str, requests: Sequence[tuple[str, str]] = LIVE) -> None:
        self.accounts = {address: Account() for address in addresses}
        self._requests = requests
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(a,)) for a in addresses]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)

    def served(self, address: str) -> int:
        """How many requests the address has answered without failure so far."""
        return sum(not _failed(status) for _, status in list(self.accounts[address].answers))

    def _ask(self, address: str) -> None:
        account = self.accounts[address]
        with httpx.Client(base_url=address, timeout=15) as client:
            while not self._stop.wait(0.02):
                method, path = self._requests[len(account.answers) % len(self._requests)]
                asked = time.monotonic()
                try:
                    answer = client.request(method, path)
                    status, region = answer.status_code, answer.headers.get("Anyport-Region", "")
                except httpx.HTTPError:
                    status, region = 0, ""
                account.asked.append(asked)
                account.answers.append((time.monotonic(), status))
                account.regions.append(region)
