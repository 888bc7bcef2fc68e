"""Stock and categories in the admin."""

import threading
from functools import partial
from typing import Any, Final
from uuid import uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.db import IntegrityError
from django.test import Client
from django.urls import reverse

from shop.admin import stock
from shop.admin.base import ModelAdmin
from shop.admin.stock import StockItemAdmin
from shop.models import StockItem
from shop.services.stock import Cause, Mover, allocate_stock, ship_stock
from tests.factories import make_category, make_product
from tests.orders.life import at_once
from tests.orders.outcomes import Outcomes
from tests.staff import boss, clerk, client_of

pytestmark = pytest.mark.django_db

ORDER: Final = Cause(Mover.SHOPPER, order="AP-0000-0000-0001")


@pytest.fixture
def client() -> Client:
    return client_of(boss())


def page(item: StockItem) -> str:
    return reverse("admin:shop_stockitem_change", args=[item.pk])


def save_stock(
    client: Client, item: StockItem, *, typed: object, shown: object, **more: Any
) -> Any:
    form = {"on_hand": typed, "initial-on_hand": shown, "kind": "adjusted", "reason": "a count"}
    return client.post(page(item), form | {"key": str(uuid4())} | more)


def units(item: StockItem) -> tuple[int, int]:
    item.refresh_from_db()
    return item.on_hand, item.allocated


def last(item: StockItem) -> tuple[str, int, str, str, str]:
    movement = item.movements.latest("sequence")
    actor = movement.actor.email if movement.actor else ""
    return movement.kind, movement.on_hand_change, movement.mover, actor, movement.reason


def test_stock_is_adjusted_with_who_and_why(client: Client) -> None:
    item = make_product(stock=10).variants.get().stock

    response = save_stock(client, item, typed=7, shown=10, reason="three broke")

    assert response.status_code == 302
    assert units(item) == (7, 0)
    assert last(item) == ("adjusted", -3, "staff", "boss@example.com", "three broke")


def test_goods_are_received(client: Client) -> None:
    item = make_product(stock=10).variants.get().stock

    save_stock(client, item, typed=25, shown=10, kind="received", reason="delivery 17")

    assert units(item) == (25, 0)
    assert last(item) == ("received", 15, "staff", "boss@example.com", "delivery 17")


@pytest.mark.parametrize(
    ("typed", "kind", "reason", "said"),
    [
        (7, "adjusted", "", "Please say why"),
        (7, "received", "oops", "What is received adds units"),
    ],
)
def test_a_change_without_sense_is_a_form_error(
    client: Client, typed: int, kind: str, reason: str, said: str
) -> None:
    item = make_product(stock=10).variants.get().stock

    response = save_stock(client, item, typed=typed, shown=10, kind=kind, reason=reason)

    assert response.status_code == 200
    assert said in response.text
    assert (units(item), item.movements.count()) == ((10, 0), 1)


def told(client: Client, response: Any) -> list[str]:
    return [str(message) for message in client.get(response["Location"]).context["messages"]]


@pytest.mark.parametrize("typed", [15, 3])
def test_one_form_sent_twice_moves_stock_once(client: Client, typed: int) -> None:
    """Also where it took most of them away, and could not do so again."""
    item = make_product(stock=10).variants.get().stock
    key = str(uuid4())

    for _ in range(2):
        response = save_stock(client, item, typed=typed, shown=10, key=key, back_order="on")

    assert told(client, response)[1:] == ["This form was sent before: nothing was changed again."]
    assert (units(item), item.movements.count(), item.back_order) == ((typed, 0), 2, True)
    assert LogEntry.objects.count() == 1


@pytest.mark.parametrize(
    "other",
    [
        {"on_hand": 4},
        {"on_hand": 10},
        {"reason": "no count"},
        {"kind": "received"},
        {"back_order": "on"},
    ],
)
def test_a_spent_form_with_something_else_in_it_is_refused(
    client: Client, other: dict[str, Any]
) -> None:
    item = make_product(stock=10).variants.get().stock
    key = str(uuid4())
    save_stock(client, item, typed=15, shown=10, key=key)
    outcomes = Outcomes()

    response = save_stock(client, item, typed=15, shown=10, key=key, **other)

    assert response.status_code == 200
    assert "Nothing was changed now. Open the page anew" in response.text
    assert (units(item), item.movements.count(), item.back_order) == ((15, 0), 2, False)
    assert (LogEntry.objects.count(), outcomes.since()) == (1, {"reused": 1})


def test_a_form_that_was_spent_on_another_item_is_refused(client: Client) -> None:
    first, second = (make_product(stock=10).variants.get().stock for _ in range(2))
    key = str(uuid4())
    save_stock(client, first, typed=15, shown=10, key=key)

    response = save_stock(client, second, typed=15, shown=10, key=key)

    assert "Nothing was changed now. Open the page anew" in response.text
    assert (units(first), units(second)) == ((15, 0), (10, 0))


@pytest.mark.parametrize("key", ["", "x", "6ba7b810-9dad-11d1-80b4-00c04fd430c8"])
def test_a_form_without_its_key_changes_nothing(client: Client, key: str) -> None:
    item = make_product(stock=10).variants.get().stock

    for _ in range(2):
        response = save_stock(client, item, typed=15, shown=10, key=key, back_order="on")

    assert "This form came without its key" in response.text
    assert (units(item), item.back_order) == ((10, 0), False)


def take_most_twice_at_once(item: StockItem, clients: list[Client]) -> dict[str, int]:
    outcomes, key = Outcomes(), str(uuid4())

    def click(client: Client) -> Any:
        return save_stock(client, item, typed=3, shown=10, key=key)

    at_once(*(lambda client=client: click(client) for client in clients))
    return outcomes.since()


@pytest.fixture
def clients() -> list[Client]:
    person = boss()
    return [client_of(person), client_of(person)]


@pytest.mark.django_db(transaction=True)
def test_two_clicks_at_the_same_moment_are_one_change(clients: list[Client]) -> None:
    item = make_product(stock=10).variants.get().stock

    assert take_most_twice_at_once(item, clients) == {"done": 1, "replayed": 1}
    assert (units(item), item.movements.count()) == ((3, 0), 2)


@pytest.mark.django_db(transaction=True)
def test_without_the_lock_two_clicks_both_find_their_key_free(
    clients: list[Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: only the ledger's last resort is left, and the second click is an error."""
    item = make_product(stock=10).variants.get().stock
    both = threading.Barrier(2, timeout=20)
    save = StockItemAdmin._save

    def save_together(*given: Any) -> None:
        both.wait()
        save(*given)

    monkeypatch.setattr(StockItemAdmin, "get_object", ModelAdmin.get_object)
    monkeypatch.setattr(stock, "hold_key", lambda key: None)
    monkeypatch.setattr(StockItemAdmin, "_save", save_together)

    assert take_most_twice_at_once(item, clients) == {"done": 1, "failed": 1}


def send_one_key_for_two_items(clients: list[Client]) -> tuple[list[Any], list[StockItem]]:
    items = [make_product(stock=10).variants.get().stock for _ in clients]
    key = str(uuid4())

    def click(client: Client, item: StockItem) -> Any:
        return save_stock(client, item, typed=3, shown=10, key=key)

    pairs = zip(clients, items, strict=True)
    return at_once(*(partial(click, client, item) for client, item in pairs)), items


@pytest.mark.django_db(transaction=True)
def test_one_key_for_two_items_at_the_same_moment_moves_one(clients: list[Client]) -> None:
    answers, items = send_one_key_for_two_items(clients)

    assert sorted(answer.status_code for answer in answers) == [200, 302]
    refused = next(answer for answer in answers if answer.status_code == 200)
    assert "Nothing was changed now. Open the page anew" in refused.text
    assert sorted(units(item) for item in items) == [(3, 0), (10, 0)]


@pytest.mark.django_db(transaction=True)
def test_unless_the_key_is_held_one_of_the_two_is_an_error(
    clients: list[Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control."""
    both = threading.Barrier(2, timeout=20)
    save = StockItemAdmin._save

    def save_together(*given: Any) -> None:
        both.wait()
        save(*given)

    monkeypatch.setattr(stock, "hold_key", lambda key: None)
    monkeypatch.setattr(StockItemAdmin, "_save", save_together)

    answers, _ = send_one_key_for_two_items(clients)

    # Django's test client hears of the errors of all clients.
    assert any(isinstance(answer, IntegrityError) for answer in answers), answers


def test_stock_below_what_orders_hold_is_a_form_error(client: Client) -> None:
    item = make_product(stock=10).variants.get().stock
    allocate_stock({item.variant_id: 4}, ORDER)

    response = save_stock(client, item, typed=3, shown=10)

    assert response.status_code == 200
    assert "4 units belong to orders" in response.text
    assert units(item) == (10, 4)


def test_stock_that_moved_while_the_page_was_open_is_not_overwritten(client: Client) -> None:
    item = make_product(stock=10).variants.get().stock
    allocate_stock({item.variant_id: 4}, ORDER)
    ship_stock({item.variant_id: 2}, ORDER)

    save_stock(client, item, typed=15, shown=10)

    assert units(item) == (13, 2)


def test_an_untouched_stale_page_changes_nothing(client: Client) -> None:
    item = make_product(stock=10).variants.get().stock
    allocate_stock({item.variant_id: 4}, ORDER)
    ship_stock({item.variant_id: 4}, ORDER)

    save_stock(client, item, typed=10, shown=10, reason="")

    assert units(item) == (6, 0)


@pytest.mark.parametrize("typed", ["-1", "many", "", "99999999999999999999"])
def test_nonsense_stock_is_a_form_error(client: Client, typed: str) -> None:
    item = make_product(stock=10).variants.get().stock

    response = save_stock(client, item, typed=typed, shown=10)

    assert response.status_code == 200
    assert units(item) == (10, 0)


def test_back_order_is_switched_on_and_ends_when_the_units_have_come(client: Client) -> None:
    item = make_product(stock=1).variants.get().stock

    save_stock(client, item, typed=1, shown=1, back_order="on")
    allocate_stock({item.variant_id: 3}, ORDER)
    refused = save_stock(client, item, typed=1, shown=1)
    save_stock(client, item, typed=4, shown=1, kind="received", reason="delivery 18")

    assert "Orders wait for 2 units" in refused.text
    assert (units(item), item.back_order) == ((4, 3), False)


def test_the_page_shows_its_history_with_people_orders_and_reasons(client: Client) -> None:
    item = make_product(stock=10).variants.get().stock
    allocate_stock({item.variant_id: 4}, ORDER)
    save_stock(client, item, typed=12, shown=10, reason="found behind the shelf")

    rows = client.get(page(item)).context["movements"]

    assert [(row["kind"], row["on_hand"], row["allocated"]) for row in rows] == [
        ("Adjusted", "+2", ""),
        ("Allocated", "", "+4"),
        ("Received", "+10", ""),
    ]
    assert rows[0]["why"] == "found behind the shelf"
    assert ORDER.order in rows[1]["order"]
    text = client.get(page(item)).text
    assert "found behind the shelf" in text
    assert "('in'" not in text


def test_who_may_only_look_sees_units_and_history_without_a_form() -> None:
    item = make_product(stock=10).variants.get().stock

    response = client_of(clerk("view_stockitem")).get(page(item))

    assert response.status_code == 200
    assert 'name="reason"' not in response.text
    assert "What moved" in response.text


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
