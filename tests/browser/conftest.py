"""Chromium, driven by Playwright through the front door."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Response,
    expect,
    sync_playwright,
)

from regions.embedded import front
from regions.embedded.plan import REPOSITORY
from tests.stack import READY_TIMEOUT, Stack, wait_until

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = [
    "--no-sandbox",  # tests run as root in containers
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail("Chromium is missing; CI must install it (`apt-get install chromium`)")
        pytest.skip("no Chromium here: `apt-get install chromium` to run browser tests")
    expect.set_options(timeout=60_000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


class Visit:
    """A browser's visit: which regions answered its pages, and what went wrong on the way."""

    def __init__(self, context: BrowserContext) -> None:
        self.regions: list[str] = []
        self.complaints: list[str] = []
        context.on("response", self._response)
        context.on("console", self._console)
        context.on("weberror", lambda error: self.complaints.append(str(error.error)))

    def _response(self, response: Response) -> None:
        if region := response.headers.get("anyport-region"):
            self.regions.append(region)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(f"{message.text} ({message.location.get('url')})")


@pytest.fixture
def new_visit(browser: Browser, stack: Stack) -> Iterator[Callable[..., tuple[Page, Visit]]]:
    """A fresh browser profile at the front door. Options are those of a Playwright context."""
    contexts: list[BrowserContext] = []

    def open_profile(**options: object) -> tuple[Page, Visit]:
        defaults = {"base_url": stack.front, "viewport": {"width": 1280, "height": 900}}
        context = browser.new_context(**(defaults | options))  # type: ignore[arg-type]  # Playwright's own names
        context.set_default_timeout(60_000)
        contexts.append(context)
        return context.new_page(), Visit(context)

    yield open_profile
    for context in contexts:
        context.close()


@pytest.fixture
def forgetful_front(stack: Stack, tmp_path: Path) -> Iterator[str]:
    """Another front door to the same stores, whose web processes keep sessions to themselves."""
    plan = stack.plan
    names = ["front", *(f"web-{region}" for region in plan.regions)]
    ports = plan.ports | dict(zip(names, _free_ports(len(names)), strict=True))
    other = replace(plan, ports=ports)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "Caddyfile").write_text(front.caddyfile(other))
    with ExitStack() as running:
        for region in plan.regions:
            environment = plan.process_environment(region) | {
                "DJANGO_SETTINGS_MODULE": "tests.browser.forgetful",
                "ALLOWED_HOSTS": "localhost",
            }
            granian = [sys.executable, "-m", "granian", "--interface", "wsgi", "--port"]
            _start(
                running,
                [*granian, str(ports[f"web-{region}"]), "settings.wsgi:application"],
                environment,
                REPOSITORY,
            )
        _start(running, front.command(), None, tmp_path)
        addresses = [f"http://127.0.0.1:{ports[f'web-{region}']}" for region in plan.regions]
        wait_until(
            lambda: all(stack.answers(f"{address}/health/ready") for address in addresses),
            READY_TIMEOUT,
            "every forgetful web process answers",
        )
        wait_until(
            lambda: _regions_behind(other.front) == set(plan.regions),
            120,
            "the forgetful front door leads to every region",
        )
        yield other.front


def _regions_behind(front_door: str) -> set[str]:
    try:
        answers = [httpx.get(f"{front_door}/health/live") for _ in range(6)]
    except httpx.HTTPError:
        return set()
    return {answer.headers.get("Anyport-Region", "") for answer in answers}


def _start(
    running: ExitStack, command: list[str], environment: dict[str, str] | None, where: Path
) -> None:
    process = subprocess.Popen(
        command, cwd=where, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT
    )
    running.callback(process.wait, 60)
    running.callback(process.terminate)


def _free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
