"""Home, categories and products as a shopper sees them."""

import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import pytest
from django.db import connections
from django.http import QueryDict
from django.test import Client
from django.test.utils import CaptureQueriesContext

from shop.models import Category, Price, Product, ProductImage, StockItem, Variant
from shop.queries.catalogue import list_products, read_amount
from shop.queries.product import product_page
from shop.services.stock import Cause, Mover, allocate_stock, open_stock
from tests.factories import make_category, make_product, make_variant

# The replica's connection is another one: it sees only what is committed.
pytestmark = pytest.mark.django_db(databases=["default", "replica"], transaction=True)
ORDER = Cause(Mover.SHOPPER, order="AP-0000-0000-0001")

HTMX = {"HX-Request": "true"}
ODD_PARAMETERS = [
    "page=abc",
    "page=99999",
    "page=-1",
    "page=" + "9" * 5000,
    "min=-1",
    "min=text",
    "max=NaN",
    "max=Infinity",
    "min=1e999999",
    "max=99999999999999999999",
    "min=%00",
    "sort=%00",
    "sort=owner",
    "colour=%00",
    "colour=%ff%fe",
    "colour=" + "x" * 10_000,
    "variant=%00",
    "q=%00",
    "q=%ff%fe",
]


def page(response: Any) -> str:
    return str(response.content.decode())


def names(response: Any) -> list[str]:
    """Products of a page's cards, in order."""
    return re.findall(r'class="card__name">([^<]+)<', page(response))


def shelf(**products: int) -> Category:
    """A category with products of these names and amounts."""
    category = make_category(slug="shelf", name="Shelf")
    for name, amount in products.items():
        make_product(category=category, name=name, amount=amount)
    return category


def test_home_shows_featured_products_and_categories(client: Client) -> None:
    category = make_category(name="Lamps & Light", slug="light")
    make_product(category=category, name="Plain Lamp")
    make_product(category=category, name="Storm Lantern", is_featured=True)

    response = client.get("/")

    assert response.status_code == HTTPStatus.OK
    assert '<span class="hero__caption">' not in page(response)  # it has no picture to lead with
    assert "Lamps &amp; Light" in page(response)
    assert 'href="/categories/light/"' in page(response)


def test_home_of_an_empty_shop_says_so(client: Client) -> None:
    response = client.get("/")

    assert response.status_code == HTTPStatus.OK
    assert "The first goods are on their way" in page(response)


def test_category_shows_what_is_in_it_and_below(client: Client) -> None:
    top = make_category(slug="carry", name="Carry")
    below = make_category(slug="pouches", name="Pouches", parent=top)
    make_product(category=top, name="Tote")
    make_product(category=below, name="Pouch")
    make_product(name="Elsewhere")
    make_product(category=top, name="Withdrawn", is_active=False)

    response = client.get("/categories/carry/")

    assert names(response) == ["Pouch", "Tote"]
    assert 'href="/categories/pouches/"' in page(response)


def test_empty_category_says_so(client: Client) -> None:
    make_category(slug="empty")

    response = client.get("/categories/empty/")

    assert response.status_code == HTTPStatus.OK
    assert "Nothing here yet" in page(response)


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("featured", ["Best", "Cheap", "Dear"]),
        ("price", ["Cheap", "Best", "Dear"]),
        ("-price", ["Dear", "Best", "Cheap"]),
        ("name", ["Best", "Cheap", "Dear"]),
        ("newest", ["Best", "Dear", "Cheap"]),
        ("no-such-order", ["Best", "Cheap", "Dear"]),
    ],
)
def test_category_sorts(client: Client, sort: str, expected: list[str]) -> None:
    shelf(Cheap=100, Dear=900, Best=500)
    Product.objects.filter(name="Best").update(is_featured=True)

    response = client.get("/categories/shelf/", {"sort": sort})

    assert names(response) == expected


def test_product_without_a_price_in_the_currency_comes_last_and_says_so(client: Client) -> None:
    shelf(Foreign=1, Native=900)
    Price.objects.filter(variant__product__name="Foreign", currency="TWD").delete()

    for sort in ("price", "-price"):
        response = client.get("/categories/shelf/", {"sort": sort})

        assert names(response) == ["Native", "Foreign"]
        assert "Not sold in TWD" in page(response)


def test_category_filters_by_price_in_major_units(client: Client) -> None:
    shelf(Cheap=1250, Middle=2000, Dear=4000)
    client.post("/currency/", {"currency": "USD"})

    response = client.get("/categories/shelf/", {"min": "12.51", "max": "20"})

    assert names(response) == ["Middle"]
    assert "From US$12.51" in page(response)
    assert "Up to US$20.00" in page(response)


def test_filters_must_be_met_by_one_variant_together(client: Client) -> None:
    category = make_category(slug="shelf")
    both = make_product(category=category, name="Small Sand", amount=500)
    both.variants.update(options={"Colour": "Sand", "Size": "S"})
    apart = make_product(category=category, name="Apart", amount=500)
    apart.variants.update(options={"Colour": "Sand", "Size": "L"})
    make_variant(apart, amount=500, options={"Colour": "Ink", "Size": "S"})

    response = client.get("/categories/shelf/", {"colour": "Sand", "size": "S"})

    assert names(response) == ["Small Sand"]
    assert 'value="Sand" checked' in page(response)
    assert "Colour: Sand" in page(response)


def test_values_of_one_option_widen_the_choice(client: Client) -> None:
    category = make_category(slug="shelf")
    for colour in ("Sand", "Ink", "Moss"):
        product = make_product(category=category, name=colour)
        product.variants.update(options={"Colour": colour})

    response = client.get("/categories/shelf/?colour=Sand&colour=Moss")

    assert names(response) == ["Moss", "Sand"]


def test_filters_that_nothing_fits_say_so(client: Client) -> None:
    shelf(Only=100)

    response = client.get("/categories/shelf/", {"min": "5000"})

    assert response.status_code == HTTPStatus.OK
    assert names(response) == []
    assert "Nothing fits all of these filters" in page(response)
    assert 'href="/categories/shelf/?"' in page(response)


def test_a_price_that_is_no_number_is_left_out_and_said(client: Client) -> None:
    shelf(Only=100)

    response = client.get("/categories/shelf/", {"min": "cheap"})

    assert names(response) == ["Only"]
    assert "A price is a number, such as 40." in page(response)


def test_category_has_24_products_a_page(client: Client) -> None:
    category = make_category(slug="shelf")
    for number in range(25):
        make_product(category=category, name=f"Thing {number:02}")

    first, second, beyond = (
        client.get("/categories/shelf/", {"page": number}) for number in ("1", "2", "3")
    )

    assert names(first) == [f"Thing {number:02}" for number in range(24)]
    assert names(second) == ["Thing 24"]
    assert names(beyond) == ["Thing 24"]
    assert 'href="/categories/shelf/?page=2"' in page(first)


@pytest.mark.parametrize("path", ["/categories/shelf/?", "/products/thing/?", "/search/?q=thing&"])
def test_odd_parameters_are_survived(client: Client, path: str) -> None:
    make_product(category=make_category(slug="shelf"), slug="thing", name="Thing")

    answers = {odd: client.get(f"{path}{odd}").status_code for odd in ODD_PARAMETERS}

    assert answers == dict.fromkeys(ODD_PARAMETERS, HTTPStatus.OK)


def test_htmx_gets_only_the_results(client: Client) -> None:
    shelf(Only=100)

    response = client.get("/categories/shelf/", headers=HTMX)

    assert page(response).lstrip().startswith('<div id="results"')
    assert names(response) == ["Only"]
    assert "HX-Request" in response.headers["Vary"]


def test_card_says_from_and_sold_out(client: Client) -> None:
    category = make_category(slug="shelf")
    product = make_product(category=category, name="Varied", amount=1000, stock=0)
    make_variant(product, amount=2000, stock=0)

    response = client.get("/categories/shelf/")

    assert 'from <span class="money">NT$1,000</span>' in page(response)
    assert "Sold out" in page(response)


def test_filtering_by_colour_shows_that_colours_picture(rf: Any) -> None:
    product = make_product(name="Bag")
    ink = make_variant(product, options={"Colour": "Ink"})
    ProductImage.objects.create(product=product, file="sand.svg", position=0)
    ProductImage.objects.create(product=product, file="ink.svg", position=1, variant=ink)

    plain = list_products(Product.objects.all(), QueryDict(""), "TWD")
    inked = list_products(Product.objects.all(), QueryDict("colour=Ink"), "TWD")

    assert [card.picture and card.picture.name for card in plain.cards] == ["sand.svg"]
    assert [card.picture and card.picture.name for card in inked.cards] == ["ink.svg"]


# --- One product ---------------------------------------------------------------------------------


def test_product_page_sells_the_first_variant_in_stock(client: Client) -> None:
    product = make_product(slug="bag", name="Rope Bag", stock=0, amount=1290)
    second = make_variant(product, stock=10, amount=1490, options={"Colour": "Ink"})

    response = client.get("/products/bag/")

    assert "<h1>Rope Bag</h1>" in page(response)
    assert 'class="buy__price"><span class="money">NT$1,490</span>' in page(response)
    assert f'name="sku" value="{second.sku}"' in page(response)
    assert "In stock" in page(response)


def test_product_page_shows_the_variant_asked_for(client: Client) -> None:
    product = make_product(slug="bag", stock=10)
    ink = make_variant(product, stock=3, amount=1490, options={"Colour": "Ink"})

    response = client.get("/products/bag/", {"variant": ink.sku})

    assert f'name="sku" value="{ink.sku}"' in page(response)
    assert "Only 3 left" in page(response)


def test_sold_out_product_cannot_be_added(client: Client) -> None:
    make_product(slug="bag", stock=0)

    response = client.get("/products/bag/")

    assert "Sold out" in page(response)
    assert "Add to cart" not in page(response)


def test_a_sold_out_variant_on_back_order_is_sold_and_says_so(client: Client) -> None:
    variant = make_product(slug="bag", stock=1).variants.get()
    StockItem.objects.update(back_order=True)
    some = page(client.get("/products/bag/"))
    allocate_stock({variant.pk: 3}, ORDER)

    none = page(client.get("/products/bag/"))
    cards = client.get("/").context["cards"]

    assert "Only 1 left" in some
    assert "what is not here yet follows later" in some
    assert "On back-order: we send it as soon as it has come." in none
    assert "Add to cart" in none
    assert "Sold out" not in none
    assert [card.available for card in cards] == [True]


def test_stock_is_never_from_the_cache(client: Client) -> None:
    variant = make_product(slug="bag", stock=10).variants.get()
    client.get("/products/bag/")

    allocate_stock({variant.pk: 10}, ORDER)
    response = client.get("/products/bag/")

    assert "Sold out" in page(response)


def test_a_value_leads_to_the_variant_that_keeps_the_other_options() -> None:
    product = make_product(slug="bag", stock=10)
    product.variants.update(options={"Colour": "Sand", "Size": "S"}, sku="SAND-S")
    for sku, colour, size in (
        ("SAND-L", "Sand", "L"),
        ("INK-S", "Ink", "S"),
        ("INK-L", "Ink", "L"),
    ):
        make_variant(product, sku=sku, options={"Colour": colour, "Size": size})

    shown = product_page("bag", "TWD", "SAND-L")

    assert shown is not None
    assert {
        (choice.name, value.name): value.offer.sku
        for choice in shown.choices
        for value in choice.values
    } == {
        ("Colour", "Sand"): "SAND-L",
        ("Colour", "Ink"): "INK-L",
        ("Size", "S"): "SAND-S",
        ("Size", "L"): "SAND-L",
    }


def test_the_most_varied_option_is_shown_by_pictures_and_comes_first() -> None:
    product = make_product(slug="bag")
    product.variants.update(options={"Size": "S", "Colour": "Sand"}, sku="SAND-S")
    for sku, size, colour in (
        ("SAND-L", "L", "Sand"),
        ("INK-S", "S", "Ink"),
        ("TAN-S", "S", "Tan"),
    ):
        make_variant(product, sku=sku, options={"Size": size, "Colour": colour})
    for variant in product.variants.all():
        ProductImage.objects.create(product=product, variant=variant, file=f"{variant.sku}.svg")

    shown = product_page("bag", "TWD")

    assert shown is not None
    assert [(choice.name, choice.pictured) for choice in shown.choices] == [
        ("Colour", True),
        ("Size", False),
    ]


def test_unknown_and_withdrawn_products_are_not_found(client: Client) -> None:
    make_product(slug="gone", is_active=False)

    assert client.get("/products/gone/").status_code == HTTPStatus.NOT_FOUND
    assert client.get("/products/never-was/").status_code == HTTPStatus.NOT_FOUND
    assert client.get(f"/products/{'x' * 500}/").status_code == HTTPStatus.NOT_FOUND
    assert client.get("/categories/never-was/").status_code == HTTPStatus.NOT_FOUND


def test_product_whose_variants_are_all_withdrawn_says_so(client: Client) -> None:
    make_product(slug="bag").variants.update(is_active=False)

    response = client.get("/products/bag/")

    assert response.status_code == HTTPStatus.OK
    assert "This is not on sale at the moment." in page(response)


# --- What the cache forgets ----------------------------------------------------------------------


def rename(product: Product) -> None:
    product.name = "New Name"
    product.save()


def move(product: Product) -> None:
    product.slug = "elsewhere"
    product.save()


def withdraw(product: Product) -> None:
    product.is_active = False
    product.save()


def reprice(product: Product) -> None:
    price = Price.objects.get(variant__product=product, currency="TWD")
    price.amount = 7777
    price.save()


def add_variant(product: Product) -> None:
    variant = Variant.objects.create(product=product, sku="NEW-ONE", options={"Colour": "Moss"})
    open_stock({variant.pk: 5}, Cause(Mover.STAFF, reason="test"))


@pytest.mark.parametrize(
    ("change", "status", "text"),
    [
        (rename, HTTPStatus.OK, "New Name"),
        (move, HTTPStatus.NOT_FOUND, ""),
        (withdraw, HTTPStatus.NOT_FOUND, ""),
        (reprice, HTTPStatus.OK, "NT$7,777"),
        (add_variant, HTTPStatus.OK, "Moss"),
    ],
)
def test_a_change_shows_at_once(
    client: Client, change: Callable[[Product], None], status: HTTPStatus, text: str
) -> None:
    product = make_product(slug="bag")
    assert client.get("/products/bag/").status_code == HTTPStatus.OK

    change(product)
    response = client.get("/products/bag/")

    assert response.status_code == status
    assert text in page(response)


def test_a_new_category_shows_at_once(client: Client) -> None:
    client.get("/")

    make_category(name="Brand New", slug="brand-new")

    assert "Brand New" in page(client.get("/"))
    assert client.get("/categories/brand-new/").status_code == HTTPStatus.OK


# --- Queries -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "queries"),
    [("/", 2), ("/categories/shelf/", 4), ("/search/?q=thing", 5), ("/products/thing/", 3)],
)
def test_pages_ask_the_replica_a_constant_number_of_times(
    client: Client, path: str, queries: int
) -> None:
    category = make_category(slug="shelf")
    counts = []
    for size in (1, 3):
        while Product.objects.count() <= size:  # one is the page's own, the others are in lists
            number = Product.objects.count()
            slug = f"thing-{number}" if number else "thing"
            product = make_product(category=category, slug=slug, name=f"Thing {number}")
            ProductImage.objects.create(product=product, file=f"{number}.svg")
            make_variant(product, options={"Colour": "Ink"})
        client.get(path)  # warms category tree, covers and product
        with (
            CaptureQueriesContext(connections["replica"]) as replica,
            CaptureQueriesContext(connections["default"]) as writer,
        ):
            response = client.get(path)
        assert response.status_code == HTTPStatus.OK
        assert len(writer) == 0
        counts.append(len(replica))

    assert counts == [queries, queries]


@pytest.mark.parametrize(
    ("text", "currency", "amount"),
    [("12.50", "USD", 1250), ("1,290", "TWD", 1290), ("", "TWD", None), (" 3 ", "SGD", 300)],
)
def test_amounts_are_read_as_typed(text: str, currency: str, amount: int | None) -> None:
    assert read_amount(text, currency) == amount


@pytest.mark.parametrize("text", ["-1", "x", "NaN", "inf", "1e400", "\x00"])
def test_amounts_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        read_amount(text, "USD")
