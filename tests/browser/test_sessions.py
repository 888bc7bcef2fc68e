"""Where a customer is signed in, in Chromium: with scripts and without."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser import journey
from tests.browser.conftest import Visit
from tests.shopper import new_email
from tests.stack import wait_until

pytestmark = pytest.mark.browser
NewVisit = Callable[..., tuple[Page, Visit]]

PAGE = "/account/sessions/"
PASSWORD = "Slow-Boat-To-Keelung-7"
PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15"
    " (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1"
)


def is_signed_out(page: Page) -> bool:
    page.goto(PAGE)
    return "/accounts/login/" in page.url


@pytest.mark.parametrize("scripts", [True, False])
def test_a_customer_signs_another_device_out(new_visit: NewVisit, *, scripts: bool) -> None:
    email = new_email()
    phone, _ = new_visit(user_agent=PHONE, viewport={"width": 390, "height": 844})
    desk, visit = new_visit(java_script_enabled=scripts)
    journey.sign_up(phone, email, PASSWORD)
    journey.log_in(desk, email, PASSWORD)
    desk.get_by_role("link", name="Devices").click()
    expect(desk.get_by_role("heading", level=2)).to_have_count(2)
    expect(desk.get_by_text("This device", exact=True)).to_be_visible()

    desk.get_by_role("button", name="Sign out Safari on iOS").click()

    expect(desk.get_by_text("Signed out: Safari on iOS.")).to_be_visible()
    expect(desk.get_by_role("heading", level=2)).to_have_count(1)
    expect(desk.get_by_role("button", name="Sign out everywhere else")).to_have_count(0)
    assert desk.url.endswith(PAGE)
    wait_until(lambda: is_signed_out(phone), 60, "the phone is asked to log in")
    assert not is_signed_out(desk)
    assert visit.complaints == []


def test_a_page_left_open_on_a_device_that_was_signed_out_leads_to_the_log_in(
    new_visit: NewVisit,
) -> None:
    email = new_email()
    phone, _ = new_visit(user_agent=PHONE)
    desk, _ = new_visit()
    journey.sign_up(phone, email, PASSWORD)
    journey.log_in(desk, email, PASSWORD)
    phone.goto(PAGE)
    desk.goto(PAGE)
    desk.get_by_role("button", name="Sign out everywhere else").click()
    expect(desk.get_by_text("Signed out 1 device.")).to_be_visible()
    wait_until(lambda: answers_as_guest(phone), 60, "the shop takes the phone for a guest")

    phone.get_by_role("button", name="Sign out everywhere else").click()

    phone.wait_for_url(f"**/accounts/login/?next={PAGE}")


def answers_as_guest(page: Page) -> bool:
    """Asked beside the page, which stays as it is."""
    return "/accounts/login/" in page.request.get(PAGE).url
