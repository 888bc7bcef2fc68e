"""Checkout's button: one order however often it is pressed."""

import re
import threading
from http import HTTPStatus

import pytest
from django.db import connection, transaction
from django.test import Client

from orders.idempotency import owners_of
from orders.models import Order
from orders.views import checkout as view
from shop.models import Variant
from tests.orders.pages import CHECKOUT, TYPED, add, hidden, text_of

pytestmark = pytest.mark.django_db(databases=["default", "replica"])


def test_sending_twice_gives_one_order_and_the_same_page(shopper: Client, variant: Variant) -> None:
    fields = hidden(shopper.get(CHECKOUT)) | TYPED

    first, second = shopper.post(CHECKOUT, fields), shopper.post(CHECKOUT, fields)

    assert first.status_code == second.status_code == HTTPStatus.SEE_OTHER
    assert first.headers["Location"] == second.headers["Location"]
    assert Order.objects.count() == 1
    assert variant.stock.available == 8


def test_sending_other_content_with_the_key_shows_the_order_there_is(shopper: Client) -> None:
    fields = hidden(shopper.get(CHECKOUT)) | TYPED
    shopper.post(CHECKOUT, fields)

    response = shopper.post(CHECKOUT, fields | {"city": "Tainan"})

    number = Order.objects.get().number
    assert response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert f"This page has already placed order {number}." in text_of(response)
    assert f'href="/orders/{number}/"' in text_of(response)


def test_a_used_key_with_a_new_cart_gets_a_new_key(shopper: Client, variant: Variant) -> None:
    fields = hidden(shopper.get(CHECKOUT)) | TYPED
    shopper.post(CHECKOUT, fields)
    add(shopper, variant)

    response = shopper.post(CHECKOUT, fields | {"city": "Tainan"})
    again = shopper.post(CHECKOUT, TYPED | hidden(response))

    assert hidden(response)["key"] != fields["key"]
    assert again.status_code == HTTPStatus.SEE_OTHER
    assert Order.objects.count() == 2


def test_another_shoppers_key_is_another_key(shopper: Client, variant: Variant) -> None:
    fields = hidden(shopper.get(CHECKOUT)) | TYPED
    shopper.post(CHECKOUT, fields)
    other = Client()
    add(other, variant, 2)

    response = other.post(CHECKOUT, hidden(other.get(CHECKOUT)) | TYPED | {"key": fields["key"]})

    assert response.status_code == HTTPStatus.SEE_OTHER
    assert Order.objects.count() == 2


@pytest.mark.parametrize(
    "key", ["", "garbage", "\x00", "2fde96e0-e6f5-11f1-8ece-02fc00000001", "9" * 5000]
)
def test_a_wrong_key_gets_a_fresh_form(shopper: Client, key: str) -> None:
    fields = hidden(shopper.get(CHECKOUT)) | TYPED | {"key": key}

    response = shopper.post(CHECKOUT, fields)

    assert response.status_code == HTTPStatus.BAD_REQUEST
    assert "This page was out of date." in text_of(response)
    assert "12 Harbour Road" in text_of(response)
    assert shopper.post(CHECKOUT, TYPED | hidden(response)).status_code == HTTPStatus.SEE_OTHER


@pytest.mark.django_db(transaction=True, databases=["default", "replica"])
def test_a_press_while_the_first_still_runs_is_told_that_it_is_safe(
    shopper: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first press is a transaction that holds the key and has not ended."""
    fields = hidden(shopper.get(CHECKOUT)) | TYPED
    response = shopper.get(CHECKOUT)
    (owner,) = owners_of(response.wsgi_request)
    claimed, release = threading.Event(), threading.Event()

    def first_press() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO orders_idempotencyrecord"
                " (owner, key, fingerprint, created_at, expires_at)"
                " VALUES (%s, %s, '', now(), now())",
                [owner, fields["key"]],
            )
            claimed.set()
            release.wait(10)
            transaction.set_rollback(True)
        connection.close()

    monkeypatch.setattr("orders.services.submit.WAIT_MS", 100)
    thread = threading.Thread(target=first_press)
    thread.start()
    try:
        assert claimed.wait(10)
        response = shopper.post(CHECKOUT, fields)
    finally:
        release.set()
        thread.join()

    assert response.status_code == HTTPStatus.CONFLICT
    assert response.headers["Retry-After"] == str(view.RETRY_AFTER)
    text = text_of(response)
    assert "It is safe to press again" in text
    again = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', text))
    fields.pop("csrfmiddlewaretoken")  # masked anew on every page
    assert again.items() >= fields.items()
    assert shopper.post(CHECKOUT, again).status_code == HTTPStatus.SEE_OTHER
    assert Order.objects.count() == 1
