"""What no honest shopper sends, to every endpoint: always a clear refusal, never a 500.

ENDPOINTS lists every address of the shop; a new one without an entry fails the first test. The
other tests send each of them everything that is listed here.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import product
from typing import Any, Final
from urllib.parse import quote, urlencode
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from pytest_django.fixtures import Settings

from orders.models import Order, Payment
from orders.services.payments import open_payment
from shop.models import Address, Cart, Customer, Product
from tests.factories import make_cart, make_category, make_customer, make_order, make_product

pytestmark = pytest.mark.django_db

LONG: Final = "x" * 5000
UUID_1: Final = "2fde96e0-e6f5-11f1-8ece-02fc00000001"
ADDRESS: Final = {
    "name": "Lin Mei",
    "line1": "12 Harbour Road",
    "city": "Keelung",
    "postcode": "202",
    "country": "TW",
}
CHECKOUT: Final = ADDRESS | {
    "email": "mei@example.com",
    "line2": "",
    "delivery_method": "standard",
    "payment_method": "invoice",
    "key": str(uuid4()),
    "cart_version": "1",
    "currency": "TWD",
    "total_standard": "1370",
    "total_express": "1540",
}
ORDER: Final = {
    "email": "mei@example.com",
    "name": "Lin Mei",
    "address": {key: value for key, value in ADDRESS.items() if key != "name"},
    "payment_method": "invoice",
    "delivery_method": "standard",
}


@dataclass(frozen=True)
class Endpoint:
    route: str
    """As the URL configuration writes it."""
    method: str = "GET"
    path: str = ""
    """Where it differs from the route: `{sku}`, `{number}` and the like are filled in."""
    body: Mapping[str, Any] = field(default_factory=dict)
    """Fields that would be accepted."""
    query: tuple[str, ...] = ()
    member: bool = False
    """Only for those who are logged in."""

    def __str__(self) -> str:
        return f"{self.method} {self.route}"

    @property
    def is_api(self) -> bool:
        return self.route.startswith("api/")

    @property
    def template(self) -> str:
        return f"/{self.path or self.route}"


TOKEN: Final = "api/auth/token"
WEBHOOK: Final = "webhooks/stripe/"
"""Forgeries of it: tests/orders/test_card_pages.py."""
LOOKS: Final = {"health/deep", "health/deep/object/<of>/<uuid:name>"}
"""Each asks every store, and no front door leads there: tests/failover/test_deep.py."""
LISTING: Final = ("page", "sort", "min", "max", "colour")
ENDPOINTS: Final = [
    Endpoint("health/live"),
    Endpoint("health/ready"),
    Endpoint("metrics"),
    Endpoint("api/"),
    Endpoint("api/docs"),
    Endpoint("api/openapi.json"),
    Endpoint("api/products", query=("search", "category", "page")),
    Endpoint("api/products/<slug:slug>", path="api/products/{slug}"),
    Endpoint("api/cart"),
    Endpoint("api/cart/items", "POST", body={"sku": "RB-1", "quantity": 1}),
    Endpoint("api/cart/items/<sku>", "PATCH", "api/cart/items/{sku}", {"quantity": 1}),
    Endpoint("api/cart/items/<sku>", "DELETE", "api/cart/items/{sku}"),
    Endpoint("api/orders", "POST", body=ORDER),
    Endpoint("api/orders/<number>", path="api/orders/{number}", query=("email",)),
    Endpoint(
        "api/orders/<number>/payments",
        "POST",
        "api/orders/{number}/payments",
        {"method": "invoice"},
        ("email",),
    ),
    Endpoint(
        "api/orders/<number>/payments/<uuidstr:payment_id>",
        path="api/orders/{number}/payments/{uuid}",
        query=("email",),
    ),
    Endpoint(
        "api/orders/<number>/refunds",
        "POST",
        "api/orders/{number}/refunds",
        {"amount": 1, "reason": "dent"},
    ),
    Endpoint(
        "api/orders/<number>/refunds/<uuidstr:refund_id>",
        path="api/orders/{number}/refunds/{uuid}",
    ),
    Endpoint(TOKEN, "POST", body={"email": "mei@example.com", "password": "x"}),
    Endpoint("api/session"),
    Endpoint("api/session", "PATCH", body={"language": "ja", "currency": "JPY"}),
    Endpoint("", query=("page",)),
    Endpoint("categories/<slug:slug>/", path="categories/{category}/", query=LISTING),
    Endpoint("products/<slug:slug>/", path="products/{slug}/", query=("variant",)),
    Endpoint("search/", query=("q", *LISTING)),
    Endpoint("cart/"),
    Endpoint("cart/items/", "POST", body={"sku": "RB-1", "quantity": "1"}),
    Endpoint("cart/items/<str:sku>/", "POST", "cart/items/{sku}/", {"quantity": "1"}),
    Endpoint("currency/", "POST", body={"currency": "JPY", "next": "/cart/"}),
    Endpoint("i18n/setlang/", "POST", body={"language": "ja", "next": "/cart/"}),
    Endpoint("checkout/"),
    Endpoint("checkout/", "POST", body=CHECKOUT),
    Endpoint("orders/", query=("number",)),
    Endpoint("orders/", "POST", body={"number": "AP-0000-0000-0000", "email": "mei@example.com"}),
    Endpoint("orders/<str:number>/", path="orders/{number}/", query=("partial",)),
    Endpoint("orders/<str:number>/pay/", "POST", "orders/{number}/pay/", {"key": str(uuid4())}),
    Endpoint("orders/<str:number>/mail/<str:ticket>/", path="orders/{number}/mail/{sku}/"),
    Endpoint("orders/<str:number>/paid/", path="orders/{number}/paid/"),
    Endpoint("orders/<str:number>/cancel/", path="orders/{number}/cancel/"),
    Endpoint("orders/<str:number>/return/", "POST", "orders/{number}/return/", {"reason": "dent"}),
    Endpoint("orders/<str:number>/invoice/", path="orders/{number}/invoice/"),
    Endpoint(WEBHOOK, "POST"),
    Endpoint(
        "orders/<str:number>/payments/<uuid:payment_id>/", path="orders/{number}/payments/{uuid}/"
    ),
    Endpoint("account/", query=("page",), member=True),
    Endpoint("account/addresses/", member=True),
    Endpoint("account/addresses/new/", "POST", body=ADDRESS, member=True),
    Endpoint("account/addresses/<int:pk>/", "POST", "account/addresses/{pk}/", ADDRESS, (), True),
    Endpoint(
        "account/addresses/<int:pk>/delete/", "POST", "account/addresses/{pk}/delete/", member=True
    ),
    Endpoint(
        "account/addresses/<int:pk>/default/",
        "POST",
        "account/addresses/{pk}/default/",
        member=True,
    ),
    Endpoint("account/sessions/", member=True),
    Endpoint("account/sessions/sign-out/", "POST", member=True),
    Endpoint(
        "account/sessions/<slug:digest>/sign-out/",
        "POST",
        "account/sessions/{slug}/sign-out/",
        member=True,
    ),
    Endpoint("accounts/login/", "POST", body={"login": "mei@example.com", "password": "x"}),
    Endpoint("accounts/logout/", "POST", member=True),
    Endpoint(
        "accounts/signup/", "POST", body={"email": "new@example.com", "password1": "long-one-9"}
    ),
    Endpoint("accounts/inactive/"),
    Endpoint("accounts/email/"),
    Endpoint("accounts/confirm-email/"),
    Endpoint("accounts/confirm-email/<str:key>/", path="accounts/confirm-email/{sku}/"),
    Endpoint("accounts/^confirm-email/(?P<key>[-:\\w]+)/$", path="accounts/confirm-email/{sku}/"),
    Endpoint("accounts/reauthenticate/", "POST", body={"password": "x"}, member=True),
    Endpoint("accounts/password/change/", "POST", body={"oldpassword": "x"}, member=True),
    Endpoint("accounts/password/set/", "POST", body={"password1": "x"}, member=True),
    Endpoint("accounts/password/reset/", "POST", body={"email": "mei@example.com"}),
    Endpoint("accounts/password/reset/done/"),
    Endpoint("accounts/password/reset/key/done/"),
    Endpoint(
        "accounts/^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
        path="accounts/password/reset/key/1-{sku}/",
    ),
    Endpoint("accounts/login/code/confirm/", "POST", body={"code": "123"}),
]
WITH_PARAMETER: Final = [endpoint for endpoint in ENDPOINTS if "{" in endpoint.path]
WITH_BODY: Final = [endpoint for endpoint in ENDPOINTS if endpoint.body]
JSON_BODY: Final = [endpoint for endpoint in WITH_BODY if endpoint.is_api]
FORM_BODY: Final = [endpoint for endpoint in WITH_BODY if not endpoint.is_api]

HEADED: Final = [
    endpoint
    for endpoint in ENDPOINTS
    if endpoint.route in {"", "api/cart", "api/orders", "cart/", "checkout/", "accounts/login/"}
]
"""One of each kind: headers are read by the middleware in front of them all."""
DESCRIPTIONS: Final = {"api/", "api/docs", "api/openapi.json"}
PATH_PARTS: Final = [
    "%00",
    "a%00b",
    "%FF%FE",
    LONG,
    "..%2F..%2Fetc%2Fpasswd",
    quote("<script>alert(1)</script>"),
    "9" * 40,
    "-1",
    quote("💥"),
    "a%0D%0AX-Evil:1",
]
QUERY_VALUES: Final = [
    "abc",
    "0",
    "-1",
    "1000000000",
    "1e400",
    "9" * 5000,
    "NaN",
    "%00",
    "%FF%FE",
    quote("<b>'\"--"),
    quote("!(a & | b) <-> :* \\"),
    quote("💥"),
    quote("²"),
    "",
]
JSON_VALUES: Final[dict[str, Any]] = {
    "null": None,
    "array": [],
    "object": {"a": 1},
    "true": True,
    "fraction": 1.5,
    "zero": 0,
    "negative": -1,
    "huge": 10**9,
    "text": "two",
    "nul": "a\x00b",
    "lone-surrogate": "\ud800",
    "long": LONG,
    "empty": "",
}
JSON_BODIES: Final[dict[str, tuple[bytes, str]]] = {
    "broken": (b'{"sku": ', "application/json"),
    "not-json": (b"sku=RB-1", "application/json"),
    "invalid-utf8": (b'{"sku": "\xff\xfe", "quantity": 1}', "application/json"),
    "null": (b"null", "application/json"),
    "array": (b"[]", "application/json"),
    "number": (b"1e400", "application/json"),
    "too-many-digits": (b'{"quantity": ' + b"9" * 5000 + b"}", "application/json"),
    "infinite": (b'{"sku": "RB-1", "quantity": 1e400}', "application/json"),
    "nan": (b'{"sku": "RB-1", "quantity": NaN}', "application/json"),
    "deep": (b"[" * 100_000, "application/json"),
    "deep-and-closed": (b"[" * 900 + b"]" * 900, "application/json"),
    "empty": (b"", "application/json"),
    "oversized": (b'"' + b"x" * (2 << 20) + b'"', "application/json"),
    "form": (b"sku=RB-1&quantity=1", "application/x-www-form-urlencoded"),
    "text": (b"{}", "text/plain"),
    "broken-multipart": (b"--x\r\n", "multipart/form-data; boundary=x"),
}
FORM_VALUES: Final = [
    "",
    "0",
    "-1",
    "1000000000",
    "1e400",
    "9" * 5000,
    "NaN",
    "two",
    "%00",
    "%FF%FE",
    LONG,
    quote("<script>alert(1)</script>"),
    "a%0D%0Ab",
    quote("https://evil.example/"),
]
FORM_TYPE: Final = "application/x-www-form-urlencoded"
FORM_BODIES: Final[dict[str, tuple[bytes, str]]] = {
    "json": (b'{"quantity": 1}', "application/json"),
    "invalid-utf8": (b"quantity=\xff\xfe&\xff=1", FORM_TYPE),
    "unknown-charset": (b"quantity=1", f"{FORM_TYPE}; charset=nonsense"),
    "oversized": (b"sku=" + b"x" * (2 << 20), FORM_TYPE),
    "too-many-fields": (b"&".join(b"a%d=1" % number for number in range(2500)), FORM_TYPE),
    "broken-multipart": (b"--x\r\nContent-Disposition: form", "multipart/form-data; boundary=x"),
    "multipart-without-boundary": (b"--x\r\n", "multipart/form-data"),
    "empty": (b"", FORM_TYPE),
}
HEADERS: Final[list[dict[str, str]]] = [
    {"Cookie": "SESSION=../../etc/passwd"},
    {"Cookie": f"SESSION={LONG}"},
    {"Cookie": 'SESSION="a\\000b"'},
    {"Cookie": "csrftoken=short; django_language=xx; messages=%00"},
    {
        "Accept-Language": "x" * 2000 + ";q=NaN",
        "Cookie": f"django_language={LONG}",
    },
    {"HX-Request": "true", "HX-Target": LONG, "HX-Current-URL": "::"},
    {"Accept": "a/b/c;;q=x,,"},
    {"X-Forwarded-For": "not-an-address", "X-Forwarded-Proto": "gopher"},
    {"Idempotency-Key": LONG},
    {"Content-Length": "many"},
]


@dataclass
class World:
    """A shop with a shopper who has a cart, an address and an order, and a stranger's order."""

    customer: Customer
    product: Product
    address: Address
    order: Order
    foreign: Order
    foreign_address: Address
    payment: Payment

    def fill(self, endpoint: Endpoint) -> str:
        return endpoint.template.format(
            sku=self.product.variants.get().sku,
            slug=self.product.slug,
            category=self.product.category.slug,
            number=self.order.number,
            pk=self.address.pk,
            uuid=self.payment.pk,
        )


@pytest.fixture
def world(settings: Settings) -> World:
    # This test's rows are not committed: the standby's connection would not see them.
    settings.DATABASE_ROUTERS = []
    customer = make_customer()
    product = make_product(category=make_category())
    make_cart({product.variants.get(): 1}, customer=customer)
    stranger = make_customer()
    order = make_order(customer=customer)
    return World(
        customer,
        product,
        Address.objects.create(customer=customer, **ADDRESS),
        order,
        make_order(customer=stranger),
        Address.objects.create(customer=stranger, **ADDRESS),
        open_payment(order=order, gateway="invoice"),
    )


@pytest.fixture
def shopper(world: World) -> Client:
    """Logged in, with a cart. A mistake of ours is answered, as in production, with a 500."""
    client = Client(raise_request_exception=False)
    client.force_login(world.customer)
    return client


def client_for(endpoint: Endpoint, shopper: Client) -> Client:
    """Log-in pages send those away who are logged in."""
    if endpoint.route.startswith("accounts/") and not endpoint.member:
        return Client(raise_request_exception=False)
    return shopper


def send(
    client: Client,
    endpoint: Endpoint,
    path: str,
    body: bytes = b"",
    content_type: str = "",
    headers: Mapping[str, str] | None = None,
) -> Any:
    keys = {"Idempotency-Key": str(uuid4())} if endpoint.is_api else {}
    response: Any = client.generic(
        endpoint.method, path, body, content_type=content_type, headers=keys | dict(headers or {})
    )
    return response


def assert_harmless(response: Any, sent: object = "") -> None:
    """Served, sent elsewhere or refused; if refused, in words that a person can follow."""
    content = b"" if response.streaming else response.content
    assert response.status_code < HTTPStatus.INTERNAL_SERVER_ERROR, (sent, content[:2000])
    assert b"Traceback" not in content
    if response.status_code < HTTPStatus.BAD_REQUEST:
        return
    if response.headers["Content-Type"] == "application/problem+json":
        problem = json.loads(content)
        assert problem["status"] == response.status_code
        assert len(problem["detail"].split()) >= 4
    elif response.status_code != HTTPStatus.METHOD_NOT_ALLOWED:
        assert re.search(rb"<(h1|p)\b", content), (sent, content[:500])


def assert_refused(response: Any, sent: object = "") -> None:
    assert_harmless(response, sent)
    assert response.status_code >= HTTPStatus.BAD_REQUEST, (sent, response.content[:2000])


def routes(resolver: URLResolver, prefix: str = "") -> Iterator[str]:
    for pattern in resolver.url_patterns:
        route = f"{prefix}{pattern.pattern}"
        if isinstance(pattern, URLPattern):
            yield route
        else:
            yield from routes(pattern, route)


def test_every_endpoint_is_listed_here() -> None:
    """The admin is Django's own and stands behind a staff log-in."""
    known = {route for route in routes(get_resolver()) if not route.startswith("admin/")}

    assert {endpoint.route for endpoint in ENDPOINTS} | LOOKS == known


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=str)
def test_good_input_is_not_refused(endpoint: Endpoint, world: World, shopper: Client) -> None:
    """A control: the tests below do reach the endpoint."""
    if endpoint.route in ("api/", TOKEN, "accounts/login/", "accounts/password/set/", WEBHOOK):
        return
    body, content_type = encode(endpoint, dict(endpoint.body))
    body = body.replace(b"RB-1", world.product.variants.get().sku.encode())

    response = send(
        client_for(endpoint, shopper), endpoint, world.fill(endpoint), body, content_type
    )

    assert_harmless(response)


def encode(endpoint: Endpoint, content: dict[str, Any]) -> tuple[bytes, str]:
    if not endpoint.body:
        return b"", ""
    if endpoint.is_api:
        return json.dumps(content).encode(), "application/json"
    return urlencode(content).encode(), FORM_TYPE


@pytest.mark.parametrize("endpoint", WITH_PARAMETER, ids=str)
def test_bad_path_is_refused(endpoint: Endpoint, shopper: Client) -> None:
    client = client_for(endpoint, shopper)
    body, content_type = encode(endpoint, dict(endpoint.body))
    for part in PATH_PARTS:
        path = re.sub(r"\{\w+\}", part, endpoint.template)

        response = send(client, endpoint, path, body, content_type)
        if response.headers.get("Location", "").startswith("/orders/"):
            response = client.get(response.headers["Location"])  # it says that there is none

        if endpoint.route.startswith("accounts/"):  # an old key is answered with a page
            assert_harmless(response, path)
        else:
            assert_refused(response, path)


@pytest.mark.parametrize("endpoint", [e for e in ENDPOINTS if e.method == "GET"], ids=str)
def test_bad_query_does_no_harm(endpoint: Endpoint, world: World, shopper: Client) -> None:
    names = (*endpoint.query, "%FF", "a%00")
    for value in QUERY_VALUES:
        path = f"{world.fill(endpoint)}?{'&'.join(f'{name}={value}' for name in names)}"
        assert_harmless(send(client_for(endpoint, shopper), endpoint, path), path)


@pytest.mark.parametrize("value", ["abc", "0", "-1", "1000000000", "1e400", "%00", ""])
def test_bad_page_of_the_api_is_refused(value: str, shopper: Client) -> None:
    assert_refused(shopper.get(f"/api/products?page={value}"))


@pytest.mark.parametrize("endpoint", JSON_BODY, ids=str)
def test_bad_json_is_refused(endpoint: Endpoint, world: World, shopper: Client) -> None:
    for name, (body, content_type) in JSON_BODIES.items():
        if endpoint.route == TOKEN and name in ("null", "empty"):
            continue  # without credentials it is the session that gets its token
        response = send(shopper, endpoint, world.fill(endpoint), body, content_type)

        assert_refused(response, name)
        assert response.headers["Content-Type"] == "application/problem+json"


def paths_into(content: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for name, value in content.items():
        yield (name,)
        if isinstance(value, dict):
            yield from ((name, *rest) for rest in paths_into(value))


def is_fine(path: tuple[str, ...], bad: str) -> bool:
    """`two` is a fine name, street, town or reason; a thousand million may be an amount."""
    if path[-1] == "amount":
        return bad == "huge"
    return bad == "text" and path[-1] in {"name", "line1", "city", "postcode", "reason"}


@pytest.mark.parametrize("endpoint", JSON_BODY, ids=str)
def test_bad_json_member_is_refused_by_name(
    endpoint: Endpoint, world: World, shopper: Client
) -> None:
    for path, (bad, value) in product(paths_into(endpoint.body), JSON_VALUES.items()):
        content = json.loads(json.dumps(endpoint.body))
        place = content
        for name in path[:-1]:
            place = place[name]
        place[path[-1]] = value
        body, content_type = encode(endpoint, content)

        response = send(shopper, endpoint, world.fill(endpoint), body, content_type)

        left_out = endpoint.route == "api/session" and value is None
        if left_out or is_fine(path, bad):
            assert_harmless(response, (path, bad))
        else:
            assert_refused(response, (path, bad))
            if endpoint.route == TOKEN and response.status_code == HTTPStatus.UNAUTHORIZED:
                continue  # any text may be an e-mail; which of the two is wrong is not told
            assert path[-1] in response.content.decode(), (path, bad, response.content)


@pytest.mark.parametrize("endpoint", FORM_BODY, ids=str)
def test_bad_form_does_no_harm(endpoint: Endpoint, world: World, shopper: Client) -> None:
    client, path = client_for(endpoint, shopper), world.fill(endpoint)
    for name, (body, content_type) in FORM_BODIES.items():
        assert_harmless(send(client, endpoint, path, body, content_type), name)


@pytest.mark.parametrize("endpoint", FORM_BODY, ids=str)
def test_bad_form_field_does_no_harm(endpoint: Endpoint, world: World, shopper: Client) -> None:
    client = client_for(endpoint, shopper)
    for name, value in product(endpoint.body, FORM_VALUES):
        others = urlencode({key: good for key, good in endpoint.body.items() if key != name})
        body = f"{others}&{name}={value}".encode()

        response = send(client, endpoint, world.fill(endpoint), body, FORM_TYPE)

        assert_harmless(response, (name, value))
        assert not response.headers.get("Location", "").startswith("https://evil.example")


@pytest.mark.parametrize("endpoint", HEADED, ids=str)
def test_bad_header_does_no_harm(endpoint: Endpoint, world: World, shopper: Client) -> None:
    body, content_type = encode(endpoint, dict(endpoint.body))
    for headers in HEADERS:
        client = Client(raise_request_exception=False) if "Cookie" in headers else shopper
        response = send(client, endpoint, world.fill(endpoint), body, content_type, headers)
        assert_harmless(response, headers)


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=str)
def test_bad_method_does_no_harm(endpoint: Endpoint, world: World, shopper: Client) -> None:
    for method in ("PUT", "BREW"):
        response = client_for(endpoint, shopper).generic(method, world.fill(endpoint))

        assert_harmless(response, method)
        if endpoint.is_api and endpoint.route not in DESCRIPTIONS:
            assert response.status_code == HTTPStatus.METHOD_NOT_ALLOWED
            assert response.headers["Allow"]


# --- One by one, with the exact answer -----------------------------------------------------------


@pytest.mark.parametrize(
    ("quantity", "status"),
    [("0", 422), ("-1", 422), ("1000000000", 422), ("1e400", 422), ("two", 422), ("", 422)],
)
def test_bad_quantity_in_the_cart_form(
    quantity: str, status: int, world: World, shopper: Client
) -> None:
    sku = world.product.variants.get().sku

    response = shopper.post("/cart/items/", {"sku": sku, "quantity": quantity})

    assert response.status_code == status
    assert_refused(response)
    assert world.customer.cart.lines.get().quantity == 1


def test_unknown_sku(world: World, shopper: Client) -> None:
    unknown = {"sku": "NO-SUCH", "quantity": 1}

    assert shopper.post("/cart/items/", unknown).status_code == HTTPStatus.NOT_FOUND
    assert shopper.post("/cart/items/NO-SUCH/", {"quantity": 1}).status_code == HTTPStatus.NOT_FOUND
    for method, path in [
        ("POST", "/api/cart/items"),
        ("PATCH", "/api/cart/items/NO-SUCH"),
        ("DELETE", "/api/cart/items/NO-SUCH"),
    ]:
        response = shopper.generic(method, path, json.dumps(unknown), "application/json")
        assert response.status_code == HTTPStatus.NOT_FOUND
        assert response.json()["sku"] == "NO-SUCH"


def test_expired_cart(world: World, shopper: Client) -> None:
    """The session outlived the cart's row."""
    guest = Client(raise_request_exception=False)
    sku = world.product.variants.get().sku
    guest.post("/cart/items/", {"sku": sku, "quantity": 1})
    Cart.objects.all().delete()

    cart = guest.get("/cart/")
    changed = guest.post(f"/cart/items/{sku}/", {"quantity": 2})
    checkout = guest.get("/checkout/")
    ordered = guest.post("/checkout/", CHECKOUT | {"key": str(uuid4())})
    over_api = send(guest, Endpoint("api/orders", "POST"), "/api/orders", *encode_order())

    assert cart.status_code == HTTPStatus.OK
    assert_refused(changed)
    assert checkout.status_code == HTTPStatus.FOUND
    assert_harmless(ordered)
    assert over_api.status_code == HTTPStatus.CONFLICT
    assert Order.objects.count() == 2


def encode_order() -> tuple[bytes, str]:
    return json.dumps(ORDER).encode(), "application/json"


def test_foreign_order_number(world: World, shopper: Client) -> None:
    """A number that exists and one that does not are answered alike."""
    never = "AP-0000-0000-0000"
    for path in ("/orders/{}/", "/api/orders/{}"):
        foreign = shopper.get(path.format(world.foreign.number))
        unknown = shopper.get(path.format(never))
        assert foreign.status_code == unknown.status_code == HTTPStatus.NOT_FOUND
    looked_up = shopper.post(
        "/orders/", {"number": world.foreign.number, "email": "eve@example.com"}
    )
    assert looked_up.status_code == HTTPStatus.NOT_FOUND


def test_foreign_address(world: World, shopper: Client) -> None:
    path = f"/account/addresses/{world.foreign_address.pk}/"

    for action in ("", "delete/", "default/"):
        assert shopper.post(f"{path}{action}", ADDRESS).status_code == HTTPStatus.NOT_FOUND
    world.foreign_address.refresh_from_db()


@pytest.mark.parametrize("key", ["", "7", "not-a-uuid", UUID_1, "\x00", LONG])
def test_bad_key_at_checkout(key: str, world: World, shopper: Client) -> None:
    response = shopper.post("/checkout/", CHECKOUT | {"key": key})

    assert response.status_code == HTTPStatus.BAD_REQUEST
    assert Order.objects.count() == 2


def test_oversized_body(world: World, shopper: Client) -> None:
    large = "x" * (2 << 20)

    form = shopper.generic("POST", "/cart/items/", f"sku={large}", FORM_TYPE)
    over_api = shopper.generic("POST", "/api/cart/items", json.dumps(large), "application/json")

    assert form.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    assert over_api.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE


def test_bad_host(shopper: Client) -> None:
    response = shopper.get("/", headers={"Host": "evil.example"})

    assert response.status_code == HTTPStatus.BAD_REQUEST
    assert_refused(response)
