"""Payments and refunds over JSON: once under one key, for whom they concern."""

from http import HTTPStatus
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.test import Client

from orders.models import Order, Payment, Refund
from orders.queries import SESSION_ORDERS
from orders.services.payments import advance, complete_open
from orders.services.status import change_status
from shop.models import Customer
from tests.bank import Bank
from tests.factories import make_customer, make_order
from tests.orders.paying import make_captured, make_payment, pass_time
from tests.shop.test_api import assert_problem, send
from tests.staff import clerk, client_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def mei() -> Customer:
    return make_customer(email="mei@example.com")


@pytest.fixture
def order(mei: Customer) -> Order:
    return make_order(customer=mei, email=mei.email, payment_method="card")


@pytest.fixture
def shopper(mei: Customer) -> Client:
    return client_of(mei)


@pytest.fixture
def staff() -> Client:
    return client_of(clerk("view_order", "add_refund", "view_refund"))


def pay(
    client: Client, order: Order, method: str = "card", *, key: str = "", query: str = ""
) -> Any:
    path = f"/api/orders/{order.number}/payments{query}"
    return send(
        client, "POST", path, {"method": method}, **{"Idempotency-Key": key or str(uuid4())}
    )


def refund(
    client: Client, order: Order, amount: Any, *, key: str = "", reason: str = "dent"
) -> Any:
    path = f"/api/orders/{order.number}/refunds"
    body = {"amount": amount, "reason": reason}
    return send(client, "POST", path, body, **{"Idempotency-Key": key or str(uuid4())})


# --- Payments ------------------------------------------------------------------------------------


def test_a_payment_by_card_leads_to_where_the_shopper_pays(
    bank: Bank, shopper: Client, order: Order
) -> None:
    response = pay(shopper, order)

    payment = Payment.objects.get()
    path = f"/orders/{order.number}/payments/{payment.pk}/"
    assert response.status_code == HTTPStatus.CREATED
    assert response.headers["Location"] == f"/api/orders/{order.number}/payments/{payment.pk}"
    assert response.json() == {
        "id": str(payment.pk),
        "method": "card",
        "state": "started",
        "amount": 1080,
        "currency": "TWD",
        "action_url": settings.ANYPORT_URL + path,
    }
    link = Client().get(path)  # the shopper's browser knows nobody
    assert link.status_code == HTTPStatus.SEE_OTHER
    assert link.headers["Location"] == f"https://bank.example/{payment.pk}"
    assert link.headers["Cache-Control"] == "private, no-store"


def test_a_replay_is_the_same_bytes_whatever_became_of_the_payment(
    bank: Bank, shopper: Client, order: Order
) -> None:
    key = str(uuid4())
    first = pay(shopper, order, key=key)
    payment = Payment.objects.get()
    bank.pay(payment)

    link = shopper.get(f"/orders/{order.number}/payments/{payment.pk}/")
    again = pay(shopper, order, key=key)
    now = shopper.get(first.headers["Location"])

    assert link.headers["Location"] == order.get_absolute_url()
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["Location"] == first.headers["Location"]
    assert again.headers["Idempotency-Replayed"] == "true"
    assert now.json() == first.json() | {"state": "captured"}
    assert bank.charged() == [1080]


def test_another_key_finds_the_payment_there_is(bank: Bank, shopper: Client, order: Order) -> None:
    first, second = pay(shopper, order), pay(shopper, order)

    assert second.json()["id"] == first.json()["id"]
    assert Payment.objects.count() == 1
    assert bank.calls == ["start", "look_up"]


def test_a_payment_is_told_of_while_its_gateway_is_away(
    bank: Bank, shopper: Client, order: Order
) -> None:
    bank.is_down = True
    response = pay(shopper, order)
    payment = Payment.objects.get()
    path = f"/orders/{order.number}/payments/{payment.pk}/"

    away = shopper.get(path)
    bank.is_down = False
    back = shopper.get(path)

    assert response.status_code == HTTPStatus.CREATED
    assert away.headers["Location"] == order.get_absolute_url()
    assert back.headers["Location"] == f"https://bank.example/{payment.pk}"


def test_money_that_comes_by_bank_has_no_page_to_pay_on(shopper: Client, order: Order) -> None:
    body = pay(shopper, order, "invoice").json()

    assert (body["method"], body["state"], body["action_url"]) == (
        "invoice",
        "requires_action",
        None,
    )


def test_an_order_that_is_not_pending_takes_no_payment(shopper: Client, order: Order) -> None:
    change_status(order=order, to=Order.Status.CANCELLED)

    problem = assert_problem(pay(shopper, order, "invoice"), HTTPStatus.CONFLICT, "wrong-status")

    assert problem["order_status"] == "cancelled"
    assert Payment.objects.count() == 0


def test_a_method_beside_a_card_payment_is_refused_for_good(
    bank: Bank, shopper: Client, order: Order
) -> None:
    make_payment(order)
    key = str(uuid4())

    first = pay(shopper, order, "invoice", key=key)
    Payment.objects.update(state="failed")
    second = pay(shopper, order, "invoice", key=key)

    assert assert_problem(first, HTTPStatus.CONFLICT, "payment-under-way")["method"] == "card"
    assert second.content == first.content


def test_a_method_that_is_not_offered_is_refused(
    shopper: Client, order: Order, settings: Any
) -> None:
    settings.PAYMENT_METHODS = {"invoice": "invoice"}

    assert_problem(pay(shopper, order, "card"), HTTPStatus.CONFLICT, "method-not-offered")


def test_a_key_is_asked_for_and_names_one_request(shopper: Client, order: Order) -> None:
    key = str(uuid4())
    pay(shopper, order, "invoice", key=key)

    other = pay(shopper, order, "cash_on_delivery", key=key)
    none = pay(shopper, order, "invoice", key="1")

    assert_problem(other, HTTPStatus.UNPROCESSABLE_CONTENT, "idempotency-key-reused")
    assert_problem(none, HTTPStatus.BAD_REQUEST, "idempotency-key-required")
    assert Payment.objects.get().gateway == "invoice"


def test_others_pay_with_the_orders_email_and_see_nothing_without(order: Order) -> None:
    Order.objects.update(payment_method="invoice")
    stranger = Client()

    hidden = pay(stranger, order, "invoice")
    shown = pay(stranger, order, "invoice", query=f"?email={order.email}")
    location = shown.headers["Location"]

    assert_problem(hidden, HTTPStatus.NOT_FOUND)
    assert shown.status_code == HTTPStatus.CREATED
    assert_problem(stranger.get(location), HTTPStatus.NOT_FOUND)
    assert stranger.get(f"{location}?email={order.email}").json() == shown.json()


def test_only_whoever_placed_it_chooses_another_way_to_pay(
    bank: Bank, mei: Customer, shopper: Client
) -> None:
    order = make_order(customer=mei)
    payment = make_payment(order, gateway="invoice")
    path = order.get_absolute_url()

    by_staff = client_of(clerk("view_order")).post(f"{path}pay/", {"key": str(uuid4())})
    by_link = Client().get(f"{path}payments/{payment.pk}/")
    by_email = pay(Client(), order, query=f"?email={order.email}")

    assert [by_staff.headers["Location"], by_link.headers["Location"]] == [path, path]
    assert_problem(by_email, HTTPStatus.FORBIDDEN)
    assert Payment.objects.get().state == "requires_action"
    by_card = shopper.post(f"{path}pay/", {"key": str(uuid4())}).headers["Location"]
    assert by_card.startswith("https://bank.example/")


def test_a_payment_is_read_under_its_own_order_only(shopper: Client, order: Order) -> None:
    other = make_payment(make_order(), gateway="invoice")

    for path in (
        f"/api/orders/{order.number}/payments/{other.pk}",
        f"/api/orders/{order.number}/payments/{uuid4()}",
        f"/api/orders/AP-0000-0000-0000/payments/{other.pk}",
    ):
        assert_problem(shopper.get(path), HTTPStatus.NOT_FOUND)
    assert Client().get(f"/orders/{order.number}/payments/{other.pk}/").status_code == 404


def test_a_guest_pays_for_what_their_session_ordered(order: Order) -> None:
    Order.objects.update(payment_method="invoice")
    guest = Client()
    session = guest.session
    session[SESSION_ORDERS] = [order.number]
    session.save()

    assert pay(guest, order, "invoice").status_code == HTTPStatus.CREATED


@pytest.mark.parametrize("page", ["pay", "paid", "cancel"])
def test_a_bank_that_talks_nonsense_spoils_no_page(
    bank: Bank, shopper: Client, order: Order, page: str
) -> None:
    """What the page did is done; the completer asks again."""
    payment = advance(make_payment(order).pk)
    bank.set_state(payment, "nonsense")

    answer = shopper.generic(
        "GET" if page == "paid" else "POST", f"{order.get_absolute_url()}{page}/"
    )

    assert answer.status_code == HTTPStatus.SEE_OTHER
    order.refresh_from_db()
    assert order.status == ("cancelled" if page == "cancel" else "pending")
    payment.refresh_from_db()
    assert payment.next_try_at is not None


# --- Refunds -------------------------------------------------------------------------------------


def test_staff_send_money_back_once(bank: Bank, staff: Client, order: Order) -> None:
    make_captured(bank, order)
    key = str(uuid4())

    first, second = (refund(staff, order, 80, key=key) for _ in range(2))
    now = staff.get(first.headers["Location"])

    sent = Refund.objects.get()
    assert first.status_code == HTTPStatus.CREATED
    assert first.json() == {
        "id": str(sent.pk),
        "state": "requested",
        "amount": 80,
        "currency": "TWD",
        "reason": "dent",
    }
    assert second.content == first.content
    assert second.headers["Idempotency-Replayed"] == "true"
    assert now.json() == first.json() | {"state": "done"}
    assert sent.actor is not None
    assert bank.sent_back() == [80]


def test_a_refund_is_told_of_while_the_gateway_is_away(
    bank: Bank, staff: Client, order: Order
) -> None:
    make_captured(bank, order)
    bank.is_down = True

    response = refund(staff, order, 1080)
    bank.is_down = False
    pass_time(hours=1)
    complete_open()

    assert response.status_code == HTTPStatus.CREATED
    assert staff.get(response.headers["Location"]).json()["state"] == "done"
    assert bank.sent_back() == [1080]


def test_no_more_goes_back_than_was_taken(bank: Bank, staff: Client, order: Order) -> None:
    nothing = refund(staff, order, 1)
    make_captured(bank, order)
    refund(staff, order, 1000)

    problem = assert_problem(refund(staff, order, 81), HTTPStatus.CONFLICT, "refund-too-large")

    assert_problem(nothing, HTTPStatus.CONFLICT, "nothing-captured")
    assert problem["left"] == {"amount": 80, "currency": "TWD"}
    assert bank.sent_back() == [1000]


@pytest.mark.parametrize("amount", [0, -1, "1", 1.5, None, 2**63])
def test_an_amount_is_a_whole_number_of_minor_units(
    bank: Bank, staff: Client, order: Order, amount: Any
) -> None:
    make_captured(bank, order)

    problem = assert_problem(
        refund(staff, order, amount), HTTPStatus.UNPROCESSABLE_CONTENT, "invalid-request"
    )

    assert problem["errors"][0]["pointer"] == "#/amount"
    assert bank.sent_back() == []


def test_only_staff_who_may_refund_do(bank: Bank, shopper: Client, order: Order) -> None:
    make_captured(bank, order)
    path = f"/api/orders/{order.number}/refunds/{uuid4()}"

    for client in (shopper, Client(), client_of(clerk("view_order", "change_order"))):
        assert_problem(refund(client, order, 80), HTTPStatus.FORBIDDEN)
        assert_problem(client.get(path), HTTPStatus.FORBIDDEN)
    assert Refund.objects.count() == 0


def test_a_key_of_another_clerk_is_no_way_to_their_refund(
    bank: Bank, staff: Client, order: Order
) -> None:
    """It is a key of their own, for a refund of their own."""
    make_captured(bank, order)
    key = str(uuid4())
    first = refund(staff, order, 80, key=key)
    other = client_of(clerk("view_order", "add_refund"))

    response = refund(other, order, 90, key=key)

    assert (response.status_code, response.json()["amount"]) == (HTTPStatus.CREATED, 90)
    assert response.json()["id"] != first.json()["id"]
    assert refund(staff, order, 80, key=key).content == first.content
    assert bank.sent_back() == [80, 90]
