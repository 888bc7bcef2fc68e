"""A customer's address book."""

from http import HTTPStatus
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from shop.models import Address, Customer
from tests.factories import make_customer

pytestmark = pytest.mark.django_db(databases=["default", "replica"])
BOOK = "/account/addresses/"
TYPED = {
    "name": "Lin Mei",
    "line1": "12 Harbour Road",
    "line2": "",
    "city": "Keelung",
    "postcode": "202",
    "country": "TW",
}


def make_address(customer: Customer, **fields: Any) -> Address:
    return Address.objects.create(customer=customer, **TYPED | fields)


@pytest.fixture
def customer(client: Client) -> Customer:
    customer = make_customer()
    client.force_login(customer)
    return customer


def test_the_first_address_is_the_default(client: Client, customer: Customer) -> None:
    response = client.post(f"{BOOK}new/", TYPED)

    assert response.headers["Location"] == BOOK
    address = customer.addresses.get()
    assert (address.line1, address.is_default) == ("12 Harbour Road", True)


def test_an_address_can_be_changed(client: Client, customer: Customer) -> None:
    address = make_address(customer, is_default=True)

    client.post(f"{BOOK}{address.pk}/", TYPED | {"city": "Tainan"})

    address.refresh_from_db()
    assert (address.city, address.is_default) == ("Tainan", True)


@pytest.mark.parametrize("by", ["button", "form"])
def test_another_address_can_become_the_default(
    client: Client, customer: Customer, by: str
) -> None:
    first = make_address(customer, is_default=True)
    second = make_address(customer, line1="7 Pier Lane")

    if by == "button":
        client.post(f"{BOOK}{second.pk}/default/")
    else:
        client.post(f"{BOOK}{second.pk}/", TYPED | {"is_default": "on"})

    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.is_default, second.is_default) == (False, True)


def test_deleting_the_default_leaves_another_one(client: Client, customer: Customer) -> None:
    first = make_address(customer, is_default=True)
    second = make_address(customer, line1="7 Pier Lane")
    make_address(customer, line1="8 Pier Lane")

    client.post(f"{BOOK}{first.pk}/delete/")

    assert list(customer.addresses.filter(is_default=True)) == [second]


def test_a_wrong_address_is_not_kept(client: Client, customer: Customer) -> None:
    response = client.post(f"{BOOK}new/", TYPED | {"country": "XX", "name": "\x00"})

    assert response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert "We do not send parcels there." in response.content.decode()
    assert "12 Harbour Road" in response.content.decode()
    assert not customer.addresses.exists()


def test_an_empty_form_is_refused(client: Client, customer: Customer) -> None:
    assert client.post(f"{BOOK}new/").status_code == HTTPStatus.UNPROCESSABLE_ENTITY


@pytest.mark.parametrize("action", ["", "delete/", "default/"])
@pytest.mark.parametrize("whose", ["foreign", "none", "huge"])
def test_no_other_address_can_be_reached(
    client: Client, customer: Customer, action: str, whose: str
) -> None:
    foreign = make_address(make_customer())
    number = {"foreign": foreign.pk, "none": 0, "huge": 10**30}[whose]

    response = client.post(f"{BOOK}{number}/{action}", TYPED | {"city": "Tainan"})

    assert response.status_code == HTTPStatus.NOT_FOUND
    foreign.refresh_from_db()
    assert foreign.city == "Keelung"


@pytest.mark.parametrize("addresses", [1, 3])
def test_the_book_asks_as_often_for_three_addresses(
    client: Client,
    customer: Customer,
    addresses: int,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for number in range(addresses):
        make_address(customer, line1=f"{number} Pier Lane")
    client.get(BOOK)

    with django_assert_num_queries(2):
        client.get(BOOK)
