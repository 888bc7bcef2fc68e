"""Search: exact, then close."""

import pytest
from django.db import connections
from django.test import Client

from shop.models import Product
from shop.models.catalogue import TEXT
from shop.queries.search import LONGEST, clean_query, search_products
from tests.factories import make_category, make_product

pytestmark = pytest.mark.django_db(databases=["default", "replica"], transaction=True)


@pytest.fixture(autouse=True)
def goods() -> None:
    kitchen = make_category(name="Kitchen & Table", slug="kitchen")
    tea = make_category(name="Tea", slug="tea", parent=kitchen)
    bags = make_category(name="Bags", slug="bags")
    rows = [
        (tea, "Side-Handle Teapot", "Thrown by hand; pours without a drop.", "Brick"),
        (tea, "鉄瓶急須", "Cast iron.", "Iron"),
        (kitchen, "Canvas Apron", "Two pockets, one for a teapot lid.", "Sand"),
        (bags, "Rope-Handle Tote", "Canvas and manila.", "Sand"),
        (bags, "Night Market Tote", "Folds into its own pocket.", "Ink"),
    ]
    for category, name, description, colour in rows:
        product = make_product(category=category, name=name, description=description)
        product.variants.update(options={"Colour": colour})
    make_product(category=bags, name="Withdrawn Tote", is_active=False)


def found(text: str) -> tuple[list[str], bool]:
    result = search_products(clean_query(text))
    return [product.name for product in result.products], result.exact


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # The name counts more than the description.
        ("teapot", ["Side-Handle Teapot", "Canvas Apron"]),
        ("TEAPOTS", ["Side-Handle Teapot", "Canvas Apron"]),
        ("tote", ["Night Market Tote", "Rope-Handle Tote"]),
        ("night market tote", ["Night Market Tote"]),
        # A colour and a category.
        ("sand bag", ["Rope-Handle Tote"]),
        ("a bag in ink", ["Night Market Tote"]),
        # A category holds what is below it.
        ("kitchen brick", ["Side-Handle Teapot"]),
        # The beginning of a word, and a language without spaces.
        ("teap", ["Side-Handle Teapot"]),
        ("急須", ["鉄瓶急須"]),
        # What websearch understands.
        ("tote -night", ["Rope-Handle Tote"]),
        ('"canvas apron"', ["Canvas Apron"]),
    ],
)
def test_search_finds(text: str, expected: list[str]) -> None:
    assert found(text) == (expected, True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tepaot", "Side-Handle Teapot"),
        ("canvs apron", "Canvas Apron"),
        ("nihgt markt", "Night Market Tote"),
    ],
)
def test_a_typing_error_still_finds(text: str, expected: str) -> None:
    names, exact = found(text)

    assert not exact
    assert names[0] == expected


@pytest.mark.parametrize("text", ["xyzzyq", "§§§", "-", '"', "the"])
def test_nothing_is_found_for_what_is_not_there(text: str) -> None:
    names, _ = found(text)

    assert names == []


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("tepaot", "No exact match for “tepaot”."),
        ("tepaot", "Showing what comes closest."),
        ("xyzzyq", "Nothing found for “xyzzyq”"),
        ("teapot", "Results for “teapot”"),
        ("", "Type what you are looking for above"),
        ("   ", "Type what you are looking for above"),
        ("<xyzzyq>&", "Nothing found for “&lt;xyzzyq&gt;&amp;”"),
    ],
)
def test_search_page_says_what_it_did(client: Client, query: str, sentence: str) -> None:
    response = client.get("/search/", {"q": query})

    assert response.status_code == 200
    assert sentence in response.content.decode()


def test_search_page_filters_and_sorts_what_it_found(client: Client) -> None:
    response = client.get("/search/", {"q": "tote", "colour": "Sand"})

    assert "Rope-Handle Tote" in response.content.decode()
    assert "Night Market Tote" not in response.content.decode()


@pytest.mark.parametrize(
    "query", ["x" * 100_000, "a " * 5_000, "\x00", "' OR 1=1 --", "%_\\", "(:*&|!"]
)
def test_search_survives_any_query(client: Client, query: str) -> None:
    assert client.get("/search/", {"q": query}).status_code == 200


def test_a_query_is_one_short_line() -> None:
    assert clean_query("  rope \x00\n bag ") == "rope bag"
    assert len(clean_query("x" * 1000)) == LONGEST


def test_full_text_search_uses_its_index() -> None:
    matching = Product.objects.alias(document=TEXT).filter(document="teapot")

    with connections["default"].cursor() as cursor:
        cursor.execute("SET enable_seqscan = off")
        plan = matching.explain()
        cursor.execute("RESET enable_seqscan")

    assert "product_text" in plan
