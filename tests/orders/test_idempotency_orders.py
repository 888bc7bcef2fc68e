"""Order entry under one key, by the form and by the API: which answers stay, whose they are, and
that nothing is charged unseen."""

from http import HTTPStatus
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from orders.idempotency import SESSION_OWNER
from orders.models import IdempotencyRecord, Order
from orders.queries import SESSION_ORDERS
from sessions_ext.engine import SessionStore
from shop.models import Cart, CartLine, Price, Variant
from shop.preferences import SESSION_CURRENCY
from shop.services.cart import SESSION_COUNT
from storage.redis import redis_primary
from tests.factories import make_customer, make_product
from tests.orders.pages import CHECKOUT, TYPED, add, hidden, set_stock, text_of
from tests.orders.test_api import WANTED
from tests.shop.test_api import assert_problem, send

pytestmark = pytest.mark.django_db(databases=["default", "replica"])
PASSWORD = "harbour-light"


@pytest.fixture
def shopper(shopper: Client) -> Client:
    """Who has seen what the cart costs, also by the API."""
    cart_of(shopper)
    return shopper


def place(client: Client, key: str, **changes: Any) -> Any:
    return send(client, "POST", "/api/orders", WANTED | changes, **{"Idempotency-Key": key})


def cart_of(client: Client) -> dict[str, Any]:
    answer: dict[str, Any] = client.get("/api/cart").json()
    return answer


def set_price(variant: Variant, amount: int) -> None:
    Price.objects.filter(variant=variant).update(amount=amount)


def same(again: Any, first: Any) -> bool:
    """Byte for byte, with the headers that matter, and said to be a replay."""
    kept = ("Content-Type", "Location")
    return (
        (again.status_code, again.content) == (first.status_code, first.content)
        and [again.get(name) for name in kept] == [first.get(name) for name in kept]
        and (first.get("Idempotency-Replayed"), again["Idempotency-Replayed"]) == (None, "true")
    )


# --- Refusals: by the API ------------------------------------------------------------------------


def test_api_a_refusal_stays_although_stock_comes_back(shopper: Client, variant: Variant) -> None:
    """A copy of the request that was late in a queue orders nothing behind the shopper's back."""
    set_stock(variant, 1)
    key = str(uuid4())

    refused = place(shopper, key)
    set_stock(variant, 10)
    late = place(shopper, key)

    assert_problem(refused, HTTPStatus.CONFLICT, "out-of-stock")
    assert same(late, refused)
    assert Order.objects.count() == 0
    assert place(shopper, str(uuid4())).status_code == HTTPStatus.CREATED


def test_api_a_refusal_for_an_empty_cart_does_not_order_the_next_one(
    shopper: Client, variant: Variant
) -> None:
    key = str(uuid4())
    shopper.post(f"/cart/items/{variant.sku}/", {"quantity": "0"})

    refused = place(shopper, key)
    add(shopper, variant)
    late = place(shopper, key)

    assert_problem(refused, HTTPStatus.CONFLICT, "empty-cart")
    assert same(late, refused)
    assert Order.objects.count() == 0


def test_api_what_was_not_understood_may_be_sent_again_with_the_key(shopper: Client) -> None:
    key = str(uuid4())

    wrong = place(shopper, key, email="not an address")
    right = place(shopper, key)

    assert wrong.status_code == HTTPStatus.UNPROCESSABLE_CONTENT
    assert right.status_code == HTTPStatus.CREATED
    assert "Idempotency-Replayed" not in right


def test_api_a_fault_frees_the_key(shopper: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """The order is written already when something breaks: all of it is undone."""
    key = str(uuid4())
    shopper.raise_request_exception = False
    with monkeypatch.context() as patch:
        patch.setattr("orders.api.OrderOut.from_orm", lambda order: 1 / 0)
        fault = place(shopper, key)

    again = place(shopper, key)

    assert fault.status_code == HTTPStatus.INTERNAL_SERVER_ERROR
    assert again.status_code == HTTPStatus.CREATED
    assert Order.objects.count() == 1


def test_api_a_newcomer_is_told_of_the_key_first_and_given_no_session() -> None:
    newcomer = Client()

    without_key = place(newcomer, "")
    without_cart = place(newcomer, str(uuid4()))

    assert_problem(without_key, HTTPStatus.BAD_REQUEST, "idempotency-key-required")
    assert_problem(without_cart, HTTPStatus.CONFLICT, "empty-cart")
    assert "SESSION" not in newcomer.cookies
    assert IdempotencyRecord.objects.count() == 0


def test_api_a_guests_retry_needs_no_postgresql(
    shopper: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    """So it is answered while another server is being promoted."""
    key = str(uuid4())
    first = place(shopper, key)

    with django_assert_num_queries(0):
        again = place(shopper, key)

    assert same(again, first)


def test_api_a_retry_completes_the_session_of_a_process_that_died(shopper: Client) -> None:
    """It died after its commit: the session knows neither the order nor that the cart is empty."""
    key = str(uuid4())
    session = shopper.session
    before = {name: session.get(name) for name in (SESSION_ORDERS, SESSION_COUNT)}
    number = place(shopper, key).json()["number"]
    session = shopper.session
    del session[SESSION_ORDERS]
    session[SESSION_COUNT] = before[SESSION_COUNT]
    session.save()

    place(shopper, key)

    assert before == {SESSION_ORDERS: None, SESSION_COUNT: 2}
    assert shopper.session[SESSION_ORDERS] == [number]
    assert shopper.session[SESSION_COUNT] == 0


# --- Refusals: by the form -----------------------------------------------------------------------


def test_form_a_double_press_that_is_refused_shows_why_twice(
    shopper: Client, variant: Variant
) -> None:
    """A browser shows the answer to the second press: it must say as much as the first."""
    fields = hidden(shopper.get(CHECKOUT)) | TYPED
    set_stock(variant, 1)

    first = shopper.post(CHECKOUT, fields)
    set_stock(variant, 10)
    second = shopper.post(CHECKOUT, fields)

    for response in (first, second):
        assert response.status_code == HTTPStatus.CONFLICT
        assert "Only 1 of Rope Bag is left." in text_of(response)
        assert hidden(response)["key"] != fields["key"]
    assert Order.objects.count() == 0
    pressed_again = shopper.post(CHECKOUT, TYPED | hidden(second))
    assert pressed_again.status_code == HTTPStatus.SEE_OTHER


@pytest.mark.parametrize("with_redis", [True, False])
def test_form_a_new_price_is_said_again(
    shopper: Client, variant: Variant, with_redis: bool
) -> None:
    fields = hidden(shopper.get(CHECKOUT)) | TYPED
    set_price(variant, 1400)
    shopper.post(CHECKOUT, fields)
    if not with_redis:
        for name in redis_primary().keys("*:idempotency:*"):
            redis_primary().delete(name)

    again = shopper.post(CHECKOUT, fields)

    assert again.status_code == HTTPStatus.CONFLICT
    assert "Your order now costs NT$2,880." in text_of(again)


def test_form_a_corrected_field_keeps_the_key(shopper: Client) -> None:
    """The key was never claimed: nothing was decided."""
    fields = hidden(shopper.get(CHECKOUT)) | TYPED

    wrong = shopper.post(CHECKOUT, fields | {"email": "not an address"})
    right = shopper.post(CHECKOUT, TYPED | hidden(wrong))

    assert wrong.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert hidden(wrong)["key"] == fields["key"]
    assert right.status_code == HTTPStatus.SEE_OTHER


def test_form_an_old_page_that_was_refused_and_changed_asks_once_more(
    shopper: Client, variant: Variant
) -> None:
    """The shopper went back to the page whose press was refused, and typed another city."""
    fields = hidden(shopper.get(CHECKOUT)) | TYPED
    set_stock(variant, 1)
    shopper.post(CHECKOUT, fields)
    set_stock(variant, 10)

    response = shopper.post(CHECKOUT, fields | {"city": "Tainan"})

    assert response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert "This page was sent before with other content. Nothing was ordered." in text_of(response)
    again = shopper.post(CHECKOUT, TYPED | hidden(response) | {"city": "Tainan"})
    assert again.status_code == HTTPStatus.SEE_OTHER
    assert Order.objects.get().city == "Tainan"


# --- What the shopper saw ------------------------------------------------------------------------


def test_api_an_order_as_it_was_shown_is_made(shopper: Client) -> None:
    cart = cart_of(shopper)

    response = place(
        shopper,
        str(uuid4()),
        cart_version=cart["version"],
        cart_total=cart["total"],
        expected_total={"amount": 2660, "currency": "TWD"},
    )

    assert response.status_code == HTTPStatus.CREATED
    assert response.json()["total"] == {"amount": 2660, "currency": "TWD"}


@pytest.mark.parametrize("shown", ["cart_total", "expected_total"])
def test_api_another_price_is_shown_before_it_is_charged(
    shopper: Client, variant: Variant, shown: str
) -> None:
    seen = cart_of(shopper)["total"]
    seen["amount"] += 80 if shown == "expected_total" else 0
    set_price(variant, 1400)

    refused = place(shopper, str(uuid4()), **{shown: seen})
    problem = assert_problem(refused, HTTPStatus.CONFLICT, "total-changed")
    confirmed = place(
        shopper, str(uuid4()), cart_total=problem["cart_total"], expected_total=problem["total"]
    )

    assert problem["cart_total"] == {"amount": 2800, "currency": "TWD"}
    assert problem["total"] == {"amount": 2880, "currency": "TWD"}
    assert "NT$2,800, with delivery NT$2,880" in problem["detail"]
    assert confirmed.json()["total"] == problem["total"]
    assert variant.stock.available == 8


def test_api_another_cart_of_the_same_price_is_shown_before_it_is_ordered(
    shopper: Client, variant: Variant
) -> None:
    other = make_product(name="Rain Hat", amount=1290).variants.get()
    seen = cart_of(shopper)
    shopper.post(f"/cart/items/{variant.sku}/", {"quantity": "0"})
    add(shopper, other, 2)

    refused = place(shopper, str(uuid4()), cart_version=seen["version"], cart_total=seen["total"])

    problem = assert_problem(refused, HTTPStatus.CONFLICT, "cart-changed")
    assert problem["version"] == cart_of(shopper)["version"]
    assert Order.objects.count() == 0


def test_api_another_currency_is_shown_before_it_is_charged(shopper: Client) -> None:
    seen = cart_of(shopper)["total"]
    session = shopper.session
    session[SESSION_CURRENCY] = "USD"
    session.save()

    refused = place(shopper, str(uuid4()), cart_total=seen)

    problem = assert_problem(refused, HTTPStatus.CONFLICT, "total-changed")
    assert problem["cart_total"] == {"amount": 2580, "currency": "USD"}


@pytest.mark.parametrize(
    "shown",
    [{"cart_version": "x"}, {"cart_total": 5}, {"expected_total": {"amount": "x", "currency": 1}}],
)
def test_api_what_was_shown_must_be_readable(shopper: Client, shown: dict[str, Any]) -> None:
    response = place(shopper, str(uuid4()), **shown)

    assert_problem(response, HTTPStatus.UNPROCESSABLE_CONTENT, "invalid-request")


# --- A log-in between two tries ------------------------------------------------------------------


def log_in_with_a_cart(client: Client, variant: Variant) -> None:
    """Log in as somebody whose cart of another day holds something: it could be ordered again."""
    customer = make_customer(password=PASSWORD)
    cart = Cart.objects.create(customer=customer)
    CartLine.objects.create(cart=cart, variant=variant, quantity=1)
    former = client.cookies["SESSION"].value
    response = client.post("/accounts/login/", {"login": customer.email, "password": PASSWORD})
    assert response.status_code == HTTPStatus.FOUND
    assert client.cookies["SESSION"].value != former  # the session has a new id


def test_api_a_retry_after_the_log_in_is_the_same_order(shopper: Client, variant: Variant) -> None:
    key = str(uuid4())

    first = place(shopper, key)
    log_in_with_a_cart(shopper, variant)
    again = place(shopper, key)

    assert first.status_code == HTTPStatus.CREATED
    assert same(again, first)
    assert Order.objects.count() == 1


def test_form_a_retry_after_the_log_in_is_the_same_order(shopper: Client, variant: Variant) -> None:
    fields = hidden(shopper.get(CHECKOUT)) | TYPED

    first = shopper.post(CHECKOUT, fields)
    log_in_with_a_cart(shopper, variant)
    again = shopper.post(CHECKOUT, fields)

    assert again.status_code == first.status_code == HTTPStatus.SEE_OTHER
    assert again.headers["Location"] == first.headers["Location"]
    assert Order.objects.count() == 1


def test_without_its_name_in_the_session_the_retry_is_a_second_order(
    shopper: Client, variant: Variant
) -> None:
    """The control: the customer alone is not known to be the guest of before."""
    key = str(uuid4())

    place(shopper, key)
    session = shopper.session
    del session[SESSION_OWNER]
    session.save()
    log_in_with_a_cart(shopper, variant)
    cart_of(shopper)
    again = place(shopper, key)

    assert again.status_code == HTTPStatus.CREATED
    assert Order.objects.count() == 2


def test_the_guests_name_is_in_the_session_before_the_effect(
    shopper: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that dies in the effect saves no session with its response."""
    key = str(uuid4())

    def die(**given: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("orders.api.place_order", die)
        place(shopper, key)

    assert shopper.session[SESSION_OWNER]


@pytest.mark.parametrize("path", ["/api/orders", CHECKOUT])
def test_a_session_that_ends_before_the_claim_orders_nothing(
    shopper: Client, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """A log-in or log-out in another tab comes between the look at the session and its claim."""
    fields = hidden(shopper.get(CHECKOUT)) | TYPED
    ask = SessionStore.get

    def get(session: SessionStore, name: str, default: Any = None) -> Any:
        value = ask(session, name, default)
        if name == SESSION_OWNER:
            SessionStore(session.session_key).delete()
        return value

    monkeypatch.setattr(SessionStore, "get", get)
    by_form = path == CHECKOUT
    response = shopper.post(path, fields) if by_form else place(shopper, str(uuid4()))

    assert response.status_code == HTTPStatus.BAD_REQUEST
    assert Order.objects.count() == IdempotencyRecord.objects.count() == 0
