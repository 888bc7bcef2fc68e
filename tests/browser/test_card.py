"""A card, from checkout over the payment page to a paid order, in a real browser."""

import re
from collections.abc import Callable

import psycopg
import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser import journey
from tests.browser.conftest import Visit
from tests.browser.test_journeys import orders_of
from tests.shopper import new_email
from tests.stack import Stack

pytestmark = pytest.mark.browser
NewVisit = Callable[..., tuple[Page, Visit]]


def choose_card(page: Page, email: str) -> None:
    """All but the last press."""
    journey.browse_and_search(page)
    journey.fill_cart(page)
    journey.fill_checkout(page, email)
    page.get_by_role("radio", name=re.compile("^Card")).check()


def test_a_guest_pays_by_card_after_one_that_was_declined(
    new_visit: NewVisit, stack: Stack, live: psycopg.Connection
) -> None:
    page, visit = new_visit()
    email = new_email()

    choose_card(page, email)
    page.get_by_role("button", name="Place order").click()
    page.wait_for_url(f"{stack.plan.stripe}/c/pay/*")
    expect(page.get_by_role("note")).to_contain_text("Local test page")
    page.get_by_role("button", name="one that is declined", exact=True).click()
    expect(page.get_by_role("alert")).to_have_text("Your card was declined.")
    page.get_by_role("link", name="Cancel").click()
    page.wait_for_url(journey.ORDER_URL)
    page.get_by_role("button", name="Pay now").click()
    page.get_by_role("button", name="one whose bank asks you first").click()
    page.get_by_role("button", name="Yes, it is me").click()

    page.wait_for_url(journey.ORDER_URL)
    expect(page.get_by_text("We have your payment")).to_be_visible()
    ((_, status),) = orders_of(live, email)
    assert status == "paid"
    assert visit.complaints == []


def test_a_stricter_policy_would_keep_shoppers_from_the_payment_page(
    new_visit: NewVisit, stack: Stack
) -> None:
    """The control: Chromium applies `form-action` to where the form is redirected."""

    def forbid(route: Route) -> None:
        answer = route.fetch()
        policy = answer.headers["content-security-policy"].replace(f" {stack.plan.stripe}", "")
        route.fulfill(response=answer, headers=answer.headers | {"content-security-policy": policy})

    page, visit = new_visit()
    page.route("**/checkout/", lambda r: forbid(r) if r.request.method == "GET" else r.continue_())

    choose_card(page, new_email())

    with page.expect_event("console", lambda message: "form-action" in message.text):
        page.get_by_role("button", name="Place order").click()

    assert page.url.endswith("/checkout/")
    assert [complaint for complaint in visit.complaints if "form-action" in complaint]
