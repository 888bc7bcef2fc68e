"""The JSON API at /api/ (DESIGN §13): the instance, and the endpoints of orders."""

import json
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Final
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from ninja import Field, Header, NinjaAPI, Query, Router, Schema
from ninja.errors import Throttled
from ninja.openapi.docs import DocsBase
from ninja.responses import NinjaJSONEncoder
from pydantic import AfterValidator

from orders.errors import EmptyCart, NotForSale, TooManyTries
from orders.idempotency import (
    Answer,
    Attempt,
    KeyReused,
    StillRunning,
    idempotency_owner,
    idempotent,
)
from orders.models import Order
from orders.numbers import read_number
from orders.queries import look_up_order, remember_order
from orders.services.checkout import OrderDetails, place_order
from shop.api import MoneyOut, Text, cart_router, catalogue_router, session_router
from shop.api_auth import auth_router
from shop.countries import COUNTRIES
from shop.gate import GatedAPI
from shop.models import Customer
from shop.preferences import current_currency
from shop.problems import Problem, answer_with, answer_with_problems, problem
from shop.services.cart import find_cart, remember_count

KEY_HELP: Final = "A UUID v4, new for each order, the same whenever that order is sent again."
RETRY_AFTER: Final = 1
"""Seconds after which the first of two equal requests has ended."""

orders_router = Router(tags=["Orders"])


class BadKey(Exception):
    """No usable Idempotency-Key."""


def _an_email(text: str) -> str:
    try:
        validate_email(text)
    except ValidationError:
        raise ValueError("Send an e-mail address, such as mei@example.com.") from None
    return text


def _a_country(code: str) -> str:
    code = code.upper()
    if code not in dict(COUNTRIES):
        raise ValueError(f"We send parcels to {', '.join(dict(COUNTRIES))}. Send one of them.")
    return code


class AddressIn(Schema):
    line1: Annotated[Text, Field(min_length=1, max_length=200)]
    line2: Annotated[Text, Field(max_length=200)] = ""
    city: Annotated[Text, Field(min_length=1, max_length=100)]
    postcode: Annotated[Text, Field(min_length=1, max_length=20)]
    country: Annotated[Text, AfterValidator(_a_country)] = Field(
        description="ISO 3166 code, such as TW."
    )


class OrderIn(Schema):
    email: Annotated[Text, AfterValidator(_an_email)] = Field(max_length=254)
    name: Annotated[Text, Field(min_length=1, max_length=150)]
    address: AddressIn
    payment_method: Order.Payment
    delivery_method: Order.Delivery = Order.Delivery.STANDARD


class OrderLineOut(Schema):
    sku: str
    name: str
    options: dict[str, Any]
    quantity: int
    price: MoneyOut
    total: MoneyOut


class OrderOut(Schema):
    """`total` is that of the lines and of the delivery."""

    number: str
    status: Order.Status
    total: MoneyOut
    delivery: MoneyOut
    lines: list[OrderLineOut]
    placed_at: datetime


@orders_router.post(
    "",
    response={201: OrderOut, frozenset({400, 403, 409, 413, 415, 422}): Problem},
    summary="Order what is in the cart",
)
def create_order(
    request: HttpRequest,
    wanted: OrderIn,
    key: Annotated[str, Header(alias="Idempotency-Key", description=KEY_HELP)] = "",
) -> HttpResponse:
    """The cart is emptied. Prices are in the session's currency."""
    owner = _owner(request)
    content = {"request": "POST /api/orders", "body": wanted.model_dump(mode="json")}
    with idempotent(owner=owner, key=_read_key(key), content=content) as attempt:
        answer = attempt.replay or _place(request, wanted, attempt)
    number = json.loads(answer.body)["number"]
    remember_order(request, number)
    remember_count(request, find_cart(request))
    headers = {"Location": f"/api/orders/{number}"}
    if attempt.replay:
        headers["Idempotency-Replayed"] = "true"
    return HttpResponse(
        answer.body, status=answer.status, content_type="application/json", headers=headers
    )


@orders_router.get(
    "/{number}",
    response={200: OrderOut, frozenset({404, 422, 429}): Problem},
    summary="An order",
)
def read_order(request: HttpRequest, number: str, email: Query[Text] = "") -> Order:
    """For whoever placed it (same session or customer); others add `?email=`."""
    number = read_number(number) or ""
    try:
        order = look_up_order(request, number, email=email) if number else None
    except TooManyTries as error:
        raise Throttled(error.seconds) from error
    if order is None:
        raise Http404
    return order


def _owner(request: HttpRequest) -> str:
    """Raises EmptyCart for a guest without a session: they cannot have a cart either."""
    if not isinstance(request.user, Customer) and not request.session.session_key:
        raise EmptyCart
    return idempotency_owner(request)


def _read_key(text: str) -> UUID:
    """Raises BadKey for anything but a UUID v4 as RFC 9562 writes it."""
    try:
        key = UUID(text)
    except ValueError:
        raise BadKey from None
    if key.version != 4 or str(key) != text.lower():
        raise BadKey
    return key


def _place(request: HttpRequest, wanted: OrderIn, attempt: Attempt) -> Answer:
    details = OrderDetails(
        email=wanted.email,
        name=wanted.name,
        line1=wanted.address.line1,
        line2=wanted.address.line2,
        city=wanted.address.city,
        postcode=wanted.address.postcode,
        country=wanted.address.country,
        delivery_method=wanted.delivery_method.value,
        payment_method=wanted.payment_method.value,
        currency=current_currency(request),
    )
    customer = request.user if isinstance(request.user, Customer) else None
    order = place_order(cart=find_cart(request), customer=customer, details=details)
    body = json.dumps(OrderOut.from_orm(order).model_dump(), cls=NinjaJSONEncoder)
    return attempt.answer(HTTPStatus.CREATED, body.encode())


def _bad_key(request: HttpRequest, error: BadKey) -> HttpResponse:
    return problem(
        HTTPStatus.BAD_REQUEST,
        "Send the header Idempotency-Key with a UUID v4, so that an order sent twice is made"
        " once. Nothing was ordered.",
        kind="idempotency-key-required",
    )


def _key_reused(request: HttpRequest, error: KeyReused) -> HttpResponse:
    return problem(
        HTTPStatus.UNPROCESSABLE_CONTENT,
        "This Idempotency-Key was sent before with another body. Nothing was ordered now."
        " Send a new key for a new order.",
        kind="idempotency-key-reused",
    )


def _still_running(request: HttpRequest, error: StillRunning) -> HttpResponse:
    return problem(
        HTTPStatus.CONFLICT,
        "The first request with this Idempotency-Key is still running. Send the same again in a"
        " moment to learn how it ended; it will not be ordered twice.",
        kind="still-running",
        headers={"Retry-After": str(RETRY_AFTER)},
    )


def _empty_cart(request: HttpRequest, error: EmptyCart) -> HttpResponse:
    return problem(
        HTTPStatus.CONFLICT,
        "The cart is empty, or its session has expired. Nothing was ordered. Add something with"
        " POST /api/cart/items and send the session's cookie along.",
        kind="empty-cart",
    )


def _not_for_sale(request: HttpRequest, error: NotForSale) -> HttpResponse:
    return problem(
        HTTPStatus.CONFLICT,
        f"{error.name} ({error.sku}) is not for sale in this currency, or not any more. Nothing"
        " was ordered. Take it out of the cart and retry.",
        kind="not-for-sale",
        sku=error.sku,
    )


class DocsPage(DocsBase):
    """Swagger UI from our own origin: no request leaves it and no script is inline."""

    def render_page(self, request: HttpRequest, api: NinjaAPI, **kwargs: Any) -> HttpResponse:
        settings = {
            "url": self.get_openapi_url(api, kwargs),
            "layout": "BaseLayout",
            "deepLinking": False,  # its links would stand inside buttons
            "defaultModelsExpandDepth": -1,  # schemas stand beside each endpoint already
        }
        return render(request, "orders/api_docs.html", {"api": api, "swagger": settings})


api = GatedAPI(
    title="Anyport",
    version="1",
    urls_namespace="api",
    description=(
        "Products, cart, orders and session. Any region answers; the header `Anyport-Region`"
        " names it. Errors are problems (RFC 9457): `detail` says what to do. A browser sends"
        " the cookie `csrftoken`, which `GET /api/session` sets, back as `X-CSRFToken`; other"
        " clients only keep their cookies. A customer's client may send the token of"
        " `POST /api/auth/token` as `Authorization: Bearer …` instead, to any region and on the"
        " WebSocket `/ws/events/`, which is closed with code 4401 when the token ends. A cookie"
        " beside a token is asked for preferences only, and only if the two belong together."
        " Amounts are integers in minor units."
    ),
    docs=DocsPage(),
    docs_decorator=require_safe,
)
api.add_router("/products", catalogue_router)
api.add_router("/cart", cart_router)
api.add_router("/orders", orders_router)
api.add_router("/session", session_router)
api.add_router("/auth", auth_router)
answer_with_problems(api)
answer_with(api, BadKey, _bad_key)
answer_with(api, KeyReused, _key_reused)
answer_with(api, StillRunning, _still_running)
answer_with(api, EmptyCart, _empty_cart)
answer_with(api, NotForSale, _not_for_sale)
