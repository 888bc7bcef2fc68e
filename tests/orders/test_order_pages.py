"""An order's page, who may see it, and finding it again."""

from http import HTTPStatus
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from orders.models import Order, OrderLine, OrderStatusChange
from orders.numbers import read_number
from orders.queries import SESSION_ORDERS, SESSION_PLACED
from orders.services.status import change_status
from shop.throttle import LOOKUP, SCAN
from tests.factories import make_customer, make_order, make_product, make_variant

pytestmark = pytest.mark.django_db(databases=["default", "replica"])
LOOK_UP = "/orders/"


def text_of(response: Any) -> str:
    return str(response.content.decode())


def placed_order(*, lines: int = 1, **fields: Any) -> Order:
    order = make_order(**fields)
    product = make_product()
    for _ in range(lines):
        variant = make_variant(product)
        OrderLine.objects.create(
            order=order,
            variant=variant,
            sku=variant.sku,
            name="Rope Bag",
            options={"Colour": "Sand"},
            quantity=2,
            unit_amount=500,
            total_amount=1000,
        )
    OrderStatusChange.objects.create(order=order, to_status=order.status)
    return order


def remember(client: Client, order: Order) -> None:
    session = client.session
    session[SESSION_ORDERS] = session[SESSION_PLACED] = [order.number]
    session.save()


@pytest.fixture
def order() -> Order:
    return placed_order(email="mei@example.com")


def test_the_browser_that_placed_it_sees_it(client: Client, order: Order) -> None:
    remember(client, order)

    response = client.get(order.get_absolute_url())

    text = text_of(response)
    assert response.status_code == HTTPStatus.OK
    assert response.headers["Cache-Control"] == "private, no-store"
    for expected in (order.number, "Rope Bag", "Sand", "NT$1,080", "1 Harbour Road", "Taiwan"):
        assert expected in text


def test_the_customer_who_placed_it_sees_it(client: Client) -> None:
    customer = make_customer()
    order = placed_order(customer=customer)
    client.force_login(customer)

    assert client.get(order.get_absolute_url()).status_code == HTTPStatus.OK


@pytest.mark.parametrize(
    ("permission", "status"),
    [("view_order", HTTPStatus.OK), ("view_product", HTTPStatus.NOT_FOUND)],
)
def test_staff_see_it_if_they_may_view_orders(
    client: Client, order: Order, permission: str, status: HTTPStatus
) -> None:
    staff = make_customer(is_staff=True)
    staff.user_permissions.add(Permission.objects.get(codename=permission))
    client.force_login(staff)

    assert client.get(order.get_absolute_url()).status_code == status
    assert client.get(f"/api/orders/{order.number}").status_code == status


def test_a_superuser_sees_it(client: Client, order: Order) -> None:
    client.force_login(make_customer(is_staff=True, is_superuser=True))

    assert client.get(order.get_absolute_url()).status_code == HTTPStatus.OK


def test_a_foreign_order_and_an_unknown_number_look_alike(client: Client, order: Order) -> None:
    client.force_login(make_customer())

    foreign = client.get(order.get_absolute_url())
    unknown = client.get("/orders/AP-0000-0000-0000/")

    assert foreign.status_code == unknown.status_code == HTTPStatus.NOT_FOUND
    assert "This order cannot be shown here." in text_of(foreign)

    def without_what_was_asked(response: Any, number: str) -> str:
        text = text_of(response).replace(number, "")
        return "".join(line for line in text.splitlines() if "csrf" not in line.lower())

    assert without_what_was_asked(foreign, order.number) == without_what_was_asked(
        unknown, "AP-0000-0000-0000"
    )


@pytest.mark.parametrize("number", ["x", "AP-%00", "%FF", "A" * 300, "AP-UUUU-UUUU-UUUU", "1"])
def test_a_strange_number_is_not_found(client: Client, number: str) -> None:
    assert client.get(f"/orders/{number}/").status_code == HTTPStatus.NOT_FOUND


def test_a_number_in_lower_case_leads_to_the_order(client: Client, order: Order) -> None:
    remember(client, order)

    response = client.get(f"/orders/{order.number.lower()}/")

    assert response.headers["Location"] == order.get_absolute_url()


def test_the_status_part_stands_alone(client: Client, order: Order) -> None:
    remember(client, order)

    text = text_of(client.get(f"{order.get_absolute_url()}?partial=status")).strip()

    assert text.startswith("<section")
    assert text.endswith("</section>")
    assert 'id="order-status"' in text
    assert f'data-order="{order.number}"' in text
    assert "Please transfer" in text


def test_the_status_part_is_as_private_as_the_page(client: Client, order: Order) -> None:
    response = client.get(f"{order.get_absolute_url()}?partial=status")

    assert response.status_code == HTTPStatus.NOT_FOUND


@pytest.mark.parametrize(
    ("payment", "steps", "sentence", "ahead"),
    [
        ("invoice", [], "Please transfer", 2),
        ("cash_on_delivery", [], "ready for the courier", 1),
        ("invoice", ["paid"], "packing the parcel", 1),
        ("cash_on_delivery", ["fulfilled"], "has left our harbour", 0),
        ("invoice", ["paid", "fulfilled"], "has left our harbour", 0),
        ("invoice", ["cancelled"], "is cancelled", 0),
        ("invoice", ["paid", "refunded"], "sent your money back", 0),
    ],
)
def test_each_status_says_what_comes_next(
    client: Client, payment: str, steps: list[str], sentence: str, ahead: int
) -> None:
    order = make_order(payment_method=payment)
    OrderStatusChange.objects.create(order=order, to_status=order.status)
    for step in steps:
        change_status(order=order, to=step)
    remember(client, order)

    text = text_of(client.get(order.get_absolute_url()))

    assert sentence in text
    assert text.count("to come") == ahead
    assert text.count('aria-current="step"') == 1


@pytest.mark.parametrize("lines", [1, 3])
def test_order_asks_as_often_for_three_lines(
    client: Client, lines: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    order = placed_order(lines=lines)
    remember(client, order)
    client.get(order.get_absolute_url())

    with django_assert_num_queries(11):
        client.get(order.get_absolute_url())


# --- Look-up -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spelling", [str, str.lower, lambda number: f" {number.replace('-', ' ')} ", lambda n: n[3:]]
)
def test_number_and_e_mail_open_an_order(client: Client, order: Order, spelling: Any) -> None:
    fields = {"number": spelling(order.number), "email": " MEI@example.com "}

    response = client.post(LOOK_UP, fields)

    assert response.headers["Location"] == order.get_absolute_url()
    assert client.get(order.get_absolute_url()).status_code == HTTPStatus.OK


def test_a_wrong_pair_does_not_say_which_was_wrong(client: Client, order: Order) -> None:
    pairs = [(order.number, "other@example.com"), ("AP-0000-0000-0000", "mei@example.com")]

    answers = [client.post(LOOK_UP, {"number": number, "email": email}) for number, email in pairs]

    assert [answer.status_code for answer in answers] == [HTTPStatus.NOT_FOUND] * 2
    for answer in answers:
        assert "We find no order with this number and this e-mail." in text_of(answer)
    assert SESSION_ORDERS not in client.session


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"number": "", "email": "mei@example.com"},
        {"number": "x" * 61, "email": "mei@example.com"},
        {"number": "\x00", "email": "mei@example.com"},
        {"number": "AP-1", "email": "nobody"},
    ],
)
def test_a_look_up_without_sense_is_refused(client: Client, fields: dict[str, str]) -> None:
    assert client.post(LOOK_UP, fields).status_code == HTTPStatus.UNPROCESSABLE_ENTITY


def look_up(client: Client, number: str, email: str, address: str = "203.0.113.7") -> list[Any]:
    """The page's answer and the API's, from an address."""
    headers = {"X-Forwarded-For": address}
    return [
        client.post(LOOK_UP, {"number": number, "email": email}, headers=headers),
        client.get(f"/api/orders/{number}", {"email": email}, headers=headers),
    ]


def statuses(answers: list[Any]) -> set[int]:
    return {answer.status_code for answer in answers}


def test_guessing_at_one_number_is_slowed_down(client: Client, order: Order) -> None:
    """The page and the API count together."""
    right, wrong = "mei@example.com", "guess@example.com"

    for _ in range(LOOKUP.tries // 2):
        assert statuses(look_up(client, order.number, wrong)) == {HTTPStatus.NOT_FOUND}
    refused = look_up(client, order.number, right)

    assert statuses(refused) == {HTTPStatus.TOO_MANY_REQUESTS}
    assert [answer.headers["Retry-After"] for answer in refused] == [str(LOOKUP.seconds)] * 2
    other = placed_order(email=right)
    assert statuses(look_up(Client(), other.number, right)) == {HTTPStatus.FOUND, HTTPStatus.OK}
    elsewhere = look_up(Client(), order.number, right, "203.0.113.9")
    assert statuses(elsewhere) == {HTTPStatus.FOUND, HTTPStatus.OK}


def test_scanning_many_numbers_is_slowed_down(client: Client, order: Order) -> None:
    for number in range(SCAN.tries // 2):
        answers = look_up(client, f"AP-0000-0000-{number:04}", "mei@example.com")
        assert statuses(answers) == {HTTPStatus.NOT_FOUND}

    refused = look_up(client, order.number, "mei@example.com")

    assert statuses(refused) == {HTTPStatus.TOO_MANY_REQUESTS}
    assert [answer.headers["Retry-After"] for answer in refused] == [str(SCAN.seconds)] * 2
    elsewhere = look_up(Client(), order.number, "mei@example.com", "203.0.113.9")
    assert statuses(elsewhere) == {HTTPStatus.FOUND, HTTPStatus.OK}


def test_finding_ones_order_is_never_slowed_down(order: Order) -> None:
    for _ in range(LOOKUP.tries + 1):
        answers = look_up(Client(), order.number, "mei@example.com")
        assert answers[0].headers["Location"] == order.get_absolute_url()
        assert answers[1].status_code == HTTPStatus.OK

    for _ in range(SCAN.tries):
        Client().post(LOOK_UP, {"number": order.number, "email": "mei@example.com"})
    assert statuses(look_up(Client(), order.number, "x@example.com")) == {HTTPStatus.NOT_FOUND}


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("AP-7K3Q-9XWM-2F4T", "AP-7K3Q-9XWM-2F4T"),
        ("ap 7k3q 9xwm 2f4t", "AP-7K3Q-9XWM-2F4T"),
        ("７ｋ３ｑ９ｘｗｍ２ｆ４ｔ", "AP-7K3Q-9XWM-2F4T"),
        ("AP-OIL0-0000-0000", "AP-0110-0000-0000"),
        ("AP00-0000-0000", "AP-AP00-0000-0000"),
        ("AP-7K3Q-9XWM-2F4", None),
        ("AP-7K3Q-9XWM-2F4U", None),
        ("", None),
    ],
)
def test_read_number_forgives(written: str, number: str | None) -> None:
    assert read_number(written) == number
