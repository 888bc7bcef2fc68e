"""The order page changes by itself, whichever regions the shopper and the admin are on."""

import re
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.shopper import Shopper, new_email
from tests.stack import Stack

pytestmark = pytest.mark.browser
NewVisit = Callable[..., tuple[Page, Visit]]

PAID = "We have your payment and are packing the parcel."


def open_order(page: Page, stack: Stack) -> str:
    """Order something as this browser and open the order's page; its number."""
    with Shopper(stack.front) as shopper:
        shopper.add("dockside-tote", "DKTOTE-OAT-DAY")
        answer = shopper.check_out(email=new_email())
        assert answer.status_code == 303
        path = urlsplit(answer.headers["Location"]).path
        for cookie in shopper.client.cookies.jar:
            page.context.add_cookies(
                [{"name": cookie.name, "value": cookie.value or "", "url": stack.front}]
            )
    page.goto(path)
    return path.strip("/").rpartition("/")[2]


def open_live_order(page: Page, stack: Stack) -> str:
    number = open_order(page, stack)
    # Gone when the page is loaded again: then it did not change by itself.
    page.evaluate("window.untouched = true")
    return number


def live_region(page: Page) -> str:
    """The region that holds this tab's socket, once there is one."""
    status = page.locator("#order-status")
    expect(status).to_have_attribute("data-live", re.compile("taiwan|tokyo|singapore"))
    return status.get_attribute("data-live") or ""


def mark_paid(new_visit: NewVisit, stack: Stack, region: str, number: str) -> None:
    """As an admin who works in that region."""
    desk, _ = new_visit(base_url=stack.regions[region]["web"])
    desk.goto("/admin/")
    desk.locator("[name=username]").fill(stack.admin["email"])
    desk.locator("[name=password]").fill(stack.admin["password"])
    desk.get_by_role("button", name="Log in").click()
    desk.goto(f"/admin/orders/order/?q={number}")
    desk.get_by_role("link", name=number).click()
    desk.get_by_role("button", name="Mark as paid").click()
    expect(desk.get_by_role("button", name="Mark as paid")).to_have_count(0)


def test_page_shows_that_an_admin_elsewhere_marked_the_order_paid(
    new_visit: NewVisit, stack: Stack
) -> None:
    page, visit = new_visit()
    number = open_live_order(page, stack)
    here = live_region(page)
    elsewhere = next(region for region in stack.regions if region != here)

    mark_paid(new_visit, stack, elsewhere, number)

    expect(page.get_by_text(PAID)).to_be_visible()
    expect(page.locator("#order-status")).to_have_attribute("aria-live", "polite")
    assert page.evaluate("window.untouched") is True
    assert visit.complaints == []


def test_tab_whose_region_dies_learns_from_another_what_it_missed(
    new_visit: NewVisit, stack: Stack
) -> None:
    page, _ = new_visit()
    number = open_live_order(page, stack)
    here = live_region(page)
    elsewhere = next(region for region in stack.regions if region != here)

    pid = stack.kill("ws", here)
    mark_paid(new_visit, stack, elsewhere, number)

    expect(page.get_by_text(PAID)).to_be_visible(timeout=90_000)
    assert page.evaluate("window.untouched") is True
    stack.wait_restarted("ws", here, pid)


def test_page_asks_now_and_then_where_sockets_cannot_pass(
    new_visit: NewVisit, stack: Stack
) -> None:
    page, _ = new_visit()
    page.route_web_socket(re.compile("/ws/"), lambda socket: socket.close(code=1006))
    number = open_live_order(page, stack)

    mark_paid(new_visit, stack, "tokyo", number)

    expect(page.get_by_text(PAID)).to_be_visible(timeout=90_000)
    assert page.evaluate("window.untouched") is True


def test_page_without_scripts_shows_the_truth_when_it_is_loaded_again(
    new_visit: NewVisit, stack: Stack
) -> None:
    page, visit = new_visit(java_script_enabled=False)
    number = open_order(page, stack)

    mark_paid(new_visit, stack, "singapore", number)
    page.reload()

    expect(page.get_by_text(PAID)).to_be_visible()
    assert visit.complaints == []
