"""A customer's sessions in the admin: who sees them, who ends them, and what is written down."""

import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from sessions_ext.keys import digest_of
from shop.models import Customer
from tests.factories import make_customer
from tests.sessions_ext.outage import dynamodb_gone, forget_clients, redis_gone
from tests.staff import boss, clerk, client_of

pytestmark = pytest.mark.django_db
PASSWORD = "harbour-light"
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture
def customer() -> Customer:
    """With a number that no earlier run has used: DynamoDB still has its sessions."""
    return make_customer(pk=secrets.randbelow(1 << 60))


@pytest.fixture
def staff() -> Client:
    return client_of(boss())


def signed_in(person: Customer, agent: str = FIREFOX) -> Client:
    browser = Client(headers={"User-Agent": agent})
    browser.post("/accounts/login/", {"login": person.email, "password": PASSWORD})
    return browser


def is_guest(browser: Client) -> bool:
    return "Location" in browser.get("/account/").headers


def digest(browser: Client) -> str:
    return digest_of(browser.cookies["SESSION"].value)


def page_of(customer: Customer) -> str:
    return reverse("admin:shop_customer_change", args=[customer.pk])


def sign_out_of(customer: Customer, browser: Client | None = None) -> str:
    if browser is None:
        return reverse("admin:shop_customer_sign_out_all", args=[customer.pk])
    return reverse("admin:shop_customer_sign_out", args=[customer.pk, digest(browser)])


def text(response: Any) -> str:
    return str(response.content.decode())


def test_a_customers_page_shows_where_they_are_signed_in(staff: Client, customer: Customer) -> None:
    browser = signed_in(customer)
    signed_in(make_customer(), "curl/8.5.0")

    html = text(staff.get(page_of(customer)))

    assert "Firefox on Windows" in html
    assert "Taiwan" in html
    assert "In the last few minutes" in html
    assert sign_out_of(customer, browser) in html
    assert "curl" not in html
    assert browser.cookies["SESSION"].value not in html


def test_a_customer_who_is_nowhere_signed_in(staff: Client, customer: Customer) -> None:
    assert "Nowhere at the moment." in text(staff.get(page_of(customer)))


def test_a_new_customer_has_no_sessions_to_show(staff: Client) -> None:
    assert "Signed in on" not in text(staff.get(reverse("admin:shop_customer_add")))


@pytest.mark.parametrize("every", [False, True])
def test_signing_out_asks_first_and_is_logged(
    staff: Client, customer: Customer, *, every: bool
) -> None:
    one, another = signed_in(customer), signed_in(customer, "curl/8.5.0")
    address = sign_out_of(customer, None if every else one)

    asked = staff.get(address)

    assert f"Sign {customer.email} out?" in text(asked)
    assert ("curl" in text(asked)) == every
    assert not is_guest(one)
    assert LogEntry.objects.count() == 0

    done = staff.post(address)

    assert done.headers["Location"] == page_of(customer)
    assert (is_guest(one), is_guest(another)) == (True, every)
    told = "Signed out 2 devices." if every else "Signed out 1 device."
    assert told in text(staff.get(page_of(customer)))
    logged = {entry.change_message for entry in LogEntry.objects.filter(object_id=customer.pk)}
    assert logged == {
        "Signed out Firefox on Windows (Taiwan).",
        *(["Signed out curl (Taiwan)."] if every else []),
    }


def test_signing_out_twice_says_that_there_was_nothing(staff: Client, customer: Customer) -> None:
    address = sign_out_of(customer, signed_in(customer))
    staff.post(address)

    again = staff.post(address, follow=True)

    assert "There was nothing to sign out any more." in text(again)
    assert LogEntry.objects.count() == 1


def test_the_session_of_another_customer_is_not_ended_here(
    staff: Client, customer: Customer
) -> None:
    other = signed_in(make_customer())

    staff.post(sign_out_of(customer, other))

    assert not is_guest(other)


def test_staff_are_not_signed_out_by_themselves() -> None:
    person = make_customer(pk=secrets.randbelow(1 << 60), is_staff=True, is_superuser=True)
    here, elsewhere = signed_in(person), signed_in(person)

    html = text(here.get(page_of(person)))
    here.post(sign_out_of(person, here))
    here.post(sign_out_of(person))

    assert "This device" in html
    assert (is_guest(here), is_guest(elsewhere)) == (False, True)


def test_whoever_may_only_look_ends_nothing(customer: Customer) -> None:
    browser = signed_in(customer)
    viewer = client_of(clerk("view_customer"))

    html = text(viewer.get(page_of(customer)))

    assert "Firefox on Windows" in html
    assert "sign-out" not in html
    assert viewer.get(sign_out_of(customer, browser)).status_code == 403
    assert viewer.post(sign_out_of(customer)).status_code == 403
    assert not is_guest(browser)


def test_a_colleague_is_signed_out_by_superusers_only() -> None:
    colleague = make_customer(pk=secrets.randbelow(1 << 60), is_staff=True)
    browser = signed_in(colleague)
    editor = client_of(clerk("view_customer", "change_customer"))

    assert editor.post(sign_out_of(colleague)).status_code == 403
    assert not is_guest(browser)
    assert client_of(boss()).post(sign_out_of(colleague)).status_code == 302
    assert is_guest(browser)


@pytest.mark.parametrize("person", [None, "shopper"])
def test_shoppers_and_guests_reach_nothing(customer: Customer, person: str | None) -> None:
    browser = signed_in(customer)
    stranger = client_of(make_customer()) if person else Client()

    response = stranger.post(sign_out_of(customer))

    assert response.headers["Location"].startswith("/admin/login/")
    assert not is_guest(browser)


def test_a_customer_who_is_not_there_is_said_so(staff: Client) -> None:
    response = staff.get(reverse("admin:shop_customer_sign_out_all", args=[1 << 61]), follow=True)

    assert "doesn’t exist" in text(response)


def test_a_sign_out_wants_its_forms_token(customer: Customer) -> None:
    browser, staff = signed_in(customer), client_of(boss())
    staff.handler.enforce_csrf_checks = True

    assert staff.post(sign_out_of(customer)).status_code == 403
    assert not is_guest(browser)


@pytest.fixture
def no_copy() -> Iterator[None]:
    yield
    forget_clients()


@pytest.mark.usefixtures("no_copy")
def test_without_the_copy_the_page_and_signing_out_work(staff: Client, customer: Customer) -> None:
    browser = signed_in(customer)
    forget_clients()

    with dynamodb_gone():
        assert "Firefox on Windows" in text(staff.get(page_of(customer)))
        staff.post(sign_out_of(customer))
        assert is_guest(browser)


@pytest.mark.usefixtures("no_copy")
def test_without_any_store_staff_are_told_to_come_back(staff: Client, customer: Customer) -> None:
    """Their own session cannot be asked either."""
    staff.raise_request_exception = False

    with redis_gone(), dynamodb_gone():
        forget_clients()
        response = staff.post(sign_out_of(customer))

    assert response.status_code == 503
    assert LogEntry.objects.count() == 0
