"""Signing out through one region, and what the others then take the browser for."""

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from http import HTTPStatus

import httpx
import pytest

from sessions_ext.keys import digest_of
from tests.shopper import Shopper, forms_of, new_email
from tests.stack import Stack, wait_until

PAGE = "/account/sessions/"
PASSWORD = "nine-lanterns-glow"


@pytest.fixture
def bases(stack: Stack) -> list[str]:
    return [region["web"] for region in stack.regions.values()]


@pytest.fixture
def shoppers(bases: list[str]) -> Iterator[list[Shopper]]:
    """Three browsers, through the first region."""
    with ExitStack() as opened:
        yield [opened.enter_context(Shopper(bases[0])) for _ in range(3)]


def enter(shopper: Shopper, path: str, **fields: str) -> None:
    page = shopper.get(path)
    form = next(form for form in forms_of(page.text) if fields.keys() <= form.fields.keys())
    assert shopper.submit(page, form, **fields).status_code == HTTPStatus.FOUND


def sign_in_all(shoppers: list[Shopper]) -> None:
    email = new_email()
    first, *others = shoppers
    enter(first, "/accounts/signup/", email=email, password1=PASSWORD)
    for other in others:
        enter(other, "/accounts/login/", login=email, password=PASSWORD)


def is_guest(base: str, cookies: httpx.Cookies) -> bool:
    """In that region. Nothing is kept of the answer: each region gets the very same cookies."""
    response = httpx.get(f"{base}{PAGE}", cookies=cookies, timeout=20)
    assert response.status_code in (HTTPStatus.OK, HTTPStatus.FOUND)
    return response.status_code == HTTPStatus.FOUND


def sign_out(shopper: Shopper, other: Shopper, *, through: str) -> None:
    """By the button on the page, in a region of one's choice."""
    action = f"{PAGE}{digest_of(other.client.cookies['SESSION'])}/sign-out/"
    with Shopper(through) as elsewhere:
        elsewhere.client.cookies = own_cookies(shopper)
        page = elsewhere.get(PAGE)
        form = next(form for form in forms_of(page.text) if form.action == action)
        assert elsewhere.submit(page, form).headers["Location"] == PAGE


def own_cookies(shopper: Shopper) -> httpx.Cookies:
    return httpx.Cookies(shopper.client.cookies)


def test_a_device_that_is_signed_out_is_a_guest_in_every_region(
    bases: list[str], shoppers: list[Shopper]
) -> None:
    sign_in_all(shoppers)
    desk, phone, _ = shoppers
    kept = [own_cookies(shopper) for shopper in shoppers]
    assert [is_guest(base, cookies) for base in bases for cookies in kept] == [False] * 9

    sign_out(desk, phone, through=bases[-1])

    for base in bases:
        # At once, but for what its replica has not heard yet.
        wait_until(partial(is_guest, base, kept[1]), 60, f"the phone is out at {base}")
        assert not is_guest(base, kept[0])
        assert not is_guest(base, kept[2])
