"""What every page owes its readers: access, weight, stillness, and no complaint in the console."""

from collections.abc import Callable
from typing import Any, Final

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.browser import journey
from tests.browser.conftest import Visit
from tests.shopper import new_email

pytestmark = pytest.mark.browser
NewVisit = Callable[..., tuple[Page, Visit]]

PAGES: Final = (
    "/",
    "/categories/carry/",
    "/products/dockside-tote/",
    "/search/?q=tepaot",
    "/search/?q=nothing-is-called-this",
    "/cart/",
    "/orders/",
    "/accounts/login/",
    "/accounts/signup/",
    "/accounts/password/reset/",
    "/no-such-page/",
    "/api/docs",
)
WEIGHT: Final = 60_000
"""Bytes over the wire for one page, without pictures."""

OBSERVE_SHIFTS: Final = """
window.shifts = 0;
new PerformanceObserver(list => {
  for (const entry of list.getEntries()) window.shifts += entry.value;
}).observe({type: "layout-shift", buffered: true});
"""
SETTLED: Final = """
Promise.allSettled(document.getAnimations()
  .filter(animation => animation instanceof CSSTransition)
  .map(animation => animation.finished))
"""
"""A colour on its way to another has a contrast of its own."""


def serious(page: Page) -> list[str]:
    """axe's serious and critical findings, with where they are."""
    page.evaluate(SETTLED)
    found: list[dict[str, Any]] = Axe().run(page).response["violations"]
    return [
        f"{violation['id']}: {node['target']}"
        for violation in found
        if violation["impact"] in {"serious", "critical"}
        for node in violation["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_on_any_page(new_visit: NewVisit, scheme: str) -> None:
    page, _ = new_visit(color_scheme=scheme)
    findings: dict[str, list[str]] = {}
    for path in PAGES:
        page.goto(path)
        findings[path] = serious(page)
    journey.browse_and_search(page)
    journey.fill_cart(page)
    findings["cart with lines"] = serious(page)
    journey.fill_checkout(page, new_email())
    findings["checkout"] = serious(page)
    page.get_by_label("E-mail").fill("not an address")
    page.locator("form[method=post]").filter(has=page.get_by_label("E-mail")).evaluate(
        "form => form.noValidate = true"
    )
    page.get_by_role("button", name="Place order").click()
    findings["checkout with errors"] = serious(page)
    page.get_by_label("E-mail").fill(new_email())
    journey.place_order(page)
    findings["order"] = serious(page)
    journey.sign_up(page, new_email(), "Slow-Boat-To-Keelung-7")
    for path in (
        "/account/",
        "/account/addresses/",
        "/account/addresses/new/",
        "/account/sessions/",
    ):
        page.goto(path)
        findings[path] = serious(page)

    assert {path: found for path, found in findings.items() if found} == {}


def test_axe_would_find_something(new_visit: NewVisit) -> None:
    """The control: a page with a defect put into it."""
    page, _ = new_visit()
    page.goto("/")

    page.evaluate("document.querySelector('input[type=search]').labels[0].remove()")
    page.evaluate("document.querySelector('input[type=search]').removeAttribute('placeholder')")

    assert any(finding.startswith("label") for finding in serious(page))


@pytest.mark.parametrize("path", ["/", "/categories/carry/", "/products/dockside-tote/", "/cart/"])
def test_a_page_weighs_less_than_60_kilobytes_without_pictures(
    new_visit: NewVisit, path: str
) -> None:
    page, _ = new_visit()
    page.goto(path)
    page.wait_for_load_state("networkidle")

    weights: dict[str, int] = page.evaluate(
        "Object.fromEntries([...performance.getEntriesByType('navigation'),"
        " ...performance.getEntriesByType('resource')]"
        ".filter(entry => !entry.name.includes('/assets/'))"
        ".map(entry => [entry.name, entry.transferSize]))"
    )

    assert sum(weights.values()) < WEIGHT, weights
    assert all(weights.values()), weights  # nothing came from a cache


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_moves_while_a_page_loads(new_visit: NewVisit, width: int) -> None:
    page, visit = new_visit(viewport={"width": width, "height": 900})
    page.add_init_script(OBSERVE_SHIFTS)
    shifts = {}
    for path in ("/", "/categories/carry/", "/products/dockside-tote/", "/cart/"):
        page.goto(path)
        page.wait_for_load_state("networkidle")
        shifts[path] = page.evaluate("window.shifts")

    assert {path: shift for path, shift in shifts.items() if shift > 0.01} == {}
    assert visit.complaints == []


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_no_page_scrolls_sideways(new_visit: NewVisit, width: int) -> None:
    page, _ = new_visit(viewport={"width": width, "height": 900})
    wide = []
    for path in PAGES:
        page.goto(path)
        if page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
            wide.append(path)

    assert wide == []


def test_the_cart_is_reached_by_keyboard_alone(new_visit: NewVisit) -> None:
    page, _ = new_visit()
    page.goto("/products/dockside-tote/")

    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent.trim()") == "Skip to content"
    page.keyboard.press("Enter")
    button = page.get_by_role("button", name="Add to cart")
    for _ in range(40):
        if button.evaluate("element => element === document.activeElement"):
            break
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    page.get_by_text("is in your cart").wait_for()
