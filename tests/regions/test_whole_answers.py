"""An answer leaves in one write: who is killed has answered, or has said nothing."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from regions.embedded.plan import REPOSITORY
from tests.stack import Stack, wait_until

TIMES = 20


def reads_whole(port: int) -> list[bool]:
    """Of many answers, whether their first read has the body, too."""
    request = f"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n"
    found = []
    for _ in range(TIMES):
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            connection.sendall(request.encode())
            head, _, body = connection.recv(1 << 16).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        found.append(body.startswith(b"{") and body.endswith(b"}"))
    return found


@contextmanager
def serving(application: str) -> Iterator[int]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    options = ["--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port)]
    server = subprocess.Popen(
        [sys.executable, "-m", "regions.embedded.serve", *options, application],
        cwd=REPOSITORY,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "settings.local"},
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: _answers(port), 60, "it answers")
        yield port
    finally:
        server.kill()
        server.wait()


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/health/live").is_success
    except httpx.HTTPError:
        return False


def test_head_and_body_leave_together(stack: Stack) -> None:
    port = urlsplit(stack.regions["tokyo"]["web"]).port
    assert port is not None

    assert all(reads_whole(port))


def haltingly(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
    """The shop as Django answers, whose body is a moment late: a WSGI application."""
    django = import_module("settings.wsgi").iterated  # not in the process of the tests
    response = django(environ, start_response)
    time.sleep(0.2)
    yield from response


def test_control_what_granian_has_to_iterate_leaves_in_parts() -> None:
    with serving(f"{__name__}:haltingly") as port:
        assert not any(reads_whole(port))


@pytest.mark.parametrize("path", ["/", "/health/live", "/products/no-such/"])
def test_a_head_is_answered_without_a_body(stack: Stack, path: str) -> None:
    whole = httpx.get(f"{stack.regions['tokyo']['web']}{path}", timeout=60)
    head = httpx.head(f"{stack.regions['tokyo']['web']}{path}")

    assert (head.status_code, head.content) == (whole.status_code, b"")
    assert whole.content
    assert head.headers["Content-Length"] == whole.headers["Content-Length"]
