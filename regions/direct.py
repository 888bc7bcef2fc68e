"""Asking another region's own instances, past the front door (ANYPORT_REGION_URLS)."""

import http.client
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings

LARGEST: Final = 1 << 20  # bytes of an answer


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes
    sent: float
    """Seconds since the epoch by this machine's clock, and when the answer was there."""
    received: float


def get(
    address: str, path: str, *, timeout: float, headers: Mapping[str, str] | None = None
) -> Reply:
    """As the public host, which every instance answers to. Raises OSError and HTTPException."""
    url, public = urlsplit(address), urlsplit(settings.ANYPORT_URL)
    kind: Any = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    connection = kind(url.hostname or "", url.port, timeout=timeout)
    sent_with = {"Host": public.netloc, "X-Forwarded-Proto": public.scheme, **(headers or {})}
    try:
        connection.connect()
        sent = time.time()
        connection.request("GET", url.path + path, headers=sent_with)
        response = connection.getresponse()
        received = time.time()
        body = response.read(LARGEST)
        return Reply(response.status, dict(response.headers), body, sent, received)
    finally:
        connection.close()
