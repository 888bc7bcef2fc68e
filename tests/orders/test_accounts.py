"""Accounts: orders, log in and out, sign up, passwords, and what a guest brings along."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

import pytest
from django.contrib.auth import SESSION_KEY
from django.core import mail
from django.db import connection
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from orders.models import Order
from orders.queries import SESSION_PLACED
from sessions_ext.engine import SessionStore
from shop.models import Cart, CartLine, Customer, Product, Variant
from shop.models.cart import MAX_QUANTITY
from shop.services.cart import SESSION_CART, SESSION_COUNT
from tests.factories import make_cart, make_customer, make_order, make_product

pytestmark = pytest.mark.django_db(databases=["default", "replica"])
PASSWORD = "harbour-light"


def text_of(response: Any) -> str:
    return str(response.content.decode())


def log_in(client: Client, customer: Customer, **fields: str) -> Any:
    return client.post(
        "/accounts/login/", {"login": customer.email, "password": PASSWORD, **fields}
    )


def add(client: Client, variant: Variant, quantity: int) -> None:
    client.post("/cart/items/", {"sku": variant.sku, "quantity": str(quantity)})


def units(customer: Customer) -> dict[str, int]:
    lines = CartLine.objects.filter(cart__customer=customer)
    return dict(lines.values_list("variant__sku", "quantity"))


@pytest.mark.parametrize("path", ["/account/", "/account/addresses/", "/accounts/password/change/"])
def test_the_account_asks_to_log_in(client: Client, path: str) -> None:
    response = client.get(path)

    assert response.headers["Location"] == f"/accounts/login/?next={path}"


def test_the_account_shows_own_orders_only(client: Client) -> None:
    customer = make_customer()
    mine, theirs = make_order(customer=customer), make_order(customer=make_customer())
    client.force_login(customer)

    response = client.get("/account/")

    assert mine.number in text_of(response)
    assert theirs.number not in text_of(response)
    assert response.headers["Cache-Control"] == "private, no-store"


@pytest.mark.parametrize("page", ["2", "0", "-1", "x", "9" * 40, "%00"])
def test_the_account_has_pages(client: Client, page: str) -> None:
    customer = make_customer()
    for _ in range(11):
        make_order(customer=customer)
    client.force_login(customer)

    response = client.get(f"/account/?page={page}")

    assert response.status_code == HTTPStatus.OK
    assert "of 2" in text_of(response)


@pytest.mark.parametrize("orders", [1, 3])
def test_the_account_asks_as_often_for_three_orders(
    client: Client, orders: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    customer = make_customer()
    for _ in range(orders):
        make_order(customer=customer)
    client.force_login(customer)
    client.get("/account/")

    with django_assert_num_queries(4):
        client.get("/account/")


# --- Log in and out --------------------------------------------------------------------------


def test_log_in_leads_to_the_account(client: Client) -> None:
    response = log_in(client, make_customer())

    assert response.headers["Location"] == "/account/"


def test_log_in_from_checkout_leads_back(client: Client) -> None:
    response = log_in(client, make_customer(), next="/checkout/")

    assert response.headers["Location"] == "/checkout/"


def test_log_in_leads_to_no_other_site(client: Client) -> None:
    response = log_in(client, make_customer(), next="https://evil.example/")

    assert response.headers["Location"] == "/account/"


@pytest.mark.parametrize(
    ("login", "password"), [("", ""), ("nobody", "x"), ("a@b.example", "\x00")]
)
def test_a_wrong_log_in_says_so(client: Client, login: str, password: str) -> None:
    response = client.post("/accounts/login/", {"login": login, "password": password})

    assert response.status_code == HTTPStatus.OK
    assert 'role="alert"' in text_of(response)


def test_log_out_forgets_the_browser(client: Client) -> None:
    customer = make_customer()
    order = make_order(customer=customer)
    log_in(client, customer)

    response = client.post("/accounts/logout/")

    assert response.headers["Location"] == "/"
    assert client.get(order.get_absolute_url()).status_code == HTTPStatus.NOT_FOUND


# --- What a guest brings along -----------------------------------------------------------------


def test_a_guests_cart_joins_the_customers_at_log_in(client: Client) -> None:
    customer = make_customer()
    both, old, new = (make_product().variants.get() for _ in range(3))
    make_cart({both: 1, old: 2}, customer=customer)
    add(client, both, 3)
    add(client, new, 1)

    log_in(client, customer)

    assert units(customer) == {both.sku: 4, old.sku: 2, new.sku: 1}
    assert client.session[SESSION_COUNT] == 7
    assert SESSION_CART not in client.session
    assert Cart.objects.count() == 1


def test_logging_in_again_adds_nothing(client: Client) -> None:
    customer = make_customer()
    variant = make_product().variants.get()
    add(client, variant, 2)

    for _ in range(2):
        log_in(client, customer)
        client.post("/accounts/logout/")
    log_in(client, customer)

    assert units(customer) == {variant.sku: 2}


@pytest.mark.parametrize("model", [Product, Variant])
def test_what_was_withdrawn_joins_too_and_log_in_works(
    client: Client, model: type[Product | Variant]
) -> None:
    customer = make_customer()
    both, new = (make_product().variants.get() for _ in range(2))
    make_cart({both: MAX_QUANTITY - 1}, customer=customer)
    add(client, both, 3)
    add(client, new, 1)
    model.objects.update(is_active=False)

    response = log_in(client, customer)

    assert response.headers["Location"] == "/account/"
    assert units(customer) == {both.sku: MAX_QUANTITY, new.sku: 1}
    assert text_of(client.get("/cart/")).count("No longer for sale.") == 2


@contextmanager
def locked_for_long(statement: str) -> Iterator[None]:
    """Another transaction holds what this locks, for longer than anybody here waits."""
    other = connection.copy()
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '100ms'")
    try:
        other.set_autocommit(False)
        with other.cursor() as cursor:
            cursor.execute(statement)
        yield
    finally:
        other.rollback()
        other.close()
        with connection.cursor() as cursor:
            cursor.execute("RESET lock_timeout")  # or the pool would give it to another test
        connection.close()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "lock", ["SELECT 1 FROM shop_cart FOR UPDATE", "SELECT 1 FROM shop_customer FOR UPDATE"]
)
def test_a_log_in_that_fails_leaves_the_guest_as_they_were(lock: str) -> None:
    """Over the cart, which is to be joined, or over the customer's `last_login`."""
    client = Client(raise_request_exception=False)
    customer = make_customer()
    variant = make_product().variants.get()
    add(client, variant, 2)
    client.post("/currency/", {"currency": "JPY"})
    before, cookie = dict(client.session.items()), client.cookies["SESSION"].value

    with locked_for_long(lock):
        failed = log_in(client, customer)

    assert failed.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert "SESSION" not in failed.cookies
    assert (dict(client.session.items()), client.cookies["SESSION"].value) == (before, cookie)
    assert 'value="2"' in text_of(client.get("/cart/"))
    log_in(client, customer)
    assert SESSION_CART not in client.session
    assert not SessionStore().exists(cookie)
    assert units(customer) == {variant.sku: 2}


@pytest.mark.django_db(transaction=True)
def test_a_log_in_works_where_nothing_is_locked() -> None:
    """The control: the lock is what fails the log-in above."""
    client = Client(raise_request_exception=False)
    customer = make_customer()
    add(client, make_product().variants.get(), 2)

    with locked_for_long("SELECT 1"):
        done = log_in(client, customer)

    assert done.headers["Location"] == "/account/"
    assert SESSION_KEY in client.session


def test_the_customers_cart_is_there_on_another_device(client: Client) -> None:
    customer = make_customer()
    variant = make_product().variants.get()
    make_cart({variant: 2}, customer=customer)

    log_in(client, customer)

    assert client.session[SESSION_COUNT] == 2


def sign_up(client: Client, email: str) -> Any:
    return client.post("/accounts/signup/", {"email": email, "password1": "nine-lanterns-glow"})


def test_sign_up_keeps_the_cart_and_the_orders_of_this_browser(client: Client) -> None:
    variant = make_product().variants.get()
    add(client, variant, 2)
    mine = make_order(email="Mei@Example.com")
    other_address = make_order(email="work@example.com")
    other_browser = make_order(email="mei@example.com")
    session = client.session
    session[SESSION_PLACED] = [mine.number, other_address.number]
    session.save()

    response = sign_up(client, "mei@example.com")

    customer = Customer.objects.get(email="mei@example.com")
    assert response.headers["Location"] == "/account/"
    assert units(customer) == {variant.sku: 2}
    assert list(Order.objects.filter(customer=customer)) == [mine]
    assert other_browser.customer is None


def test_sign_up_with_a_known_address_says_so(client: Client) -> None:
    make_customer(email="mei@example.com")

    response = sign_up(client, "MEI@example.com")

    assert response.status_code == HTTPStatus.OK
    assert Customer.objects.count() == 1
    assert 'role="alert"' in text_of(response)


def test_sign_up_wants_a_password_worth_the_name(client: Client) -> None:
    fields = {"email": "mei@example.com", "password1": "12345678"}

    response = client.post("/accounts/signup/", fields)

    assert Customer.objects.count() == 0
    assert 'id="id_password1_error"' in text_of(response)


# --- Passwords -----------------------------------------------------------------------------------


def test_a_forgotten_password_is_replaced_by_a_link_that_works_once(client: Client) -> None:
    customer = make_customer(email="mei@example.com")

    asked = client.post("/accounts/password/reset/", {"email": "mei@example.com"}, follow=True)

    assert "Look into your mail" in text_of(asked)
    message = mail.outbox[0]
    assert message.to == ["mei@example.com"]
    assert message.subject == "Choose a new password for Anyport"
    link = re.search(r"http://testserver(/accounts/password/reset/key/\S+)", str(message.body))
    assert link is not None

    form = client.get(link[1], follow=True)
    assert "Choose a new password" in text_of(form)
    path = form.redirect_chain[-1][0]
    new = {"password1": "nine-lanterns-glow", "password2": "nine-lanterns-glow"}
    done = client.post(path, new, follow=True)

    assert "Your password is changed" in text_of(done)
    customer.refresh_from_db()
    assert customer.check_password("nine-lanterns-glow")
    assert "does not work any more" in text_of(Client().get(link[1], follow=True))


def test_an_unknown_address_is_told_by_mail_only(client: Client) -> None:
    response = client.post(
        "/accounts/password/reset/", {"email": "nobody@example.com"}, follow=True
    )

    assert "Look into your mail" in text_of(response)
    assert mail.outbox[0].subject == "No Anyport account with this e-mail"
    assert "http://testserver/accounts/signup/" in mail.outbox[0].body


def test_a_password_can_be_changed(client: Client) -> None:
    customer = make_customer()
    log_in(client, customer)
    fields = {
        "oldpassword": PASSWORD,
        "password1": "nine-lanterns-glow",
        "password2": "nine-lanterns-glow",
    }

    client.post("/accounts/password/change/", fields)

    customer.refresh_from_db()
    assert customer.check_password("nine-lanterns-glow")
    assert client.get("/account/").status_code == HTTPStatus.OK


@pytest.mark.parametrize(
    "path", ["/accounts/email/", "/accounts/confirm-email/", "/accounts/confirm-email/a:b/"]
)
def test_pages_without_use_lead_to_the_account(client: Client, path: str) -> None:
    assert client.get(path).headers["Location"] == "/account/"


@pytest.mark.parametrize(
    "path",
    [
        "/accounts/login/",
        "/accounts/signup/",
        "/accounts/logout/",
        "/accounts/inactive/",
        "/accounts/password/reset/",
        "/accounts/password/reset/done/",
        "/accounts/password/reset/key/done/",
        "/accounts/password/reset/key/1-garbage/",
        "/accounts/password/change/",
        "/accounts/password/set/",
        "/accounts/reauthenticate/",
        "/accounts/login/code/confirm/",
    ],
)
@pytest.mark.parametrize("logged_in", [False, True])
def test_every_account_page_stands_in_the_shops_frame(
    client: Client, path: str, *, logged_in: bool
) -> None:
    if logged_in:
        client.force_login(make_customer())

    response = client.get(path, follow=True)

    assert response.status_code == HTTPStatus.OK
    assert 'class="site-header"' in text_of(response)
