"""Where a customer is signed in: the account page, signing out, and what it does elsewhere."""

import re
import secrets
import time
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import pytest
from django.contrib.auth import SESSION_KEY
from django.core import mail
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from sessions_ext.conf import ACTIVITY
from sessions_ext.directory import sessions_of
from sessions_ext.keys import digest_of
from shop.devices import device_name
from shop.models import CartLine, Customer
from tests.factories import make_customer, make_product
from tests.sessions_ext.outage import dynamodb_gone, forget_clients, redis_gone
from tests.staff import boss, client_of

pytestmark = pytest.mark.django_db
PASSWORD = "harbour-light"
PAGE = "/account/sessions/"
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15"
    " (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1"
)
HTMX = {"HX-Request": "true", "HX-Target": "sign-ins"}


def signed_in(customer: Customer, agent: str = FIREFOX) -> Client:
    """A browser of its own."""
    browser = Client(headers={"User-Agent": agent}, raise_request_exception=False)
    fields = {"login": customer.email, "password": PASSWORD}
    assert browser.post("/accounts/login/", fields).status_code == HTTPStatus.FOUND
    return browser


def digest(browser: Client) -> str:
    return digest_of(browser.cookies["SESSION"].value)


def sign_out(browser: Client, which: str, **headers: str) -> Any:
    return browser.post(f"{PAGE}{which}/sign-out/", headers=headers)


def devices(browser: Client) -> list[str]:
    """As the page names them, in its order."""
    page = browser.get(PAGE).content.decode()
    return re.findall(r'<h2 class="sign-ins__device">(.*?)(?: <span.*)?</h2>', page)


def is_guest(browser: Client) -> bool:
    return "Location" in browser.get(PAGE).headers


@pytest.fixture
def customer() -> Customer:
    """With a number that no earlier run has used: DynamoDB still has its sessions."""
    return make_customer(pk=secrets.randbelow(1 << 60))


# --- The list ------------------------------------------------------------------------------------


def test_the_page_names_device_region_and_times(customer: Customer) -> None:
    browser = signed_in(customer)

    response = browser.get(PAGE)

    html = response.content.decode()
    assert "Firefox on Windows" in html
    assert "This device" in html
    assert "through Taiwan" in html
    assert "Active in the last few minutes" in html
    assert len(re.findall(r'<time datetime="\d{4}-\d\d-\d\dT[\d:]+\+00:00"', html)) == 2
    assert "Sign out everywhere else" not in html
    assert browser.cookies["SESSION"].value not in html
    assert response.headers["Cache-Control"] == "private, no-store"


def test_the_account_leads_to_the_page(customer: Customer) -> None:
    assert f'href="{PAGE}"' in signed_in(customer).get("/account/").content.decode()


def last_used(browser: Client, *, seconds_ago: int) -> None:
    session = browser.session
    session[ACTIVITY] = session[ACTIVITY] | {"at": int(time.time()) - seconds_ago}
    session.save()


def test_the_newest_activity_comes_first(customer: Customer) -> None:
    desk, phone = signed_in(customer, FIREFOX), signed_in(customer, IPHONE)
    other = signed_in(customer, "curl/8.5.0")
    signed_in(make_customer(), FIREFOX)

    for browser, seconds in ((phone, 7200), (other, 3600), (desk, 9000)):
        last_used(browser, seconds_ago=seconds)
    assert devices(desk) == ["Firefox on Windows", "curl", "Safari on iOS"]

    last_used(phone, seconds_ago=0)
    assert devices(desk) == ["Firefox on Windows", "Safari on iOS", "curl"]


def test_the_page_says_how_long_ago(customer: Customer) -> None:
    phone, desk = signed_in(customer, IPHONE), signed_in(customer)
    last_used(phone, seconds_ago=2 * 3600 + 600)

    html = desk.get(PAGE).content.decode()

    assert "Active 2\u00a0hours ago" in html
    assert html.count("Active in the last few minutes") == 1


@pytest.mark.parametrize("browsers", [1, 3])
def test_the_page_asks_the_database_as_often_for_three_devices(
    customer: Customer, browsers: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(browsers - 1):
        signed_in(customer, IPHONE)
    desk = signed_in(customer)
    desk.get("/")

    with django_assert_num_queries(1):  # the customer
        assert len(devices(desk)) == browsers


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        (FIREFOX, "Firefox on Windows"),
        (IPHONE, "Safari on iOS"),
        (
            "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko)"
            " Chrome/140.0.0.0 Mobile Safari/537.36",
            "Chrome on Android",
        ),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36"
            " (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0",
            "Edge on macOS",
        ),
        ("curl/8.5.0", "curl"),
        ("<script>alert(1)</script>", "Unknown device"),
        ("\x00" * 300, "Unknown device"),
        ("", "Unknown device"),
    ],
)
def test_a_device_is_named_in_words(agent: str, name: str) -> None:
    assert device_name(agent) == name


# --- Signing out ---------------------------------------------------------------------------------


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_a_device_that_is_signed_out_is_a_guest_at_once(
    customer: Customer, headers: dict[str, str]
) -> None:
    phone, desk, third = (signed_in(customer, agent) for agent in (IPHONE, FIREFOX, FIREFOX))
    phone.post("/cart/items/", {"sku": make_product().variants.get().sku, "quantity": "2"})

    response = sign_out(desk, digest(phone), **headers)

    assert SESSION_KEY not in phone.session
    assert is_guest(phone)
    assert not is_guest(third)
    assert CartLine.objects.get().cart.customer == customer
    if headers:
        html = response.content.decode()
        assert html.count('class="sign-ins__item"') == 2
        assert "<html" not in html
    else:
        assert response.headers["Location"] == PAGE
        html = desk.get(PAGE).content.decode()
    assert "Signed out: Safari on iOS." in html


def test_a_device_that_nobody_signs_out_stays(customer: Customer) -> None:
    """The control."""
    phone, _ = signed_in(customer, IPHONE), signed_in(customer)

    assert not is_guest(phone)


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_all_others_are_signed_out_together(customer: Customer, headers: dict[str, str]) -> None:
    others = [signed_in(customer, IPHONE) for _ in range(3)]
    stranger = signed_in(make_customer())
    desk = signed_in(customer)

    answer = desk.post(f"{PAGE}sign-out/", headers=headers)

    assert [is_guest(other) for other in others] == [True] * 3
    assert not is_guest(stranger)
    text = (answer if headers else desk.get(PAGE)).content.decode()
    assert "Signed out 3 devices." in text
    assert devices(desk) == ["Firefox on Windows"]


def test_signing_out_here_is_a_log_out(customer: Customer) -> None:
    desk = signed_in(customer)

    response = sign_out(desk, digest(desk))

    assert response.headers["Location"] == "/"
    assert desk.cookies["SESSION"].value == ""
    assert "You are logged out." in desk.get("/").content.decode()


@pytest.mark.parametrize("whose", ["foreign", "guest", "ended", "none", "garbage"])
def test_no_other_session_can_be_reached(customer: Customer, whose: str) -> None:
    desk = signed_in(customer)
    foreign, guest = signed_in(make_customer()), Client()
    guest.post("/currency/", {"currency": "JPY"})
    ended = signed_in(customer)
    gone = digest(ended)
    ended.post("/accounts/logout/")
    named = {
        "foreign": digest(foreign),
        "guest": digest(guest),
        "ended": gone,
        "none": "0" * 64,
        "garbage": "x",
    }

    assert sign_out(desk, named[whose]).status_code == HTTPStatus.NOT_FOUND
    assert not is_guest(foreign)
    assert guest.session["currency"] == "JPY"


def test_only_a_post_with_its_token_signs_out(customer: Customer) -> None:
    phone, desk = signed_in(customer, IPHONE), signed_in(customer)

    read = desk.get(f"{PAGE}{digest(phone)}/sign-out/")
    desk.handler.enforce_csrf_checks = True
    forged = sign_out(desk, digest(phone))
    forged_all = desk.post(f"{PAGE}sign-out/")

    assert read.status_code == HTTPStatus.METHOD_NOT_ALLOWED
    assert forged.status_code == forged_all.status_code == HTTPStatus.FORBIDDEN
    assert not is_guest(phone)


def test_a_guest_is_led_to_the_log_in_even_within_a_page(customer: Customer) -> None:
    phone, desk = signed_in(customer, IPHONE), signed_in(customer)
    sign_out(desk, digest(phone))

    plain = sign_out(phone, digest(desk))
    within = sign_out(phone, digest(desk), **HTMX)

    assert plain.headers["Location"].startswith("/accounts/login/?next=")
    assert within.headers["HX-Redirect"] == f"/accounts/login/?next={PAGE}"
    assert not is_guest(desk)


# --- Another password ----------------------------------------------------------------------------

NEW = "nine-lanterns-glow"


def test_another_password_ends_all_other_sessions(customer: Customer) -> None:
    phone, desk = signed_in(customer, IPHONE), signed_in(customer)
    fields = {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW}

    answer = desk.post("/accounts/password/change/", fields)

    assert answer.status_code == HTTPStatus.FOUND
    assert devices(desk) == ["Firefox on Windows"]
    assert is_guest(phone)


def test_a_refused_password_ends_no_session(customer: Customer) -> None:
    """The control."""
    phone, desk = signed_in(customer, IPHONE), signed_in(customer)
    fields = {"oldpassword": "wrong", "password1": NEW, "password2": NEW}

    desk.post("/accounts/password/change/", fields)

    assert len(devices(desk)) == 2
    assert not is_guest(phone)


def test_a_password_by_mail_ends_all_sessions(customer: Customer) -> None:
    phone, guest = signed_in(customer, IPHONE), Client()
    guest.post("/accounts/password/reset/", {"email": customer.email})
    link = re.search(r"http://testserver(\S+/key/\S+)", str(mail.outbox[-1].body))
    assert link is not None
    form = guest.get(link[1], follow=True)
    guest.post(form.redirect_chain[-1][0], {"password1": NEW, "password2": NEW})

    assert sessions_of(customer.pk) == []
    assert is_guest(phone)


def test_a_password_that_staff_set_ends_all_sessions(customer: Customer) -> None:
    phone, staff = signed_in(customer, IPHONE), client_of(boss())
    path = reverse("admin:auth_user_password_change", args=[customer.pk])

    staff.post(path, {"password1": NEW, "password2": "another"})
    assert len(sessions_of(customer.pk)) == 1
    staff.post(path, {"password1": NEW, "password2": NEW})

    assert sessions_of(customer.pk) == []
    assert is_guest(phone)
    assert staff.get("/admin/").status_code == HTTPStatus.OK


# --- When stores are lost ------------------------------------------------------------------------


@pytest.fixture
def fresh_clients() -> Iterator[None]:
    yield
    forget_clients()


@pytest.mark.usefixtures("fresh_clients")
def test_without_redis_the_list_and_signing_out_work(customer: Customer) -> None:
    phone, desk = signed_in(customer, IPHONE), signed_in(customer)

    with redis_gone():
        forget_clients()
        sign_out(desk, digest(phone))
        assert devices(desk) == ["Firefox on Windows"]
        assert is_guest(phone)
    forget_clients()

    assert is_guest(phone)
    assert not is_guest(desk)


@pytest.mark.usefixtures("fresh_clients")
@pytest.mark.parametrize("path", ["", "sign-out/", f"{'0' * 64}/sign-out/"])
def test_without_any_store_nobody_is_told_an_untruth(customer: Customer, path: str) -> None:
    desk = signed_in(customer)

    with redis_gone(), dynamodb_gone():
        forget_clients()
        response = desk.post(f"{PAGE}{path}") if path else desk.get(PAGE)

    assert response.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert response.headers["Retry-After"] == "5"
    assert "A part of the shop is out of reach" in response.content.decode()
