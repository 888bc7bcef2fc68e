"""Checkout's page: one order at the price that was shown, or a kind word and nothing lost."""

import uuid
from http import HTTPStatus

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from orders.models import IdempotencyRecord, Order
from shop.models import Address, Price, StockItem, Variant
from shop.preferences import SESSION_CURRENCY
from shop.services.cart import SESSION_COUNT
from tests.factories import make_customer, make_product, make_variant
from tests.orders.pages import CHECKOUT, TYPED, add, hidden, set_stock, text_of

pytestmark = pytest.mark.django_db(databases=["default", "replica"])


def test_checkout_without_a_cart_leads_to_the_cart(client: Client) -> None:
    response = client.get(CHECKOUT)

    assert response.headers["Location"] == "/cart/"


def test_checkout_with_a_line_in_trouble_leads_to_the_cart(
    shopper: Client, variant: Variant
) -> None:
    set_stock(variant, 1)

    response = shopper.get(CHECKOUT, follow=True)

    assert response.redirect_chain == [("/cart/", HTTPStatus.FOUND)]
    assert "Something in your cart needs a look first." in text_of(response)


def test_checkout_shows_what_it_will_cost(shopper: Client) -> None:
    response = shopper.get(CHECKOUT)

    fields = hidden(response)
    assert response.headers["Cache-Control"] == "private, no-store"
    assert uuid.UUID(fields["key"]).version == 4
    assert fields["currency"] == "TWD"
    assert fields["total_standard"] == "2660"
    assert fields["total_express"] == "2830"
    assert "NT$2,660" in text_of(response)


def test_checkout_sells_on_back_order_and_says_what_comes_later(
    shopper: Client, variant: Variant
) -> None:
    set_stock(variant, 1)
    StockItem.objects.filter(variant=variant).update(back_order=True)

    response = shopper.get(CHECKOUT)
    placed = shopper.post(CHECKOUT, hidden(response) | TYPED)

    assert "1 on back-order: we send it as soon as it has come." in text_of(response)
    assert placed.status_code == HTTPStatus.SEE_OTHER
    item = StockItem.objects.get(variant=variant)
    movement = item.movements.latest("sequence")
    assert (item.on_hand, item.allocated) == (1, 2)
    assert (movement.kind, movement.order_number) == ("allocated", Order.objects.get().number)


def test_standard_post_is_free_from_its_threshold(client: Client) -> None:
    add(client, make_product(amount=3000).variants.get())

    response = client.get(CHECKOUT)

    assert hidden(response)["total_standard"] == "3000"
    assert "Free" in text_of(response)


def test_placing_an_order_leads_to_its_page(shopper: Client, variant: Variant) -> None:
    fields = hidden(shopper.get(CHECKOUT)) | TYPED

    response = shopper.post(CHECKOUT, fields)

    order = Order.objects.get()
    assert response.status_code == HTTPStatus.SEE_OTHER
    assert response.headers["Location"] == f"/orders/{order.number}/"
    assert order.total_amount == 2660
    assert order.email == "mei@example.com"
    assert [(line.sku, line.quantity) for line in order.lines.all()] == [(variant.sku, 2)]
    assert variant.stock.available == 8
    assert shopper.session[SESSION_COUNT] == 0
    assert shopper.get(response.headers["Location"]).status_code == HTTPStatus.OK


def test_another_total_asks_before_it_is_charged(shopper: Client, variant: Variant) -> None:
    fields = hidden(shopper.get(CHECKOUT)) | TYPED
    Price.objects.filter(variant=variant, currency="TWD").update(amount=1400)

    response = shopper.post(CHECKOUT, fields)

    assert response.status_code == HTTPStatus.CONFLICT
    assert "Your order now costs NT$2,880." in text_of(response)
    assert "12 Harbour Road" in text_of(response)
    assert Order.objects.count() == 0
    assert variant.stock.available == 10
    assert IdempotencyRecord.objects.get().status == HTTPStatus.CONFLICT
    assert hidden(response)["key"] != fields["key"]

    confirmed = shopper.post(CHECKOUT, TYPED | hidden(response))

    assert confirmed.status_code == HTTPStatus.SEE_OTHER
    assert Order.objects.get().total_amount == 2880


def test_another_item_at_the_same_price_asks_before_it_is_ordered(
    shopper: Client, variant: Variant
) -> None:
    other = make_product(name="Rain Hat", amount=1290).variants.get()
    fields = hidden(shopper.get(CHECKOUT)) | TYPED
    shopper.post(f"/cart/items/{variant.sku}/", {"quantity": "0"})
    add(shopper, other, 2)

    response = shopper.post(CHECKOUT, fields)

    shown = hidden(response)
    assert response.status_code == HTTPStatus.CONFLICT
    assert "Your cart has changed since you opened this page." in text_of(response)
    assert "2 × Rain Hat" in text_of(response)
    assert "12 Harbour Road" in text_of(response)
    assert shown["total_standard"] == fields["total_standard"]
    assert shown["key"] != fields["key"]
    assert Order.objects.count() == 0

    confirmed = shopper.post(CHECKOUT, TYPED | shown)

    assert confirmed.status_code == HTTPStatus.SEE_OTHER
    assert Order.objects.get().lines.get().sku == other.sku
    assert shopper.post(CHECKOUT, TYPED | shown).headers["Location"] == confirmed["Location"]
    assert Order.objects.count() == 1


@pytest.mark.parametrize("version", ["", "-1", "9" * 30])
def test_a_page_that_shows_no_cart_of_today_asks(shopper: Client, version: str) -> None:
    fields = hidden(shopper.get(CHECKOUT)) | TYPED | {"cart_version": version}

    response = shopper.post(CHECKOUT, fields)

    assert response.status_code == HTTPStatus.CONFLICT
    assert shopper.post(CHECKOUT, TYPED | hidden(response)).status_code == HTTPStatus.SEE_OTHER


@pytest.mark.parametrize("change", [{"delivery_method": "express"}, {"payment_method": "invoice"}])
def test_the_total_of_the_chosen_delivery_counts(shopper: Client, change: dict[str, str]) -> None:
    response = shopper.post(CHECKOUT, hidden(shopper.get(CHECKOUT)) | TYPED | change)

    assert response.status_code == HTTPStatus.SEE_OTHER


def test_another_currency_in_another_tab_asks(shopper: Client) -> None:
    fields = hidden(shopper.get(CHECKOUT)) | TYPED
    session = shopper.session
    session[SESSION_CURRENCY] = "USD"
    session.save()

    response = shopper.post(CHECKOUT, fields)

    assert response.status_code == HTTPStatus.CONFLICT
    assert "Your order now costs US$" in text_of(response)
    assert Order.objects.count() == 0


def test_too_few_units_are_told_kindly_and_mended_in_one_press(
    shopper: Client, variant: Variant
) -> None:
    fields = hidden(shopper.get(CHECKOUT)) | TYPED
    set_stock(variant, 1)

    response = shopper.post(CHECKOUT, fields)

    assert response.status_code == HTTPStatus.CONFLICT
    assert "Only 1 of Rope Bag is left." in text_of(response)
    assert f'name="fix" value="1 {variant.sku}"' in text_of(response)
    assert Order.objects.count() == 0

    mended = shopper.post(CHECKOUT, TYPED | hidden(response) | {"fix": f"1 {variant.sku}"})

    assert mended.status_code == HTTPStatus.OK
    assert "12 Harbour Road" in text_of(mended)
    assert hidden(mended)["total_standard"] == "1370"
    assert shopper.post(CHECKOUT, TYPED | hidden(mended)).status_code == HTTPStatus.SEE_OTHER


def test_sold_out_is_told_kindly(shopper: Client, variant: Variant) -> None:
    fields = hidden(shopper.get(CHECKOUT)) | TYPED
    set_stock(variant, 0)

    response = shopper.post(CHECKOUT, fields)

    assert response.status_code == HTTPStatus.CONFLICT
    assert "Rope Bag has just sold out." in text_of(response)


@pytest.mark.parametrize("fix", ["", "0", "x y", "-1 A", "1 \x00", "0 NOT-IN-CART"])
def test_a_strange_correction_changes_nothing(shopper: Client, variant: Variant, fix: str) -> None:
    response = shopper.post(CHECKOUT, TYPED | {"fix": fix})

    assert response.status_code == HTTPStatus.OK
    assert shopper.session[SESSION_COUNT] == 2


def test_what_is_no_longer_for_sale_is_told_kindly(shopper: Client, variant: Variant) -> None:
    fields = hidden(shopper.get(CHECKOUT)) | TYPED
    Variant.objects.filter(pk=variant.pk).update(is_active=False)

    response = shopper.post(CHECKOUT, fields)

    assert response.status_code == HTTPStatus.CONFLICT
    assert "We cannot sell Rope Bag at the moment." in text_of(response)


def test_an_empty_cart_orders_nothing(shopper: Client, variant: Variant) -> None:
    fields = hidden(shopper.get(CHECKOUT)) | TYPED
    shopper.post(f"/cart/items/{variant.sku}/", {"remove": "1"})

    response = shopper.post(CHECKOUT, fields)

    assert response.status_code == HTTPStatus.CONFLICT
    assert "Your cart is empty" in text_of(response)


BAD_FIELDS = [
    ("email", ""),
    ("email", "not an address"),
    ("email", "a\x00@example.com"),
    ("email", "a" * 250 + "@example.com"),
    ("name", " "),
    ("line1", "x" * 201),
    ("city", "\x00"),
    ("postcode", "1" * 21),
    ("country", "XX"),
    ("delivery_method", "pigeon"),
    ("payment_method", ""),
]


@pytest.mark.parametrize(("name", "value"), BAD_FIELDS)
def test_a_wrong_field_is_named_and_nothing_typed_is_lost(
    shopper: Client, name: str, value: str
) -> None:
    fields = hidden(shopper.get(CHECKOUT)) | TYPED | {"postcode": "202 7"} | {name: value}

    response = shopper.post(CHECKOUT, fields)

    assert response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert f'href="#id_{name}"' in text_of(response)
    assert f'id="id_{name}_error"' in text_of(response)
    assert Order.objects.count() == 0
    assert hidden(response)["key"] == fields["key"]
    if name != "line1":
        assert "12 Harbour Road" in text_of(response)


@pytest.mark.parametrize(
    "change",
    [
        {"total_standard": "x"},
        {"total_standard": ""},
        {"total_standard": "9" * 30},
        {"currency": "\x00"},
        {"cart_version": "x"},
    ],
)
def test_a_tampered_total_orders_nothing(shopper: Client, change: dict[str, str]) -> None:
    response = shopper.post(CHECKOUT, hidden(shopper.get(CHECKOUT)) | TYPED | change)

    assert response.status_code in {HTTPStatus.BAD_REQUEST, HTTPStatus.CONFLICT}
    assert Order.objects.count() == 0


def test_a_customer_finds_their_address_filled_in(client: Client, variant: Variant) -> None:
    customer = make_customer(email="mei@example.com")
    Address.objects.create(
        customer=customer,
        name="Lin Mei",
        line1="7 Pier Lane",
        city="Tamsui",
        postcode="251",
        country="TW",
        is_default=True,
    )
    client.force_login(customer)
    add(client, variant)

    text = text_of(client.get(CHECKOUT))

    assert 'value="mei@example.com"' in text
    assert 'value="7 Pier Lane"' in text


@pytest.mark.parametrize(("save", "kept"), [({"save_address": "on"}, 1), ({}, 0)])
def test_a_customer_may_keep_the_address(
    client: Client, variant: Variant, save: dict[str, str], kept: int
) -> None:
    customer = make_customer()
    client.force_login(customer)
    for _ in range(2):
        add(client, variant)
        client.post(CHECKOUT, hidden(client.get(CHECKOUT)) | TYPED | save)

    assert Order.objects.filter(customer=customer).count() == 2
    addresses = Address.objects.filter(customer=customer, is_default=True)
    assert [address.line1 for address in addresses] == ["12 Harbour Road"] * kept


@pytest.mark.parametrize("lines", [1, 3])
def test_checkout_asks_as_often_for_three_lines(
    client: Client, lines: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    product = make_product()
    for _ in range(lines):
        add(client, make_variant(product))
    client.get(CHECKOUT)

    with django_assert_num_queries(5):
        client.get(CHECKOUT)
