"""The JSON API at /api/ (DESIGN §13): the instance, and the endpoints of orders."""

import json
from dataclasses import replace
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from ninja import Field, NinjaAPI, Query, Router, Schema
from ninja.errors import Throttled
from ninja.openapi.docs import DocsBase
from ninja.responses import NinjaJSONEncoder
from pydantic import AfterValidator

from orders.answers import Answer
from orders.api_payments import payments_router
from orders.errors import EmptyCart, TooManyTries
from orders.idempotency import Attempt, read_key
from orders.keyed import IdempotencyKey, keyed
from orders.models import Order
from orders.numbers import read_number
from orders.problems import answer_with_order_problems
from orders.queries import look_up_order, remember_order
from orders.services.checkout import OrderDetails, Shown, place_order
from shop.api import MoneyOut, Text, cart_router, catalogue_router, session_router
from shop.api_auth import auth_router
from shop.countries import COUNTRIES
from shop.gate import GatedAPI
from shop.models import Customer
from shop.money import Money
from shop.preferences import current_currency
from shop.problems import Problem, answer_with_problems
from shop.services.cart import (
    find_cart,
    forget_total,
    remember_count,
    remember_total,
    total_seen,
)

orders_router = Router(tags=["Orders"])


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


class MoneyIn(Schema):
    """As every price of this API is written."""

    amount: int
    currency: str

    def money(self) -> Money:
        return Money(self.amount, self.currency)


class OrderIn(Schema):
    email: Annotated[Text, AfterValidator(_an_email)] = Field(max_length=254)
    name: Annotated[Text, Field(min_length=1, max_length=150)]
    address: AddressIn
    payment_method: Order.Payment
    delivery_method: Order.Delivery = Order.Delivery.STANDARD
    cart_version: int | None = Field(None, description="`version` of the cart that was shown.")
    cart_total: MoneyIn | None = Field(None, description="`total` of the cart that was shown.")
    expected_total: MoneyIn | None = Field(None, description="The same with delivery.")

    def shown(self) -> Shown:
        return Shown(
            cart_version=self.cart_version,
            subtotal=self.cart_total.money() if self.cart_total else None,
            total=self.expected_total.money() if self.expected_total else None,
        )


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
    key: IdempotencyKey = "",
) -> HttpResponse:
    """The cart is emptied. Prices are in the session's currency.

    Send what the shopper saw (`cart_version`, `cart_total`, `expected_total`): an order that
    would hold or cost something else is refused then, and nothing is charged unseen. Without
    totals, what this session was told last counts as seen, by `/api/cart` or by a refusal
    (`total-changed`): the order is refused once, and made when it is sent again with a new key. A
    token whose session has ended has nowhere to remember: its client sends the totals.
    """
    _refuse_newcomer(request, key)
    with keyed(request, key, wanted) as attempt:
        if not attempt.answer:
            _place(request, wanted, attempt)
    _remember(request, attempt.settled)
    return attempt.response()


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


def _refuse_newcomer(request: HttpRequest, key: str) -> None:
    """A guest without a session has no cart, and is not given a session to be refused in.

    Raises BadKey, EmptyCart.
    """
    read_key(key)
    if not isinstance(request.user, Customer) and not request.session.session_key:
        raise EmptyCart


def _remember(request: HttpRequest, answer: Answer) -> None:
    """In the session; a retry finds it there, and asks nobody."""
    told = json.loads(answer.body)
    if answer.status == HTTPStatus.CREATED:
        if remember_order(request, told["number"], placed=True):
            remember_count(request, find_cart(request))
            forget_total(request)
    elif "cart_total" in told:
        remember_total(request, Money(**told["cart_total"]))


def _place(request: HttpRequest, wanted: OrderIn, attempt: Attempt) -> None:
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
    place_order(
        cart=find_cart(request),
        customer=customer,
        details=details,
        shown=_shown(request, wanted),
        settle=lambda order: attempt.settle(_answer_with(order)),
    )


def _shown(request: HttpRequest, wanted: OrderIn) -> Shown:
    shown = wanted.shown()
    if shown.subtotal or shown.total:
        return shown
    told = total_seen(request)
    return replace(shown, subtotal=told, unseen=told is None)


def _answer_with(order: Order) -> Answer:
    body = json.dumps(OrderOut.from_orm(order).model_dump(), cls=NinjaJSONEncoder)
    headers = {"Content-Type": "application/json", "Location": f"/api/orders/{order.number}"}
    return Answer(HTTPStatus.CREATED, body.encode(), headers)


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
api.add_router("/orders", payments_router)
api.add_router("/session", session_router)
api.add_router("/auth", auth_router)
answer_with_problems(api)
answer_with_order_problems(api)
