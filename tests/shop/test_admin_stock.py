"""Stock and categories in the admin."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from shop.models import StockItem
from shop.services.stock import allocate_stock, ship_stock
from tests.factories import make_category, make_product
from tests.staff import boss, client_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> Client:
    return client_of(boss())


def save_stock(client: Client, item: StockItem, *, typed: object, shown: object) -> Any:
    url = reverse("admin:shop_stockitem_change", args=[item.pk])
    return client.post(url, {"on_hand": typed, "initial-on_hand": shown})


def save_stock_list(client: Client, item: StockItem, *, typed: object, shown: object) -> Any:
    row = {"form-0-id": item.pk, "form-0-on_hand": typed, "initial-form-0-on_hand": shown}
    management = {"form-TOTAL_FORMS": 1, "form-INITIAL_FORMS": 1, "_save": "Save"}
    return client.post(reverse("admin:shop_stockitem_changelist"), management | row)


SAVERS = pytest.mark.parametrize("save", [save_stock, save_stock_list])


@SAVERS
def test_stock_on_hand_is_edited(client: Client, save: Callable[..., Any]) -> None:
    item = make_product(stock=10).variants.get().stock

    response = save(client, item, typed=25, shown=10)

    assert response.status_code == 302
    item.refresh_from_db()
    assert (item.on_hand, item.allocated) == (25, 0)


@SAVERS
def test_stock_below_what_orders_hold_is_a_form_error(
    client: Client, save: Callable[..., Any]
) -> None:
    item = make_product(stock=10).variants.get().stock
    allocate_stock({item.variant_id: 4})

    response = save(client, item, typed=3, shown=10)

    assert response.status_code == 200
    assert "4 units belong to orders" in response.text
    item.refresh_from_db()
    assert (item.on_hand, item.allocated) == (10, 4)


@SAVERS
def test_stock_that_moved_while_the_page_was_open_is_not_overwritten(
    client: Client, save: Callable[..., Any]
) -> None:
    item = make_product(stock=10).variants.get().stock
    allocate_stock({item.variant_id: 4})
    ship_stock({item.variant_id: 2})

    save(client, item, typed=15, shown=10)

    item.refresh_from_db()
    assert (item.on_hand, item.allocated) == (13, 2)


@SAVERS
def test_an_untouched_stale_page_changes_nothing(client: Client, save: Callable[..., Any]) -> None:
    item = make_product(stock=10).variants.get().stock
    allocate_stock({item.variant_id: 4})
    ship_stock({item.variant_id: 4})

    save(client, item, typed=10, shown=10)

    item.refresh_from_db()
    assert (item.on_hand, item.allocated) == (6, 0)


@SAVERS
@pytest.mark.parametrize("typed", ["-1", "many", "", "99999999999999999999"])
def test_nonsense_stock_is_a_form_error(
    client: Client, save: Callable[..., Any], typed: str
) -> None:
    item = make_product(stock=10).variants.get().stock

    response = save(client, item, typed=typed, shown=10)

    assert response.status_code == 200
    item.refresh_from_db()
    assert item.on_hand == 10


# --- Categories -------------------------------------------------------------------------------


def test_categories_are_listed_as_a_tree(client: Client) -> None:
    bags = make_category(name="Bags", position=1)
    kitchen = make_category(name="Kitchen", position=0)
    make_category(name="Totes", parent=bags)
    make_category(name="Teapots", parent=kitchen)

    response = client.get(reverse("admin:shop_category_changelist"))

    rows = [(row.depth, row.name) for row in response.context["cl"].result_list]
    assert rows == [(0, "Kitchen"), (1, "Teapots"), (0, "Bags"), (1, "Totes")]


def test_a_category_cannot_hang_below_itself(client: Client) -> None:
    top = make_category()
    middle = make_category(parent=top)
    bottom = make_category(parent=middle)

    response = client.post(
        reverse("admin:shop_category_change", args=[top.pk]),
        {"name": top.name, "slug": top.slug, "position": 0, "parent": bottom.pk},
    )

    assert response.status_code == 200
    assert "part of this one" in response.text
