"""The image's health check, against web processes with production's settings."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.stack import wait_until

ROOT = Path(__file__).resolve().parents[2]
BOOT = 60.0  # seconds; 3 on an idle machine


def production(port: int) -> dict[str, str]:
    lines = (ROOT / "tests" / "production.env").read_text().splitlines()
    values = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    return {"PATH": os.environ["PATH"], "PORT": str(port)} | values


def probe(port: int, **changes: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "regions.probe"],
        cwd=ROOT,
        env=production(port) | changes,
        capture_output=True,
        text=True,
        timeout=BOOT,
        check=False,
    )


@pytest.fixture
def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


@pytest.fixture(params=["wsgi", "asgi"])
def serving(request: pytest.FixtureRequest, free_port: int) -> Iterator[int]:
    """The port of a process as the image starts it; nothing in front of it, and no store."""
    interface = request.param
    command = [sys.executable, "-m", "granian", "--interface", interface, "--port", str(free_port)]
    process = subprocess.Popen(
        [*command, f"settings.{interface}:application"],
        cwd=ROOT,
        env=production(free_port),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(free_port)
        yield free_port
    finally:
        process.terminate()
        process.wait(BOOT)


def _wait_for(port: int) -> None:
    """Until it has answered once: the first request loads every page, longer than a probe waits."""
    host = urlsplit(production(port)["ANYPORT_URL"]).netloc

    def answers() -> bool:
        with suppress(httpx.HTTPError):
            url = f"http://127.0.0.1:{port}/health/live"
            return httpx.get(url, headers={"Host": host}, timeout=BOOT).is_success
        return False

    wait_until(answers, 2 * BOOT, f"it answers on {port}")


def test_a_process_with_productions_settings_is_healthy(serving: int) -> None:
    result = probe(serving)

    assert (result.returncode, result.stderr) == (0, "")


def test_any_other_host_is_refused_so_the_probe_must_name_the_public_one(serving: int) -> None:
    result = probe(serving, ANYPORT_URL="https://127.0.0.1:8000")

    assert result.returncode == 1
    assert result.stderr.startswith("answers ")


def test_without_a_process_the_container_is_unhealthy(free_port: int) -> None:
    result = probe(free_port)

    assert result.returncode == 1
    assert result.stderr.startswith("no answer: ")
