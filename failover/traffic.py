"""Taking a region out and letting it in again: who else could serve, and was it heard?"""

import getpass
import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from django.conf import settings
from django.db import DatabaseError, connection

from regions.whereabouts import region_of_database
from storage import drain

LIMIT: Final = 2.0
"""Seconds for the answers of all regions."""
HEARD_WITHIN: Final = 10.0
"""Seconds until a region's ready has changed; it looks at the flag once a second."""
PAGE: Final = "/"


@dataclass(frozen=True)
class Answer:
    """How one region answered, past the front door."""

    ready: bool = False
    serves: bool = False
    """It answered a page, too."""
    detail: str = "no answer"

    @property
    def is_able(self) -> bool:
        return self.ready and self.serves


class NoOtherRegion(Exception):
    """Nobody else could serve: each other region, and what is wrong with it."""

    def __init__(self, problems: dict[str, str]) -> None:
        super().__init__("; ".join(f"{region}: {why}" for region, why in problems.items()))
        self.problems = problems


def ask_all(regions: Iterable[str]) -> dict[str, Answer]:
    """All at once, within `LIMIT`. A region without an address has not answered."""
    answers = dict.fromkeys(regions, Answer())

    def ask(region: str) -> None:
        answers[region] = ask_region(region)

    threads = [threading.Thread(target=ask, args=[region], daemon=True) for region in answers]
    for thread in threads:
        thread.start()
    until = time.monotonic() + LIMIT
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    return dict(answers)  # a thread that is late changes nothing any more


def ask_region(region: str) -> Answer:
    try:
        status, body = _get(region, "/health/ready")
        if status != 200:
            return Answer(detail=f"not ready: {_reason(status, body)}")
        status, _ = _get(region, PAGE)
    except (OSError, http.client.HTTPException) as error:
        return Answer(detail=f"no answer: {error or type(error).__name__}")
    if status >= 400:
        return Answer(ready=True, detail=f"ready, but a page of the shop is HTTP {status}")
    return Answer(ready=True, serves=True, detail="ready, and serves pages")


def _get(region: str, path: str) -> tuple[int, bytes]:
    public = urlsplit(settings.ANYPORT_URL)
    url = urlsplit(settings.ANYPORT_REGION_URLS.get(region, ""))
    if not url.hostname:
        raise OSError("ANYPORT_REGION_URLS does not name it")
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    asked = kind(url.hostname, url.port, timeout=LIMIT)
    try:
        # It answers to its public name, as if the front door had asked.
        headers = {"Host": public.netloc, "X-Forwarded-Proto": public.scheme}
        asked.request("GET", path, headers=headers)
        response = asked.getresponse()
        return response.status, response.read()
    finally:
        asked.close()


def _reason(status: int, body: bytes) -> str:
    try:
        return str(json.loads(body)["reason"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP {status}"


def take_out(region: str, *, why: str, force: bool) -> bool:
    """Set the flag, unless nobody else could serve; False when it was set.

    Raises NoOtherRegion, and what storage.drain.drain does.
    """
    allow = (lambda drained: None) if force else someone_else_serves(region)
    return drain.drain(
        region, by=f"{getpass.getuser()}@{socket.gethostname()}", why=why, allow=allow
    )


def someone_else_serves(region: str) -> Callable[[set[str]], None]:
    """Asks the others now. What it returns raises NoOtherRegion, given the regions drained."""
    answers = ask_all(other for other in settings.ANYPORT_REGIONS if other != region)

    def allow(drained: set[str]) -> None:
        # One whose flag was set a moment ago still answers that it is ready.
        if not any(answer.is_able for other, answer in answers.items() if other not in drained):
            raise NoOtherRegion(
                {
                    other: "drained" if other in drained else answer.detail
                    for other, answer in answers.items()
                }
            )

    return allow


def wait_heard(region: str, *, ready: bool) -> tuple[bool, str, float]:
    """Until its ready answers so; whether it did, what it answered last, and seconds."""
    began = time.monotonic()
    while True:
        answer = ask_all([region])[region]
        heard = answer.ready if ready else answer.detail.startswith("not ready")
        seconds = time.monotonic() - began
        if heard or seconds > HEARD_WITHIN:
            return heard, answer.detail, seconds
        time.sleep(0.1)


def writers_region() -> str:
    """Where the server is that takes writes; empty when nobody does or nobody can say."""
    try:
        connection.ensure_connection()
    except DatabaseError:
        return ""
    info = connection.connection.info
    return region_of_database(info.host, info.port)
