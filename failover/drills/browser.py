"""A cheap browser: cookies, a kept connection, bounded waits. What it costs is taken from the shop.

urllib3 rather than a larger client: boto3 brings it, and it is well kept.
"""

import json
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

import urllib3
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

CONNECT_LIMIT: Final = 1.0  # seconds


@dataclass(frozen=True)
class Answer:
    status: int = 0
    """0 where there was none."""
    body: bytes = b""
    region: str = ""
    sent: bool = True
    """Whether the request may have arrived."""
    problem: str = ""

    def json(self) -> dict[str, Any]:
        """An empty dictionary where the body is no JSON object."""
        try:
            found = json.loads(self.body)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def problem_type(self) -> str:
        """`out-of-stock`, of a problem of the shop's API."""
        return str(self.json().get("type", "")).rpartition(":")[2]

    @property
    def told_nothing(self) -> bool:
        """Nobody knows what became of it: no answer, or one of a door or server in trouble."""
        return self.status == 0 or self.status >= HTTPStatus.INTERNAL_SERVER_ERROR


@dataclass
class Browser:
    """Of one shopper, who keeps one connection. Not for several threads."""

    base: str
    cookies: dict[str, str] = field(default_factory=dict)
    pool: urllib3.HTTPConnectionPool = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.pool = urllib3.connection_from_url(self.base, maxsize=1, retries=False)

    def ask(
        self,
        method: str,
        path: str,
        limit: float,
        *,
        content: Any = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Within about `limit` seconds, whatever happens."""
        sent = dict(headers or {})
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        body = None
        if content is not None:
            body = json.dumps(content).encode()
            sent["Content-Type"] = "application/json"
        try:
            found = self.pool.urlopen(
                method,
                path,
                body=body,
                headers=sent,
                timeout=urllib3.Timeout(connect=min(CONNECT_LIMIT, limit), total=limit),
                redirect=False,
            )
        except HTTPError as error:
            unsent = isinstance(error, NewConnectionError | ConnectTimeoutError)
            return Answer(sent=not unsent, problem=type(error).__name__)
        self._keep_cookies(found.headers.getlist("Set-Cookie"))
        region = found.headers.get("Anyport-Region", "")
        return Answer(found.status, found.data, region)

    def _keep_cookies(self, lines: list[str]) -> None:
        for line in lines:
            name, _, value = line.partition(";")[0].partition("=")
            gone = "max-age=0" in line.lower()
            self.cookies.pop(name.strip(), None)
            if not gone:
                self.cookies[name.strip()] = value.strip()

    def forget(self) -> None:
        """Another shopper takes the browser over."""
        self.cookies.clear()

    def close(self) -> None:
        self.pool.close()
