"""The cart's page and forms."""

from datetime import timedelta
from http import HTTPStatus
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from shop.models import Cart, CartLine, Price, StockItem
from shop.services.cart import SESSION_CART, SESSION_COUNT
from tests.factories import make_cart, make_customer, make_product, make_variant

pytestmark = pytest.mark.django_db(databases=["default", "replica"])
CART = "/cart/"
ITEMS = "/cart/items/"
HTMX = {"HX-Request": "true", "HX-Target": "cart"}


def sku_of(product: Any) -> str:
    return str(product.variants.get().sku)


def units(client: Client) -> dict[str, int]:
    """What the client's cart holds, by SKU."""
    cart_id = client.session.get(SESSION_CART)
    return dict(CartLine.objects.filter(cart=cart_id).values_list("variant__sku", "quantity"))


def page(response: Any) -> str:
    return str(response.content.decode())


def test_an_empty_cart_says_so(client: Client) -> None:
    response = client.get(CART)

    assert response.status_code == HTTPStatus.OK
    assert "Nothing in here yet" in page(response)
    assert Cart.objects.count() == 0


def test_cart_is_kept_by_nobody(client: Client) -> None:
    response = client.get(CART)

    assert response.headers["Cache-Control"] == "private, no-store"


def test_adding_leads_to_the_cart(client: Client) -> None:
    sku = sku_of(make_product(name="Tea Tin", amount=1290))

    response = client.post(ITEMS, {"sku": sku, "quantity": "2"})

    assert response.status_code == HTTPStatus.FOUND
    assert response.headers["Location"] == CART
    assert units(client) == {sku: 2}
    assert client.session[SESSION_COUNT] == 2
    text = page(client.get(CART))
    assert "Tea Tin" in text
    assert "NT$2,580" in text


def test_adding_twice_adds_up(client: Client) -> None:
    sku = sku_of(make_product())

    for _ in range(2):
        client.post(ITEMS, {"sku": sku, "quantity": "3"})

    assert units(client) == {sku: 6}


def test_every_change_moves_the_carts_time_and_version(client: Client) -> None:
    variant = make_product().variants.get()
    client.post(ITEMS, {"sku": variant.sku, "quantity": "1"})
    long_ago = timezone.now() - timedelta(days=9)
    Cart.objects.update(updated_at=long_ago, version=0)

    client.post(f"{ITEMS}{variant.sku}/", {"quantity": "2"})

    cart = Cart.objects.get()
    assert cart.version == 1
    assert timezone.now() - cart.updated_at < timedelta(minutes=1)


def test_adding_with_htmx_answers_with_a_word_and_the_count(client: Client) -> None:
    sku = sku_of(make_product())

    response = client.post(
        ITEMS, {"sku": sku, "quantity": "1"}, headers={"HX-Request": "true", "HX-Target": "added"}
    )

    text = page(response)
    assert response.status_code == HTTPStatus.OK
    assert "It is in your cart." in text
    assert 'id="cart-link"' in text
    assert "<html" not in text


def test_changing_a_quantity(client: Client) -> None:
    sku = sku_of(make_product())
    client.post(ITEMS, {"sku": sku, "quantity": "1"})

    response = client.post(f"{ITEMS}{sku}/", {"quantity": "4"})

    assert response.headers["Location"] == CART
    assert units(client) == {sku: 4}
    assert client.session[SESSION_COUNT] == 4


def test_changing_with_htmx_answers_with_the_cart_and_the_count(client: Client) -> None:
    sku = sku_of(make_product(amount=1000))
    client.post(ITEMS, {"sku": sku, "quantity": "1"})

    response = client.post(f"{ITEMS}{sku}/", {"quantity": "4"}, headers=HTMX)

    text = page(response)
    assert response.status_code == HTTPStatus.OK
    assert text.strip().startswith('<div id="cart">')
    assert "NT$4,000" in text
    assert 'hx-swap-oob="true"' in text


@pytest.mark.parametrize("fields", [{"quantity": "0"}, {"remove": "1", "quantity": "x"}])
def test_a_line_can_be_removed(client: Client, fields: dict[str, str]) -> None:
    sku = sku_of(make_product())
    client.post(ITEMS, {"sku": sku, "quantity": "1"})

    response = client.post(f"{ITEMS}{sku}/", fields)

    assert response.headers["Location"] == CART
    assert units(client) == {}
    assert client.session[SESSION_COUNT] == 0


BAD_QUANTITIES = ["", "-1", "1000000000", "9" * 5000, "two", "1.5", "\x00", "1\x00", "NaN"]


@pytest.mark.parametrize("quantity", ["0", *BAD_QUANTITIES])
def test_a_wrong_quantity_is_not_added(client: Client, quantity: str) -> None:
    kept = sku_of(make_product())
    sku = sku_of(make_product())
    client.post(ITEMS, {"sku": kept, "quantity": "1"})

    response = client.post(ITEMS, {"sku": sku, "quantity": quantity})

    assert response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert "Your cart is as it was." in page(response)
    assert units(client) == {kept: 1}


@pytest.mark.parametrize("quantity", BAD_QUANTITIES)
@pytest.mark.parametrize("headers", [{}, HTMX])
def test_a_wrong_quantity_changes_nothing(
    client: Client, quantity: str, headers: dict[str, str]
) -> None:
    sku = sku_of(make_product())
    client.post(ITEMS, {"sku": sku, "quantity": "2"})

    response = client.post(f"{ITEMS}{sku}/", {"quantity": quantity}, headers=headers)

    assert response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert 'role="alert"' in page(response)
    assert units(client) == {sku: 2}


@pytest.mark.parametrize("fields", [{}, {"quantity": "1"}, {"sku": "X" * 41, "quantity": "1"}])
def test_adding_without_an_item_is_refused(client: Client, fields: dict[str, str]) -> None:
    response = client.post(ITEMS, fields)

    assert response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert Cart.objects.count() == 0


@pytest.mark.parametrize("sku", ["NOT-A-SKU", "茶缶"])
def test_an_unknown_item_is_not_found(client: Client, sku: str) -> None:
    response = client.post(ITEMS, {"sku": sku, "quantity": "1"})

    assert response.status_code == HTTPStatus.NOT_FOUND
    assert "We do not sell this item" in page(response)


@pytest.mark.parametrize("sku", ["NOT-A-SKU", "a%00b", "%FF%FE"])
def test_an_item_that_is_not_in_the_cart_is_not_found(client: Client, sku: str) -> None:
    mine = sku_of(make_product())
    client.post(ITEMS, {"sku": mine, "quantity": "1"})

    response = client.post(f"{ITEMS}{sku}/", {"quantity": "1"})

    assert response.status_code == HTTPStatus.NOT_FOUND
    assert units(client) == {mine: 1}


def test_htmx_shows_a_line_that_is_gone_in_place(client: Client) -> None:
    response = client.post(f"{ITEMS}GONE/", {"quantity": "1"}, headers=HTMX)

    assert response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert "This item is not in your cart any more." in page(response)


def test_an_expired_cart_is_told_once(client: Client) -> None:
    sku = sku_of(make_product())
    client.post(ITEMS, {"sku": sku, "quantity": "1"})
    Cart.objects.all().delete()

    first, second = client.get(CART), client.get(CART)

    assert "Your cart expired" in page(first)
    assert "Nothing in here yet" in page(second)
    assert client.session[SESSION_COUNT] == 0


@pytest.mark.parametrize(
    "reference", ["garbage", "\x00", 7, "93c3a413-1ed9-47f3-ae58-7b437c896d5c"]
)
def test_a_cart_reference_from_elsewhere_is_an_empty_cart(client: Client, reference: Any) -> None:
    session = client.session
    session[SESSION_CART] = reference
    session.save()

    assert client.get(CART).status_code == HTTPStatus.OK


def test_lines_say_what_is_wrong(client: Client) -> None:
    few = make_product(name="Few", stock=2)
    none = make_product(name="None", stock=0)
    withdrawn = make_product(name="Withdrawn")
    unpriced = make_product(name="Unpriced")
    for product in (few, none, withdrawn, unpriced):
        client.post(ITEMS, {"sku": sku_of(product), "quantity": "3"})
    withdrawn.variants.update(is_active=False)
    Price.objects.filter(variant__product=unpriced, currency="TWD").delete()

    text = page(client.get(CART))

    assert "Only 2 left." in text
    assert "Change to 2" in text
    assert "Sold out." in text
    assert "No longer for sale." in text
    assert "Has no price in TWD." in text
    assert reverse("orders:checkout") not in text


def test_a_line_on_back_order_says_how_many_come_later(client: Client) -> None:
    client.post(ITEMS, {"sku": sku_of(make_product(stock=2)), "quantity": "3"})
    StockItem.objects.update(back_order=True)

    text = page(client.get(CART))

    assert "1 on back-order: we send it as soon as it has come." in text
    assert "Change to 2" not in text
    assert reverse("orders:checkout") in text


def test_another_shoppers_cart_cannot_be_changed(client: Client) -> None:
    variant = make_product().variants.get()
    theirs = make_cart({variant: 1}, customer=make_customer())

    response = client.post(f"{ITEMS}{variant.sku}/", {"quantity": "9"})

    assert response.status_code == HTTPStatus.NOT_FOUND
    assert theirs.lines.get().quantity == 1


@pytest.mark.parametrize("path", [ITEMS, f"{ITEMS}ANY/"])
def test_changes_need_post(client: Client, path: str) -> None:
    assert client.get(path).status_code == HTTPStatus.METHOD_NOT_ALLOWED


@pytest.mark.parametrize("lines", [1, 3])
def test_cart_asks_as_often_for_three_lines(
    client: Client, lines: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    product = make_product()
    for _ in range(lines):
        client.post(ITEMS, {"sku": make_variant(product).sku, "quantity": "1"})
    client.get(CART)  # warms what the header reads through the cache

    with django_assert_num_queries(6):
        client.get(CART)
