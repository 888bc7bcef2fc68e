"""Takes the README's pictures of a running shop: `make pictures`.

Needs Chromium (`apt-get install chromium`) and a shop started with `make run`.
"""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

HERE = Path(__file__).parent


def main(address: str) -> None:
    chromium = shutil.which("chromium") or sys.exit("Chromium is not installed")
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
        page = browser.new_page(base_url=address, viewport={"width": 1280, "height": 860})
        page.goto("/")
        page.wait_for_load_state("networkidle")
        page.screenshot(path=HERE / "home.png")
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "http://localhost:8000")
