"""The shop's admin, through Django's test client."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.contrib import admin
from django.contrib.auth.models import Group
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from failover.models import DrillRun, Status
from jobs.models import JobRun
from orders.models import IdempotencyRecord, Order, OutboxMessage
from realtime.models import Event
from shop.models import (
    Address,
    Cart,
    Category,
    Customer,
    Product,
    StockItem,
    StockMovement,
)
from tests.factories import (
    make_cart,
    make_category,
    make_customer,
    make_order,
    make_product,
    make_variant,
)
from tests.staff import boss, clerk, client_of

pytestmark = pytest.mark.django_db

PASSWORD = "harbour-light"


@pytest.fixture
def client() -> Client:
    return client_of(boss())


# --- Log-in -----------------------------------------------------------------------------------


def test_staff_log_in_with_email_and_password() -> None:
    make_customer(email="anna@example.com", is_staff=True)
    client = Client()

    response = client.post(
        reverse("admin:login"), {"username": "Anna@Example.com", "password": PASSWORD}
    )

    assert response.status_code == 302
    assert response["Location"] == reverse("admin:index")
    assert client.get(reverse("admin:index")).status_code == 200


def test_shoppers_are_told_that_they_are_no_staff() -> None:
    make_customer(email="shopper@example.com")
    client = Client()

    response = client.post(
        reverse("admin:login"), {"username": "shopper@example.com", "password": PASSWORD}
    )

    assert response.status_code == 200
    assert "this account may not use the admin" in response.text
    assert client.get(reverse("admin:index")).status_code == 302


def test_a_wrong_password_tells_nothing_about_the_account() -> None:
    make_customer(email="anna@example.com", is_staff=True)
    client = Client()

    known, unknown = (
        client.post(reverse("admin:login"), {"username": email, "password": "wrong"})
        for email in ("anna@example.com", "nobody@example.com")
    )

    text = "This e-mail and password do not belong together"
    assert (text in known.text, text in unknown.text) == (True, True)


def test_wrong_passwords_are_limited_at_both_doors_and_for_that_account_alone() -> None:
    make_customer(email="anna@example.com", is_staff=True)
    make_customer(email="bert@example.com", is_staff=True)
    client, admin_door = Client(), reverse("admin:login")
    refusal = "Too many failed login attempts"

    guesses = [
        client.post(admin_door, {"username": "Anna@example.com", "password": f"guess-{number}"})
        for number in range(6)
    ]
    right = client.post(admin_door, {"username": "anna@example.com", "password": PASSWORD})
    shop_door = client.post(
        reverse("account_login"), {"login": "anna@example.com", "password": PASSWORD}
    )
    colleague = client.post(admin_door, {"username": "bert@example.com", "password": PASSWORD})

    assert [refusal in guess.text for guess in guesses] == [False] * 5 + [True]
    assert refusal in right.text
    assert refusal in shop_door.text
    assert colleague.status_code == 302


def test_a_logged_in_shopper_sees_why_the_admin_is_closed() -> None:
    shopper = make_customer(email="shopper@example.com")
    client = Client()
    client.force_login(shopper)

    response = client.get(reverse("admin:index"), follow=True)

    assert "shopper@example.com, which is not a staff account" in response.text


def test_only_admin_pages_have_the_wider_content_security_policy(client: Client) -> None:
    policies = {
        url: client.get(url)["Content-Security-Policy"]
        for url in (reverse("admin:index"), reverse("admin:login"), reverse("account_login"))
    }

    assert [
        ("'unsafe-eval'" in policy, "'unsafe-inline'" in policy) for policy in policies.values()
    ] == [
        (True, True),
        (True, True),
        (False, False),
    ]
    assert "script-src 'self' 'unsafe-eval';" in policies[reverse("admin:index")]


# --- Every list -------------------------------------------------------------------------------


def _job_run() -> Model:
    count = JobRun.objects.count()
    slot = timezone.now() + timedelta(hours=count)
    return JobRun.objects.create(job="sales report", slot=slot, region="tokyo")


def _event() -> Model:
    return Event.objects.create(audience="order:x", sequence=Event.objects.count(), kind="x")


def _record() -> Model:
    now = timezone.now()
    return IdempotencyRecord.objects.create(
        owner=f"guest:{IdempotencyRecord.objects.count()}",
        key="0a6ee4a1-6a58-4d2a-9f53-0f8b25a1d9b1",
        fingerprint="x",
        expires_at=now,
    )


def _order() -> Model:
    return make_order(customer=make_customer())


def _cart() -> Model:
    variant = make_product().variants.get()
    return make_cart({variant: 2}, customer=make_customer())


def _product() -> Model:
    product = make_product()
    make_variant(product)
    return product


def _message() -> OutboxMessage:
    number = OutboxMessage.objects.count()
    return OutboxMessage.objects.create(stream=f"order:{number}", kind="mail", key=f"mail:{number}")


MAKERS: dict[type[Model], Callable[[], Model]] = {
    Cart: _cart,
    Category: make_category,
    Customer: make_customer,
    Event: _event,
    Group: lambda: Group.objects.create(name=f"group {Group.objects.count()}"),
    IdempotencyRecord: _record,
    JobRun: _job_run,
    Order: _order,
    OutboxMessage: _message,
    Product: _product,
    StockItem: lambda: make_product().variants.get().stock,
    StockMovement: lambda: make_product().variants.get().stock.movements.get(),
}


def test_every_registered_list_is_known_here() -> None:
    elsewhere = {DrillRun, Status}  # tests/failover
    assert set(admin.site._registry) == {*MAKERS, *elsewhere}


@pytest.mark.parametrize("model", MAKERS, ids=lambda model: model.__name__)
def test_list_asks_the_same_number_of_queries_at_one_and_three_rows(
    client: Client, model: type[Model]
) -> None:
    url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    counts = []
    client.get(url)  # content types and permissions are remembered from here on

    for rows in (1, 2):
        for _ in range(rows):
            MAKERS[model]()
        with CaptureQueriesContext(
            connection,
        ) as queries:
            response = client.get(url)
        assert response.status_code == 200
        counts.append(len(queries))

    assert counts[0] == counts[1]


@pytest.mark.parametrize("model", MAKERS, ids=lambda model: model.__name__)
def test_every_detail_page_history_and_search_work(client: Client, model: type[Model]) -> None:
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    row = MAKERS[model]()

    statuses = [
        client.get(reverse(f"{name}_change", args=[row.pk])).status_code,
        client.get(reverse(f"{name}_history", args=[row.pk])).status_code,
        client.get(reverse(f"{name}_changelist"), {"q": "rope 'bag\" %"}).status_code,
    ]

    assert statuses == [200, 200, 200]


@pytest.mark.parametrize("model", MAKERS, ids=lambda model: model.__name__)
def test_a_list_needs_its_models_permission(model: type[Model]) -> None:
    url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")

    without = client_of(clerk())
    with_view = client_of(clerk(f"view_{model._meta.model_name}"))

    assert (without.get(url).status_code, with_view.get(url).status_code) == (403, 200)


# --- Customers --------------------------------------------------------------------------------


def test_a_customer_is_added_with_email_and_password(client: Client) -> None:
    response = client.post(
        reverse("admin:shop_customer_add"),
        {
            "email": "New@Example.com",
            "name": "Mei Lin",
            "usable_password": "true",
            "password1": "quiet-water-7",
            "password2": "quiet-water-7",
        },
    )

    assert response.status_code == 302
    customer = Customer.objects.get(email="new@example.com")
    assert customer.check_password("quiet-water-7")
    assert (customer.is_staff, customer.is_superuser) == (False, False)


def test_an_email_taken_in_another_case_is_a_form_error(client: Client) -> None:
    make_customer(email="mei@example.com")

    response = client.post(
        reverse("admin:shop_customer_add"),
        {"email": "MEI@example.com", "usable_password": "false"},
    )

    assert response.status_code == 200
    assert Customer.objects.filter(email__iexact="mei@example.com").count() == 1


def customer_form(customer: Customer, **changes: Any) -> dict[str, Any]:
    return {
        "email": customer.email,
        "name": customer.name,
        "is_active": "on",
        "addresses-TOTAL_FORMS": 0,
        "addresses-INITIAL_FORMS": 0,
        "orders-TOTAL_FORMS": 0,
        "orders-INITIAL_FORMS": 0,
    } | changes


def test_a_former_email_no_longer_opens_the_account(client: Client) -> None:
    customer = make_customer(email="old@example.com")
    EmailAddress.objects.create(user=customer, email="old@example.com", primary=True)

    response = client.post(
        reverse("admin:shop_customer_change", args=[customer.pk]),
        customer_form(customer, email="new@example.com"),
    )

    assert response.status_code == 302
    log_in = Client().login
    assert not log_in(username="old@example.com", password=PASSWORD)
    assert log_in(username="new@example.com", password=PASSWORD)


def test_a_password_is_changed(client: Client) -> None:
    customer = make_customer()

    response = client.post(
        reverse("admin:auth_user_password_change", args=[customer.pk]),
        {"usable_password": "true", "password1": "quiet-water-7", "password2": "quiet-water-7"},
    )

    assert response.status_code == 302
    customer.refresh_from_db()
    assert customer.check_password("quiet-water-7")


def test_a_customers_page_shows_addresses_and_orders(client: Client) -> None:
    customer = make_customer()
    Address.objects.create(
        customer=customer, name="Mei", line1="1 Road", city="Taipei", postcode="100", country="TW"
    )
    order = make_order(customer=customer)

    page = client.get(reverse("admin:shop_customer_change", args=[customer.pk])).text

    assert "1 Road" in page
    assert reverse("admin:orders_order_change", args=[order.pk]) in page


def test_who_may_edit_customers_cannot_raise_themselves() -> None:
    customer = make_customer()
    client = client_of(clerk("view_customer", "change_customer"))

    response = client.post(
        reverse("admin:shop_customer_change", args=[customer.pk]),
        customer_form(customer, is_superuser="on", is_staff="on"),
    )

    assert response.status_code == 302
    customer.refresh_from_db()
    assert (customer.is_staff, customer.is_superuser) == (False, False)


def test_who_may_edit_customers_cannot_take_over_a_colleague() -> None:
    staff = boss()
    client = client_of(clerk("view_customer", "change_customer"))

    change = client.post(
        reverse("admin:shop_customer_change", args=[staff.pk]),
        customer_form(staff, email="mine@example.com"),
    )
    password = client.post(
        reverse("admin:auth_user_password_change", args=[staff.pk]),
        {"usable_password": "true", "password1": "quiet-water-7", "password2": "quiet-water-7"},
    )

    assert (change.status_code, password.status_code) == (403, 403)
    staff.refresh_from_db()
    assert staff.check_password(PASSWORD)
