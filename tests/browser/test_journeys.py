"""From the home page to a confirmed order, with every request answered by another region."""

from collections.abc import Callable
from itertools import pairwise

import psycopg
import pytest
from playwright.sync_api import Page, TimeoutError, expect

from tests.browser import journey
from tests.browser.conftest import Visit
from tests.shopper import ADDRESS, Shopper, new_email
from tests.stack import Stack

pytestmark = pytest.mark.browser
NewVisit = Callable[..., tuple[Page, Visit]]


def orders_of(live: psycopg.Connection, email: str) -> list[tuple[str, str]]:
    """Number and status of each order under this address."""
    return live.execute(
        "SELECT number, status FROM orders_order WHERE email = %s", [email]
    ).fetchall()


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
def test_a_guest_orders_from_three_regions(
    new_visit: NewVisit, stack: Stack, live: psycopg.Connection, scripts: bool
) -> None:
    page, visit = new_visit(java_script_enabled=scripts)
    email = new_email()

    journey.browse_and_search(page)
    journey.fill_cart(page)
    journey.fill_checkout(page, email)
    number = journey.place_order(page)

    assert orders_of(live, email) == [(number, "pending")]
    assert set(visit.regions) == set(stack.regions)
    assert visit.complaints == []


def test_a_customer_orders_and_finds_the_order_in_their_account(
    new_visit: NewVisit, stack: Stack, live: psycopg.Connection
) -> None:
    page, visit = new_visit()
    email, password = new_email(), "Slow-Boat-To-Keelung-7"
    journey.sign_up(page, email, password)
    journey.log_out(page)

    journey.browse_and_search(page)
    journey.fill_cart(page)
    journey.log_in(page, email, password)  # the guest's cart comes along
    page.goto("/cart/")
    journey.fill_checkout(page, email)
    number = journey.place_order(page)
    page.goto("/account/")

    expect(page.get_by_text(number)).to_be_visible()
    assert orders_of(live, email) == [(number, "pending")]
    assert set(visit.regions) == set(stack.regions)
    assert visit.complaints == []


def test_an_admin_sees_the_order(
    new_visit: NewVisit, stack: Stack, live: psycopg.Connection
) -> None:
    page, _ = new_visit()
    email = new_email()
    journey.browse_and_search(page)
    journey.fill_cart(page)
    journey.fill_checkout(page, email)
    number = journey.place_order(page)

    desk, visit = new_visit()
    desk.goto("/admin/")
    desk.locator("[name=username]").fill(stack.admin["email"])
    desk.locator("[name=password]").fill(stack.admin["password"])
    desk.get_by_role("button", name="Log in").click()
    desk.goto(f"/admin/orders/order/?q={number}")

    expect(desk.get_by_role("link", name=number)).to_be_visible()
    assert visit.complaints == []


def test_requests_of_one_shopper_go_round_all_regions(stack: Stack) -> None:
    """No request is answered where the one before it was: nothing sticks."""
    with Shopper(stack.front) as shopper:
        shopper.add("dockside-tote", "DKTOTE-OAT-DAY")
        answer = shopper.check_out(email=new_email())
        shopper.follow(answer)

    assert answer.status_code == 303
    assert len(shopper.regions) >= 6
    assert all(before != after for before, after in pairwise(shopper.regions))


def test_the_same_journey_fails_with_sessions_in_local_memory(
    new_visit: NewVisit, forgetful_front: str
) -> None:
    """The control: with Django's local-memory sessions a region forgets what another knew."""
    with Shopper(forgetful_front) as shopper:
        page = shopper.add("dockside-tote", "DKTOTE-OAT-DAY")

        remembered = ["Dockside Tote" in page.text]
        remembered += ["Dockside Tote" in shopper.get("/cart/").text for _ in range(3)]

    assert not all(remembered)
    browser_page, _ = new_visit(base_url=forgetful_front)
    with pytest.raises((AssertionError, TimeoutError)):
        journey.browse_and_search(browser_page)
        journey.fill_cart(browser_page)
        journey.fill_checkout(browser_page, ADDRESS["email"])
        journey.place_order(browser_page)
