"""What a shopper does, step by step, in words that a shopper sees."""

import re
from typing import Final

from playwright.sync_api import Page, expect

from tests.shopper import ADDRESS

PRODUCT: Final = "Dockside Tote"
ORDER_URL: Final = re.compile(r"/orders/(AP-[0-9A-Z-]{14})/$")


def browse_and_search(page: Page) -> None:
    """Home, a category, a search, the product's page."""
    page.goto("/")
    page.get_by_role("navigation", name="Categories").get_by_role("link", name="Carry").click()
    expect(page.get_by_role("heading", level=1, name="Carry")).to_be_visible()
    search = page.get_by_role("searchbox", name="Search the shop")
    search.fill("dockside toet")  # typed in a hurry
    search.press("Enter")
    page.get_by_role("link", name=PRODUCT).first.click()
    expect(page.get_by_role("heading", level=1, name=PRODUCT)).to_be_visible()


def fill_cart(page: Page) -> None:
    """Add the product that is shown, and go to the cart."""
    page.get_by_role("button", name="Add to cart").click()
    expect(page.get_by_role("link", name=re.compile("^Cart.*1"))).to_be_visible()
    page.get_by_role("link", name=re.compile("^Cart")).click()
    expect(page.get_by_role("heading", level=1, name="Cart")).to_be_visible()
    expect(page.get_by_role("main").get_by_role("link", name=PRODUCT).first).to_be_visible()


def fill_checkout(page: Page, email: str) -> None:
    """From the cart to a checkout form that only waits for its button."""
    page.get_by_role("link", name="Check out").click()
    expect(page.get_by_role("heading", level=1, name="Checkout")).to_be_visible()
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Full name").fill(ADDRESS["name"])
    page.get_by_label("Address", exact=True).fill(ADDRESS["line1"])
    page.get_by_label("Town or city").fill(ADDRESS["city"])
    page.get_by_label("Postcode").fill(ADDRESS["postcode"])
    page.get_by_label("Country").select_option(ADDRESS["country"])
    page.get_by_label("Invoice").check()


def place_order(page: Page) -> str:
    """Press the button; the number of the order on the page that follows."""
    page.get_by_role("button", name="Place order").click()
    page.wait_for_url(ORDER_URL)
    found = ORDER_URL.search(page.url)
    assert found is not None
    expect(page.get_by_role("heading", level=1)).to_contain_text("Thank you")
    return found[1]


def sign_up(page: Page, email: str, password: str) -> None:
    page.goto("/accounts/signup/")
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("main").get_by_role("button").click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()


def log_out(page: Page) -> None:
    page.goto("/accounts/logout/")
    page.get_by_role("main").get_by_role("button").click()


def log_in(page: Page, email: str, password: str) -> None:
    page.goto("/accounts/login/")
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("main").get_by_role("button", name="Log in").click()
    page.wait_for_url(re.compile("/account/$"))
