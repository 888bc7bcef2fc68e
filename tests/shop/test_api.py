"""Products, cart and session over JSON."""

import json
import re
from http import HTTPStatus
from typing import Any
from urllib.parse import urljoin

import pytest
from django.conf import settings
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from sessions_ext.engine import SessionStore
from shop.models import Cart, CartLine, ProductImage, StockItem
from shop.services.stock import Cause, Mover, allocate_stock
from tests.factories import make_category, make_customer, make_product, make_variant

pytestmark = pytest.mark.django_db(databases=["default", "replica"])
SEEN_BY_REPLICA = pytest.mark.django_db(databases=["default", "replica"], transaction=True)
"""The replica's connection is another one: it sees only what is committed."""
BROWSER = {"Origin": "http://testserver"}


@pytest.fixture
def guest() -> Client:
    """An API client that is no browser."""
    return Client(enforce_csrf_checks=True)


def send(client: Client, method: str, path: str, content: Any, **headers: str) -> Any:
    return client.generic(
        method, path, json_bytes(content), content_type="application/json", headers=headers
    )


def json_bytes(content: Any) -> bytes:
    return json.dumps(content).encode()


def assert_problem(response: Any, status: HTTPStatus, kind: str = "") -> dict[str, Any]:
    """The response is an RFC 9457 problem of this status and kind. Returns it."""
    problem: dict[str, Any] = response.json()
    assert response.status_code == status
    assert response.headers["Content-Type"] == "application/problem+json"
    assert problem["status"] == status
    assert problem["type"] == (f"urn:anyport:problem:{kind}" if kind else "about:blank")
    assert problem["title"]
    assert problem["detail"].endswith(".")
    return problem


# --- Products ------------------------------------------------------------------------------------


@SEEN_BY_REPLICA
def test_products_lists_a_page_of_cards(guest: Client) -> None:
    product = make_product(name="Rope Bag", slug="rope-bag", amount=1290)
    make_variant(product, amount=990, stock=0)
    ProductImage.objects.create(product=product, file="sha256/ab/cd/abcd.webp")
    make_product(name="Tea Tin", slug="tea-tin", stock=0)
    make_product(name="Withdrawn", is_active=False)

    response = guest.get("/api/products")

    assert response.headers["Anyport-Region"] == "taiwan"
    assert response.json() == {
        "items": [
            {
                "slug": "rope-bag",
                "name": "Rope Bag",
                "price": {"amount": 990, "currency": "TWD"},
                "image": asset("sha256/ab/cd/abcd.webp"),
                "available": True,
            },
            {
                "slug": "tea-tin",
                "name": "Tea Tin",
                "price": {"amount": 1290, "currency": "TWD"},
                "image": None,
                "available": False,
            },
        ],
        "count": 2,
        "page": 1,
        "pages": 1,
    }


def asset(name: str) -> str:
    return urljoin("http://testserver", f"{settings.ASSETS_URL}{name}")


@SEEN_BY_REPLICA
def test_products_searches_with_typing_errors_and_by_category(guest: Client) -> None:
    bags = make_category(slug="bags", name="Bags")
    small = make_category(slug="pouches", name="Pouches", parent=bags)
    make_product(name="Rope Bag", slug="rope-bag", category=bags)
    make_product(name="Rope Pouch", slug="rope-pouch", category=small)
    make_product(name="Teapot", slug="teapot", category=make_category(slug="tea", name="Tea"))

    def slugs(query: str) -> list[str]:
        return [item["slug"] for item in guest.get(f"/api/products?{query}").json()["items"]]

    assert slugs("search=teapot") == ["teapot"]
    assert slugs("search=tepaot") == ["teapot"]
    assert slugs("category=bags") == ["rope-bag", "rope-pouch"]
    assert slugs("category=pouches") == ["rope-pouch"]
    assert slugs("category=tea&search=rope") == []


@SEEN_BY_REPLICA
def test_products_are_paged(guest: Client) -> None:
    category = make_category()
    for number in range(25):
        make_product(name=f"Tin {number:02}", category=category)

    first = guest.get("/api/products?page=1").json()
    second = guest.get("/api/products?page=2").json()
    third = guest.get("/api/products?page=3")

    assert [len(first["items"]), first["count"], first["pages"]] == [24, 25, 2]
    assert [item["name"] for item in second["items"]] == ["Tin 24"]
    problem = assert_problem(third, HTTPStatus.NOT_FOUND)
    assert problem["detail"] == "There is no page 3; the last is 2."


@SEEN_BY_REPLICA
@pytest.mark.parametrize("products", [1, 3])
def test_products_take_constant_queries(
    guest: Client, products: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(products):
        product = make_product()
        ProductImage.objects.create(product=product, file="sha256/ab/cd/abcd.webp")

    with django_assert_num_queries(3, using="replica"):
        guest.get("/api/products")


def test_product_shows_variants_and_units_available_now(guest: Client) -> None:
    product = make_product(name="Rope Bag", slug="rope-bag", description="Of manila rope.")
    variant = product.variants.get()
    make_variant(product, sku="RB-INK", stock=0, amount=1490, options={"Colour": "Ink"})
    ProductImage.objects.create(product=product, file="sha256/ab/cd/abcd.webp")
    allocate_stock({variant.pk: 3}, Cause(Mover.SHOPPER, order="AP-1"))

    assert guest.get("/api/products/rope-bag").json() == {
        "slug": "rope-bag",
        "name": "Rope Bag",
        "description": "Of manila rope.",
        "images": [asset("sha256/ab/cd/abcd.webp")],
        "variants": [
            {
                "sku": variant.sku,
                "options": {"Colour": "Sand"},
                "price": {"amount": 1290, "currency": "TWD"},
                "stock": 7,
                "back_order": False,
            },
            {
                "sku": "RB-INK",
                "options": {"Colour": "Ink"},
                "price": {"amount": 1490, "currency": "TWD"},
                "stock": 0,
                "back_order": False,
            },
        ],
    }


def test_stock_of_a_back_order_counts_what_is_here(guest: Client) -> None:
    variant = make_product(slug="rope-bag", stock=2).variants.get()
    StockItem.objects.update(back_order=True)
    allocate_stock({variant.pk: 5}, Cause(Mover.SHOPPER, order="AP-1"))

    (shown,) = guest.get("/api/products/rope-bag").json()["variants"]

    assert (shown["stock"], shown["back_order"]) == (0, True)


@pytest.mark.parametrize("variants", [1, 3])
def test_product_takes_constant_queries(
    guest: Client, variants: int, django_assert_max_num_queries: Any
) -> None:
    product = make_product(slug="rope-bag")
    for _ in range(variants - 1):
        make_variant(product)

    with django_assert_max_num_queries(6):
        guest.get("/api/products/rope-bag")


def test_product_unknown_or_withdrawn_is_not_found(guest: Client) -> None:
    make_product(slug="withdrawn", is_active=False)

    assert_problem(guest.get("/api/products/withdrawn"), HTTPStatus.NOT_FOUND)
    assert_problem(guest.get("/api/products/never-was"), HTTPStatus.NOT_FOUND)


# --- Cart ----------------------------------------------------------------------------------------


def test_cart_of_a_newcomer_is_empty_and_makes_no_session(guest: Client) -> None:
    response = guest.get("/api/cart")

    assert response.json() == {
        "lines": [],
        "total": {"amount": 0, "currency": "TWD"},
        "version": 0,
    }
    assert "SESSION" not in response.cookies


def test_cart_adds_changes_and_removes(guest: Client) -> None:
    sku = make_product(name="Rope Bag", amount=1290).variants.get().sku

    added = send(guest, "POST", "/api/cart/items", {"sku": sku, "quantity": 2})
    again = send(guest, "POST", "/api/cart/items", {"sku": sku, "quantity": 1})
    changed = send(guest, "PATCH", f"/api/cart/items/{sku}", {"quantity": 5})
    removed = guest.delete(f"/api/cart/items/{sku}")

    assert added.json() == {
        "lines": [
            {
                "sku": sku,
                "name": "Rope Bag",
                "quantity": 2,
                "price": {"amount": 1290, "currency": "TWD"},
                "total": {"amount": 2580, "currency": "TWD"},
            }
        ],
        "total": {"amount": 2580, "currency": "TWD"},
        "version": 1,
    }
    assert [line["quantity"] for line in again.json()["lines"]] == [3]
    assert changed.json()["total"] == {"amount": 6450, "currency": "TWD"}
    assert removed.json()["lines"] == []
    assert removed.json() == guest.get("/api/cart").json()


@pytest.mark.parametrize("lines", [1, 3])
def test_cart_takes_constant_queries(
    guest: Client, lines: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(lines):
        sku = make_product().variants.get().sku
        send(guest, "POST", "/api/cart/items", {"sku": sku, "quantity": 1})

    with django_assert_num_queries(5):
        guest.get("/api/cart")


def test_cart_of_a_customer_is_theirs(guest: Client) -> None:
    customer = make_customer()
    sku = make_product().variants.get().sku
    guest.login(email=customer.email, password="harbour-light")

    send(guest, "POST", "/api/cart/items", {"sku": sku, "quantity": 2})

    assert CartLine.objects.get().cart.customer == customer


def test_cart_that_expired_is_empty_and_starts_anew(guest: Client) -> None:
    sku = make_product().variants.get().sku
    send(guest, "POST", "/api/cart/items", {"sku": sku, "quantity": 2})
    Cart.objects.all().delete()

    assert guest.get("/api/cart").json()["lines"] == []
    assert_problem(guest.delete(f"/api/cart/items/{sku}"), HTTPStatus.NOT_FOUND, "unknown-sku")
    fresh = send(guest, "POST", "/api/cart/items", {"sku": sku, "quantity": 1})
    assert [line["quantity"] for line in fresh.json()["lines"]] == [1]


def test_cart_item_validation_points_at_what_is_wrong(guest: Client) -> None:
    response = send(guest, "POST", "/api/cart/items", {"quantity": "two"})

    problem = assert_problem(response, HTTPStatus.UNPROCESSABLE_CONTENT, "invalid-request")
    assert problem["detail"] == "sku: This is required. 1 more in `errors`."
    assert problem["errors"] == [
        {"detail": "This is required.", "pointer": "#/sku"},
        {"detail": "Send a whole number, such as 2.", "pointer": "#/quantity"},
    ]


# --- Session -------------------------------------------------------------------------------------


def test_session_tells_what_it_holds_but_not_its_key(guest: Client) -> None:
    before = guest.get("/api/session").json()
    sku = make_product().variants.get().sku
    send(guest, "POST", "/api/cart/items", {"sku": sku, "quantity": 2})
    send(guest, "PATCH", "/api/session", {"currency": "JPY"})

    after = guest.get("/api/session")

    assert before == {
        "language": "en",
        "currency": "TWD",
        "region": "taiwan",
        "version": 0,
        "authenticated": False,
        "email": None,
        "cart_units": 0,
    }
    stored = stored_version(guest)
    assert after.json() == before | {"currency": "JPY", "version": stored, "cart_units": 2}
    assert guest.cookies["SESSION"].value not in after.content.decode()


def stored_version(client: Client) -> int:
    """As a request of this browser finds it in the store."""
    return SessionStore(client.cookies["SESSION"].value).version


def test_session_of_a_customer_names_them(guest: Client) -> None:
    customer = make_customer()
    guest.login(email=customer.email, password="harbour-light")

    session = guest.get("/api/session").json()

    assert (session["authenticated"], session["email"]) == (True, customer.email)


def test_session_changes_language_and_currency(guest: Client) -> None:
    make_product(slug="rope-bag", amount=1290)

    response = send(guest, "PATCH", "/api/session", {"language": "ja", "currency": "USD"})

    assert (response.json()["language"], response.json()["currency"]) == ("ja", "USD")
    later = guest.get("/api/session").json()
    assert (later["language"], later["currency"]) == ("ja", "USD")
    (variant,) = guest.get("/api/products/rope-bag").json()["variants"]
    assert variant["price"] == {"amount": 1290, "currency": "USD"}


def test_session_change_answers_with_the_version_that_it_has_stored(guest: Client) -> None:
    first = send(guest, "PATCH", "/api/session", {"currency": "USD"})
    in_store = stored_version(guest)
    second = send(guest, "PATCH", "/api/session", {"currency": "JPY"})

    assert first.json()["version"] == in_store > 0
    assert second.json()["version"] == stored_version(guest) > in_store
    assert guest.get("/api/session").json()["version"] == second.json()["version"]
    assert second.headers["Content-Length"] == str(len(second.content))


def test_session_that_is_read_is_as_new_as_what_reading_it_wrote(
    guest: Client, settings: Any
) -> None:
    """The last activity is written with the request, when it is due."""
    settings.SESSION_ACTIVITY_INTERVAL = 0
    send(guest, "PATCH", "/api/session", {"currency": "USD"})
    before = stored_version(guest)

    read = guest.get("/api/session").json()

    assert read["version"] == stored_version(guest) > before


def test_session_of_another_region_is_read_at_the_version_that_a_change_answered(
    guest: Client, settings: Any
) -> None:
    changed = send(guest, "PATCH", "/api/session", {"language": "zh-hant"}).json()
    settings.ANYPORT_REGION = settings.SESSION_REGION = "tokyo"

    read = guest.get("/api/session").json()

    assert read == changed | {"region": "tokyo"}


def test_session_change_of_nothing_is_refused(guest: Client) -> None:
    response = send(guest, "PATCH", "/api/session", {})

    assert_problem(response, HTTPStatus.UNPROCESSABLE_CONTENT, "invalid-request")
    assert "SESSION" not in response.cookies


@pytest.mark.parametrize("wish", [{"language": "fr"}, {"currency": "EUR"}])
def test_session_takes_no_choice_that_the_shop_does_not_have(
    guest: Client, wish: dict[str, str]
) -> None:
    response = send(guest, "PATCH", "/api/session", wish)

    assert_problem(response, HTTPStatus.UNPROCESSABLE_CONTENT, "invalid-request")
    assert "SESSION" not in response.cookies


# --- The gate -----------------------------------------------------------------------------------


def csrf_token(client: Client) -> str:
    client.get("/api/session")
    return client.cookies["csrftoken"].value


def test_browser_on_another_site_is_refused_even_with_the_token(guest: Client) -> None:
    headers = {"Origin": "https://evil.example", "X-CSRFToken": csrf_token(guest)}

    response = send(guest, "PATCH", "/api/session", {"currency": "USD"}, **headers)

    assert_problem(response, HTTPStatus.FORBIDDEN, "csrf-failed")
    assert guest.get("/api/session").json()["currency"] == "TWD"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://testserver"},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Referer": "http://testserver/cart/"},
        {"Origin": "null"},
        {"Origin": "http://testserver", "X-CSRFToken": "x" * 32},
    ],
)
def test_browser_without_the_token_is_refused(guest: Client, headers: dict[str, str]) -> None:
    csrf_token(guest)

    response = send(guest, "PATCH", "/api/session", {"currency": "USD"}, **headers)

    assert_problem(response, HTTPStatus.FORBIDDEN, "csrf-failed")
    assert guest.get("/api/session").json()["currency"] == "TWD"


def test_browser_of_this_site_with_the_token_is_served(guest: Client) -> None:
    headers = BROWSER | {"X-CSRFToken": csrf_token(guest)}

    response = send(guest, "PATCH", "/api/session", {"currency": "USD"}, **headers)

    assert response.json()["currency"] == "USD"


def test_client_without_a_browser_needs_no_token(guest: Client) -> None:
    response = send(guest, "PATCH", "/api/session", {"currency": "USD"})

    assert response.json()["currency"] == "USD"


def test_body_that_is_not_json_by_type_is_refused(guest: Client) -> None:
    response = guest.post("/api/cart/items", {"sku": "RB-1", "quantity": 1})

    assert_problem(response, HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    assert response.headers["Accept"] == "application/json"


def test_method_that_is_not_allowed_names_those_that_are(guest: Client) -> None:
    response = guest.delete("/api/products")

    assert_problem(response, HTTPStatus.METHOD_NOT_ALLOWED)
    assert response.headers["Allow"] == "GET, HEAD"


def test_head_is_get_without_a_body(guest: Client) -> None:
    response = guest.head("/api/products")

    assert (response.status_code, response.content) == (HTTPStatus.OK, b"")


def test_body_too_large_is_refused(guest: Client) -> None:
    response = send(guest, "POST", "/api/cart/items", {"sku": "x" * (2 << 20), "quantity": 1})

    problem = assert_problem(response, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    assert problem["detail"].startswith("The body is larger than 1.0")


@pytest.mark.parametrize("path", ["/api/", "/api/nothing", "/api/products/", "/api/cart/items/"])
def test_unknown_path_is_a_problem(guest: Client, path: str) -> None:
    assert_problem(guest.get(path), HTTPStatus.NOT_FOUND)


def test_answers_are_not_kept_by_caches(guest: Client) -> None:
    assert "no-store" in guest.get("/api/products").headers["Cache-Control"]


def test_openapi_describes_every_endpoint(guest: Client) -> None:
    schema = guest.get("/api/openapi.json").json()

    assert {path: sorted(methods) for path, methods in schema["paths"].items()} == {
        "/api/products": ["get"],
        "/api/products/{slug}": ["get"],
        "/api/cart": ["get"],
        "/api/cart/items": ["post"],
        "/api/cart/items/{sku}": ["delete", "patch"],
        "/api/orders": ["post"],
        "/api/orders/{number}": ["get"],
        "/api/orders/{number}/payments": ["post"],
        "/api/orders/{number}/payments/{payment_id}": ["get"],
        "/api/orders/{number}/refunds": ["post"],
        "/api/orders/{number}/refunds/{refund_id}": ["get"],
        "/api/session": ["get", "patch"],
        "/api/auth/token": ["post"],
    }
    refusal = schema["paths"]["/api/cart/items"]["post"]["responses"]["404"]
    assert list(refusal["content"]) == ["application/problem+json"]


def test_docs_page_asks_no_other_host(guest: Client) -> None:
    page = guest.get("/api/docs").content.decode()

    assert re.findall(r'(?:src|href)="(?:https?:)?//', page) == []
    assert "<style" not in page
