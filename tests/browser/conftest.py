"""Chromium, driven by Playwright through the front door."""

import os
import shutil
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from tests.stack import Stack

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

    def _response(self, response: object) -> None:
        headers = response.headers  # type: ignore[attr-defined]
        if region := headers.get("anyport-region"):
            self.regions.append(region)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(f"{message.text} ({message.location.get('url')})")


@pytest.fixture
def new_visit(browser: Browser, stack: Stack) -> Iterator[Callable[..., tuple[Page, Visit]]]:
    """A fresh browser profile at the front door. Options are those of a Playwright context."""
    contexts: list[BrowserContext] = []

    def open_profile(**options: object) -> tuple[Page, Visit]:
        context = browser.new_context(
            base_url=stack.front,
            viewport={"width": 1280, "height": 900},
            **options,  # type: ignore[arg-type]
        )
        context.set_default_timeout(15_000)
        contexts.append(context)
        return context.new_page(), Visit(context)

    yield open_profile
    for context in contexts:
        context.close()
