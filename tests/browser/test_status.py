"""The admin's page of the regions in a browser: it can be read by all, and keeps itself fresh."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route

from tests.browser.conftest import Visit
from tests.browser.test_quality import serious
from tests.stack import Stack

pytestmark = pytest.mark.browser
NewVisit = Callable[..., tuple[Page, Visit]]

URL = "/admin/failover/status/"


def log_in(page: Page, stack: Stack) -> None:
    admin = stack.description["admin"]
    page.goto(f"/admin/login/?next={URL}")
    page.locator("[name=username]").fill(admin["email"])
    page.locator("[name=password]").fill(admin["password"])
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"**{URL}")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_can_be_read_by_all_and_fits(
    new_visit: NewVisit, stack: Stack, scheme: str
) -> None:
    page, visit = new_visit(color_scheme=scheme)
    log_in(page, stack)
    found = {}
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        chart = page.get_by_role("img", name="Taiwan: ")
        chart.wait_for()
        found[width] = serious(page)
        assert not page.evaluate("document.documentElement.scrollWidth > window.innerWidth")

    assert found == {1280: [], 390: []}
    assert visit.complaints == []


def test_the_page_refreshes_itself_and_says_when_it_could_not(
    new_visit: NewVisit, stack: Stack
) -> None:
    page, _ = new_visit()
    log_in(page, stack)
    time = page.get_by_text("as of")
    before = time.inner_text()

    page.wait_for_function("before => !document.body.innerText.includes(before)", arg=before)
    page.get_by_role("cell", name="–").first.wait_for(state="detached")  # requests a second
    page.get_by_text("not refreshed since then").wait_for(state="hidden")

    def refuse(route: Route) -> None:
        route.abort()

    page.route("**/admin/failover/status/?since=*", refuse)
    page.get_by_text("not refreshed since then").wait_for()
