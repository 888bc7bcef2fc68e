"""Cash that never came: parcels that nobody accepted at the door, in the admin and its books."""

import threading
from datetime import timedelta
from functools import partial
from typing import Any, Final
from uuid import UUID, uuid4

import pytest
from django.db import IntegrityError
from django.test import Client
from django.utils import timezone, translation

from orders.admin.export import csv_lines
from orders.errors import NoUnits, ReturnOpen, TooManyUnits, WrongStatus
from orders.idempotency import KeyReused
from orders.invoice import invoice_url
from orders.mails import compose
from orders.models import Order, OrderLine, OutboxMessage, Refund, Return
from orders.reports import daily_takings, sales_rows
from orders.services import fulfilment, refusals
from orders.services.fulfilment import request_return, ship, ship_rest
from orders.services.payments import advance, settle_by_hand
from orders.services.refusals import Refusal, take_back_refused
from shop.models import Customer, StockMovement, Variant
from tests.factories import make_product
from tests.orders.admin_pages import act, confirm, fill, url
from tests.orders.life import (
    at_once,
    books_are_right,
    line_ids,
    lines,
    mails,
    paid,
    placed,
    press,
    steps,
    stock,
)
from tests.orders.outcomes import Outcomes
from tests.staff import boss, client_of

pytestmark = pytest.mark.django_db
LIVE: Final = pytest.mark.django_db(transaction=True)
NOTE: Final = "Not accepted at the door"
ENDED: Final = "The order is cancelled: nobody paid for it."


@pytest.fixture
def staff() -> Customer:
    return boss()


@pytest.fixture
def client(staff: Customer) -> Client:
    return client_of(staff)


@pytest.fixture
def other() -> Variant:
    return make_product(name="Deck Chair", stock=10, amount=4000).variants.get()


def cash(units: dict[Variant, int]) -> Order:
    return placed(units, payment_method="cash_on_delivery")


@pytest.fixture
def order(variant: Variant) -> Order:
    """Three bags on their way, to be paid at the door."""
    order = cash({variant: 3})
    ship_rest(order=order)
    return order


def refuse(
    order: Order,
    *units: int,
    restock: bool = True,
    lost: bool = False,
    reason: str = "nobody at home",
    key: UUID | None = None,
) -> Return:
    wanted = dict(zip(line_ids(order), units, strict=True))
    refusal = Refusal(wanted, restock, lost, reason)
    return take_back_refused(order=order, refusal=refusal, key=key or uuid4())


def state(order: Order) -> tuple[str, str]:
    """Of the order, and of its payment."""
    order.refresh_from_db()
    return order.status, order.payments.get().state


# --- On its page ---------------------------------------------------------------------------------


def test_what_came_back_unpaid_ends_the_order_once(
    client: Client, staff: Customer, order: Order, variant: Variant
) -> None:
    before, outcomes = stock(variant), Outcomes()
    sent = fill(client, order, "refused", reason="nobody at home", outcome="sellable")

    first, second = (confirm(client, order, "refused", sent) for _ in range(2))

    assert (before, stock(variant), lines(order)) == ((7, 0), (10, 0), [(3, 3, 3)])
    assert first == second == [ENDED]
    assert outcomes.since() == {"done": 1, "replayed": 1}
    assert (state(order), Refund.objects.count()) == (("cancelled", "cancelled"), 0)
    assert mails(order) == ["shipped", "cancelled"]
    step = order.history.latest("pk")
    assert (step.from_status, step.to_status) == ("fulfilled", "cancelled")
    assert (step.note, step.actor) == (NOTE, staff)
    movement = StockMovement.objects.latest("pk")
    assert (movement.kind, movement.on_hand_change, movement.reason) == (
        "received",
        3,
        "nobody at home",
    )
    assert (movement.actor, movement.order_number) == (staff, order.number)
    assert books_are_right()
    page = client.get(url(order, "change")).text
    assert "Refused at the door" in page
    assert "Received, on the shelf again" in page


def test_the_confirmation_says_what_becomes_of_each_unit(client: Client, order: Order) -> None:
    (line,) = line_ids(order)
    opened = client.get(url(order, "refused")).text
    typed = {f"line_{line}": "1", "lost": "on", "reason": "torn open", "outcome": "broken"}

    sent = fill(client, order, "refused", **typed)
    asked = client.post(url(order, "refused"), sent).text

    assert "3 of 3 are out." in opened
    for told in ("× 1", "Here, not to be sold again", "2 · Lost", "torn open"):
        assert told in asked
    assert confirm(client, order, "refused", sent) == [ENDED]


def test_what_is_broken_comes_back_without_a_movement(
    client: Client, order: Order, variant: Variant
) -> None:
    moved = StockMovement.objects.count()

    confirm(client, order, "refused", fill(client, order, "refused", reason="x", outcome="broken"))

    assert (stock(variant), StockMovement.objects.count()) == ((7, 0), moved)
    assert (lines(order), state(order)) == ([(3, 3, 3)], ("cancelled", "cancelled"))


def test_a_part_that_was_accepted_is_paid_for_and_the_rest_refunded(
    client: Client, order: Order, variant: Variant
) -> None:
    (line,) = line_ids(order)
    typed = {f"line_{line}": "1", "reason": "one too many", "outcome": "sellable"}
    sent = fill(client, order, "refused", **typed)

    told = confirm(client, order, "refused", sent)
    left = state(order), mails(order), stock(variant)
    paid = act(client, "mark_paid", order, confirmed="1")
    confirm(client, order, "refund", fill(client, order, "refund", amount="1290", reason="one"))

    assert told == ["Written down. 2 units are still out, and their money is awaited."]
    assert left == (("fulfilled", "requires_action"), ["shipped"], (8, 0))
    assert paid == [f"{order.number} is paid now."]
    assert (state(order), order.refunded_amount) == (("fulfilled", "captured"), 1290)
    (takings,) = daily_takings(since=timezone.now() - timedelta(days=1)).values()
    assert takings.net.amount == order.total_amount - 1290


def test_a_form_that_is_mended_takes_effect_once(client: Client, order: Order) -> None:
    (line,) = line_ids(order)
    typed = {f"line_{line}": "0", "reason": "x", "outcome": "sellable"}
    sent = fill(client, order, "refused", **typed)

    response = client.post(url(order, "refused"), sent | {"confirmed": "1"})

    assert (response.status_code, Return.objects.count()) == (422, 0)
    assert "Choose at least one unit." in response.text
    assert confirm(client, order, "refused", sent | {f"line_{line}": "3"}) == [ENDED]


def test_the_page_is_there_for_unpaid_cash_that_left(client: Client, variant: Variant) -> None:
    def is_offered(order: Order) -> bool:
        return url(order, "refused") in client.get(url(order, "change")).text

    sent, waits = cash({variant: 2}), cash({variant: 1})
    transfer = paid({variant: 1})
    ship(order=sent, units={line_ids(sent)[0]: 1}, key=uuid4())
    ship_rest(order=transfer)

    assert [is_offered(each) for each in (sent, waits, transfer)] == [True, False, False]
    settle_by_hand(order=sent, actor=None)
    assert not is_offered(sent)


# --- The service ---------------------------------------------------------------------------------


def test_a_refused_first_parcel_ends_an_order_of_which_some_is_here(
    variant: Variant, other: Variant
) -> None:
    """In one walk over stock's rows: what never left first, as its variant came first."""
    order = cash({variant: 2, other: 3})
    first, second = line_ids(order)
    ship(order=order, units={first: 0, second: 2}, key=uuid4())
    since = StockMovement.objects.latest("pk").pk

    refuse(order, 0, 2)

    assert (stock(variant), stock(other)) == ((10, 0), (10, 0))
    assert state(order) == ("cancelled", "cancelled")
    moved = StockMovement.objects.filter(pk__gt=since).order_by("pk")
    assert list(moved.values_list("stock_item__variant", "kind")) == [
        (variant.pk, "released"),
        (other.pk, "received"),
        (other.pk, "released"),
    ]
    assert books_are_right()


def test_parcels_come_back_one_after_the_other(variant: Variant, other: Variant) -> None:
    order = cash({variant: 1, other: 1})
    for line in line_ids(order):
        ship(order=order, units={line: 1}, key=uuid4())

    refuse(order, 1, 0)
    between = state(order), stock(variant), stock(other)
    refuse(order, 0, 1)

    assert between == (("fulfilled", "requires_action"), (10, 0), (9, 0))
    assert (state(order), stock(other)) == (("cancelled", "cancelled"), (10, 0))
    assert mails(order) == ["shipped", "shipped", "cancelled"]


def test_what_was_lost_ends_the_order_and_stays_away(
    client: Client, order: Order, variant: Variant
) -> None:
    request = refuse(order, 0, lost=True, key=(key := uuid4()))
    again = refuse(order, 0, lost=True, key=key)

    assert (state(order), stock(variant), lines(order)) == (
        ("cancelled", "cancelled"),
        (7, 0),
        [(3, 3, 0)],
    )
    assert (again, again.was_there, request.was_there) == (request, True, False)
    assert "Lost" in client.get(url(order, "change")).text
    assert "Your parcel is here again" not in client.get(order.get_absolute_url()).text


def test_the_same_key_is_the_same_goods(order: Order, variant: Variant) -> None:
    key = uuid4()
    refuse(order, 1, key=key)

    assert refuse(order, 1, key=key).was_there
    for other in ({"restock": False}, {"lost": True}, {"reason": "another"}):
        with pytest.raises(KeyReused):
            refuse(order, 1, key=key, **other)
    with pytest.raises(KeyReused):
        refuse(order, 2, key=key)
    assert (stock(variant), lines(order)) == ((8, 0), [(3, 3, 1)])


def test_what_cannot_come_back_changes_nothing(order: Order, variant: Variant) -> None:
    for units, error in ((4, TooManyUnits), (-1, TooManyUnits), (0, NoUnits)):
        with pytest.raises(error):
            refuse(order, units)
    request_return(order=order, units={line_ids(order)[0]: 1}, reason="too small", key=uuid4())
    with pytest.raises(ReturnOpen):
        refuse(order, 3)

    assert (state(order), stock(variant)) == (("fulfilled", "requires_action"), (7, 0))


def test_only_cash_that_has_not_come_can_be_refused(order: Order, variant: Variant) -> None:
    settle_by_hand(order=order, actor=None)
    waiting, transfer = cash({variant: 1}), paid({variant: 1})
    ship_rest(order=transfer)

    said = []
    for each, units in ((order, 3), (waiting, 1), (transfer, 1)):
        with pytest.raises(WrongStatus) as refused:
            refuse(each, units)
        said.append(refused.value.status)

    assert said == ["paid", "pending", "paid"]
    assert order.returns.count() == 0


def test_no_money_is_taken_for_it_afterwards(client: Client, order: Order) -> None:
    refuse(order, 3)

    told = act(client, "mark_paid", order, confirmed="1")
    advance(order.payments.get().pk)

    assert told == [f"{order.number} was left alone: it is cancelled, which cannot become paid."]
    assert state(order) == ("cancelled", "cancelled")


# --- The books -----------------------------------------------------------------------------------


def test_it_is_no_revenue_anywhere_and_has_no_invoice(order: Order, variant: Variant) -> None:
    now = timezone.now()
    day = now.date()

    def revenue() -> tuple[int, int]:
        sold = sum(takings.sold.amount for takings in daily_takings(since=day_before).values())
        tomorrow = now + timedelta(days=1)
        reported = [row for row in sales_rows(day=day, as_of=tomorrow) if row[0] == "total"]
        return sold, len(reported)

    day_before = now - timedelta(days=1)
    before, invoice = revenue(), invoice_url(order)

    refuse(order, 3)

    order.refresh_from_db()
    assert (before, revenue()) == ((order.total_amount, 1), (0, 0))
    row = b"".join(csv_lines(Order.objects.filter(pk=order.pk))).decode().splitlines()[1]
    assert ",cancelled,cash_on_delivery," in row
    assert invoice
    with pytest.raises(WrongStatus):
        invoice_url(order)


@pytest.mark.parametrize(
    ("language", "reason", "step"),
    [
        ("en", NOTE, "Your parcel is here again"),
        ("ja", "配達時に受け取られませんでした", "お荷物が当店に戻りました"),
        ("zh-hant", "送達時未簽收", "您的包裹已退回本店"),
    ],
)
def test_shoppers_are_told_in_their_language(
    order: Order, language: str, reason: str, step: str
) -> None:
    Order.objects.filter(pk=order.pk).update(language=language)
    order.refresh_from_db()

    refuse(order, 3, reason="rude to the courier")

    mail = OutboxMessage.objects.get(payload__template="cancelled")
    order.refresh_from_db()
    message = compose(order, mail)
    ((html, _kind),) = message.alternatives
    assert reason in message.body
    assert reason in str(html)
    with translation.override(language):
        client = client_of(boss())
        client.cookies.load({"django_language": language})
        page = client.get(order.get_absolute_url(), headers={"Accept-Language": language}).text
    for text in (message.body, str(html), page):
        assert "rude to the courier" not in text
    assert reason in page
    assert step in page


# --- At once -------------------------------------------------------------------------------------


def unlocked(monkeypatch: pytest.MonkeyPatch, together: int) -> None:
    """The control: each reads what is out before any of them writes, and no row is locked."""
    read = threading.Barrier(together, timeout=20)

    def look(order: Order) -> dict[int, OrderLine]:
        order.refresh_from_db(fields=["status"])
        return {line.pk: line for line in OrderLine.objects.filter(order=order)}

    def check_together(*given: Any) -> dict[int, int]:
        read.wait()
        return check(*given)

    check = fulfilment.check_units
    monkeypatch.setattr(refusals, "lock_lines", look)
    monkeypatch.setattr(refusals, "check_units", check_together)


def click(order: Order, times: int) -> list[Any]:
    key = uuid4()
    copies = [Order.objects.get(pk=order.pk) for _ in range(times)]
    return at_once(*(partial(press, partial(refuse, copy, 3, key=key)) for copy in copies))


@LIVE
def test_six_clicks_at_once_take_it_back_once(order: Order, variant: Variant) -> None:
    found = click(order, 6)

    assert found == [Return.objects.get()] * 6
    assert [each.was_there for each in found].count(False) == 1
    assert (stock(variant), lines(order)) == ((10, 0), [(3, 3, 3)])
    assert (steps(order)[1:], mails(order)) == (
        [("cancelled", NOTE)],
        ["shipped", "cancelled"],
    )


@LIVE
def test_without_the_lock_the_second_click_fails(
    order: Order, variant: Variant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: the form's key is left, and whoever comes second meets an error."""
    unlocked(monkeypatch, 2)

    found = click(order, 2)

    assert sum(isinstance(each, IntegrityError) for each in found) == 1
    assert stock(variant) == (10, 0)
