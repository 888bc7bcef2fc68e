"""The JSON API of catalogue, cart and session (mounted at /api/ by orders.api)."""

import re
from enum import StrEnum
from typing import Annotated, Any, Final

from django.conf import settings
from django.core.files.storage import storages
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from django.utils import translation
from ninja import Field, Query, Router, Schema
from ninja.errors import HttpError
from pydantic import AfterValidator, StrictInt, StringConstraints

from regions.routing import reads_replica
from sessions_ext.bearer import UnkeptSession
from sessions_ext.engine import SessionStore
from shop.errors import UnknownSku
from shop.middleware import TELLS_VERSION
from shop.models import Customer, Product
from shop.models.cart import MAX_QUANTITY
from shop.preferences import (
    chosen_language,
    current_currency,
    set_currency,
    set_language,
    set_language_cookie,
)
from shop.problems import Problem, invalid, no_session
from shop.queries import price_cart
from shop.queries.catalogue import PAGE_SIZE, make_cards, priced
from shop.queries.product import product_page
from shop.queries.search import clean_query, search_products
from shop.queries.tree import category_tree, find_path, walk
from shop.services.cart import (
    add_to_cart,
    find_cart,
    remember_count,
    remember_total,
    set_quantity,
    told_units,
)

catalogue_router = Router(tags=["Products"])
cart_router = Router(tags=["Cart"])
session_router = Router(tags=["Session"])


Language = StrEnum("Language", {code: code for code, _ in settings.LANGUAGES})  # type: ignore[misc]  # made of the settings
Currency = StrEnum("Currency", {code: code for code in settings.SHOP_CURRENCIES})  # type: ignore[misc]  # made of the settings
CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def printable(text: str) -> str:
    """Refuse control characters; PostgreSQL has no text with NUL."""
    if CONTROL.search(text):
        raise ValueError("Send text without line breaks or control characters.")
    return text


type Text = Annotated[str, StringConstraints(strip_whitespace=True), AfterValidator(printable)]


class MoneyOut(Schema):
    """`amount` counts minor units: 1290 is 12.90 USD, but 1290 JPY."""

    amount: int
    currency: str


# --- Products ------------------------------------------------------------------------------------


class ProductFilter(Schema):
    search: Annotated[Text, Field(max_length=200)] = ""
    category: Annotated[Text, Field(max_length=100)] = ""
    page: int = Field(1, ge=1)


class ProductCard(Schema):
    slug: str
    name: str
    price: MoneyOut | None = Field(
        description="The lowest; null where it has none in the currency."
    )
    image: str | None
    available: bool = Field(description="One of its variants can be ordered.")


class ProductPage(Schema):
    items: list[ProductCard]
    count: int
    page: int
    pages: int


class VariantOut(Schema):
    sku: str
    options: dict[str, Any]
    price: MoneyOut | None
    stock: int = Field(description="Units available now.")
    back_order: bool = Field(
        description="More than `stock` can be ordered; they are sent when they have come."
    )


class ProductOut(Schema):
    slug: str
    name: str
    description: str
    images: list[str]
    variants: list[VariantOut]


@catalogue_router.get(
    "",
    response={200: ProductPage, frozenset({404, 422}): Problem},
    summary="Products on sale, searched and by category",
)
@reads_replica
def list_products(request: HttpRequest, wanted: Query[ProductFilter]) -> dict[str, Any]:
    """Prices are in the session's currency. A category includes those below it."""
    currency = current_currency(request)
    pages = Paginator(priced(_products(wanted), currency), PAGE_SIZE)
    if wanted.page > pages.num_pages:
        raise HttpError(404, f"There is no page {wanted.page}; the last is {pages.num_pages}.")
    return {
        "items": [
            {
                "slug": card.slug,
                "name": card.name,
                "price": card.price,
                "image": request.build_absolute_uri(card.picture.url) if card.picture else None,
                "available": card.available,
            }
            for card in make_cards(pages.page(wanted.page), currency)
        ],
        "count": pages.count,
        "page": wanted.page,
        "pages": pages.num_pages,
    }


def _products(wanted: ProductFilter) -> QuerySet[Product]:
    """What was searched for, best first, in the category and those below it; else by name."""
    products: QuerySet[Product] = Product.objects.on_sale().order_by("name", "pk")
    if query := clean_query(wanted.search):
        products = search_products(query).products
    if wanted.category:
        path = find_path(category_tree(), wanted.category)
        if not path:
            raise HttpError(404, "There is no such category. Send the slug of one, or none.")
        products = products.filter(category_id__in=[node["id"] for node in walk(path[-1])])
    return products


@catalogue_router.get(
    "/{slug:slug}",
    response={200: ProductOut, 404: Problem},
    summary="One product with its variants",
)
def read_product(request: HttpRequest, slug: str) -> dict[str, Any]:
    page = product_page(slug, current_currency(request))
    if page is None:
        raise HttpError(404, "No such product is on sale. GET /api/products lists those that are.")
    assets = storages["assets"]
    return {
        "slug": page.data["slug"],
        "name": page.data["name"],
        "description": page.data["description"],
        "images": [
            request.build_absolute_uri(assets.url(image["name"])) for image in page.data["images"]
        ],
        "variants": [
            {
                "sku": offer.sku,
                "options": offer.options,
                "price": offer.price,
                "stock": offer.available,
                "back_order": offer.back_order,
            }
            for offer in page.offers
        ],
    }


# --- Cart ----------------------------------------------------------------------------------------


class ItemIn(Schema):
    sku: Annotated[Text, Field(min_length=1, max_length=40)]
    quantity: StrictInt = Field(ge=1, le=MAX_QUANTITY)


class QuantityIn(Schema):
    quantity: StrictInt = Field(ge=1, le=MAX_QUANTITY)


class CartLineOut(Schema):
    sku: str
    name: str
    quantity: int
    price: MoneyOut | None
    total: MoneyOut | None


class CartOut(Schema):
    lines: list[CartLineOut]
    total: MoneyOut
    version: int


@cart_router.get("", response=CartOut, summary="The cart of this session or customer")
def read_cart(request: HttpRequest) -> dict[str, Any]:
    """The session remembers its total: an order that would cost something else is refused."""
    cart = price_cart(find_cart(request), current_currency(request))
    remember_total(request, cart.total)
    return {
        "lines": [
            {
                "sku": line.variant.sku,
                "name": line.variant.product.name,
                "quantity": line.quantity,
                "price": line.price,
                "total": line.total,
            }
            for line in cart.lines
        ],
        "total": cart.total,
        "version": cart.version,
    }


@cart_router.post(
    "/items",
    response={200: CartOut, frozenset({400, 403, 404, 413, 415, 422}): Problem},
    summary="Add units to the cart",
)
def add_cart_item(request: HttpRequest, item: ItemIn) -> dict[str, Any]:
    """Units add up, to 99 of a SKU at most. Stock is taken when the order is placed."""
    cart = add_to_cart(request, sku=item.sku, quantity=item.quantity)
    remember_count(request, cart)
    return read_cart(request)


@cart_router.patch(
    "/items/{sku}",
    response={200: CartOut, frozenset({400, 403, 404, 413, 415, 422}): Problem},
    summary="Change how many units of a SKU the cart holds",
)
def change_cart_item(request: HttpRequest, sku: str, change: QuantityIn) -> dict[str, Any]:
    return _set_quantity(request, sku, change.quantity)


@cart_router.delete(
    "/items/{sku}",
    response={200: CartOut, frozenset({403, 404}): Problem},
    summary="Take a SKU out of the cart",
)
def remove_cart_item(request: HttpRequest, sku: str) -> dict[str, Any]:
    return _set_quantity(request, sku, 0)


def _set_quantity(request: HttpRequest, sku: str, quantity: int) -> dict[str, Any]:
    cart = find_cart(request)
    if cart is None:
        raise UnknownSku(sku)
    set_quantity(cart=cart, sku=sku, quantity=quantity)
    remember_count(request, cart)
    return read_cart(request)


# --- Session -------------------------------------------------------------------------------------


class SessionOut(Schema):
    """What this browser's session holds. Never the key itself: it is a password."""

    language: str
    currency: str
    region: str = Field(description="The region that served this request.")
    version: int = Field(
        description="Of what is stored, in milliseconds since the epoch: it grows with each save."
        " 0 while there is no session."
    )
    authenticated: bool
    email: str | None
    cart_units: int


class SessionIn(Schema):
    language: Language | None = None
    currency: Currency | None = None


@session_router.get("", response=SessionOut, summary="What this session holds")
def read_session(request: HttpRequest, response: HttpResponse) -> dict[str, Any]:
    """Also sets the cookie `csrftoken`, whose value a browser sends back as `X-CSRFToken`."""
    get_token(request)
    email = request.user.email if isinstance(request.user, Customer) else None
    if isinstance(request.session, SessionStore):
        setattr(response, TELLS_VERSION, True)  # it may be saved when this request ends
    return {
        "language": chosen_language(request) or translation.get_language(),
        "currency": current_currency(request),
        "region": settings.ANYPORT_REGION,
        "version": 0,
        "authenticated": email is not None,
        "email": email,
        "cart_units": told_units(request),
    }


@session_router.patch(
    "",
    response={200: SessionOut, frozenset({400, 403, 409, 413, 415, 422}): Problem},
    summary="Change language or currency",
)
def change_session(
    request: HttpRequest, wish: SessionIn, response: HttpResponse
) -> dict[str, Any] | HttpResponse:
    """The language is set in the cookie that the pages' own switch uses, too."""
    if not wish.language and not wish.currency:
        return invalid({"detail": "Send `language`, `currency` or both.", "pointer": "#"})
    if wish.currency and isinstance(request.session, UnkeptSession):
        return no_session()
    if wish.currency:
        set_currency(request, wish.currency.value)
    if wish.language:
        set_language(request, wish.language.value)
        set_language_cookie(response, wish.language.value)
        translation.activate(wish.language.value)
    return read_session(request, response)
