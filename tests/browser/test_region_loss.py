"""A region dies in the middle of the journey; the journey ends with exactly one order."""

from collections.abc import Callable

import psycopg
import pytest
from playwright.sync_api import Page

from tests.browser import journey
from tests.browser.conftest import Visit
from tests.shopper import new_email
from tests.stack import APPLICATION, Stack

pytestmark = pytest.mark.browser


def test_killing_a_region_before_the_last_click_leaves_exactly_one_order(
    new_visit: Callable[..., tuple[Page, Visit]], stack: Stack, live: psycopg.Connection
) -> None:
    page, visit = new_visit()
    email = new_email()
    journey.browse_and_search(page)
    journey.fill_cart(page)
    journey.fill_checkout(page, email)
    served_the_form = visit.regions[-1]

    killed = stack.kill_region(served_the_form)
    number = journey.place_order(page)

    orders = live.execute("SELECT number FROM orders_order WHERE email = %s", [email]).fetchall()
    assert orders == [(number,)]
    for name in APPLICATION:
        stack.wait_restarted(name, served_the_form, killed[name], timeout=60)
