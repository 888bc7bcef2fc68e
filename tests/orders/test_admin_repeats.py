"""Staff's forms that are sent twice: counted and logged as the API's duplicates are."""

import logging
import threading
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, Final, NamedTuple
from uuid import uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from orders.admin import page_views, steps
from orders.models import Order, OrderLine
from orders.services import fulfilment
from orders.services.fulfilment import request_return, ship_rest
from shop.admin import stock as stock_admin
from shop.models import Customer, Variant
from shop.outcomes import Ending
from tests.orders.admin_pages import act, confirm, fill, url
from tests.orders.life import at_once, line_ids, paid, placed
from tests.orders.outcomes import Outcomes
from tests.staff import boss, client_of

pytestmark = pytest.mark.django_db
LIVE: Final = pytest.mark.django_db(transaction=True)


class Deed(NamedTuple):
    key: str
    """As the log names it."""
    press: Callable[[], object]


def page(client: Client, order: Order, name: str, **typed: Any) -> Deed:
    sent = fill(client, order, name, **typed)
    key = sent["request" if name == "settle" else "key"]
    return Deed(key, lambda: confirm(client, order, name, sent))


def step(client: Client, order: Order, name: str) -> Deed:
    return Deed(f"{name} {order.number}", lambda: act(client, name, order, confirmed="1"))


def button(client: Client, order: Order, name: str) -> Deed:
    address = reverse("admin:orders_order_step", args=[order.pk, name])
    return Deed(f"{name} {order.number}", lambda: client.post(address, {"confirmed": "1"}))


def a_parcel(client: Client, variant: Variant) -> Deed:
    return page(client, paid({variant: 2}), "ship", tracking="TW123")


def a_refund(client: Client, variant: Variant) -> Deed:
    return page(client, paid({variant: 2}), "refund", amount="90", reason="dent")


def a_return(client: Client, variant: Variant) -> Deed:
    order = paid({variant: 2})
    ship_rest(order=order)
    request_return(order=order, units={line_ids(order)[0]: 1}, reason="too small", key=uuid4())
    return page(client, order, "settle", outcome="sellable")


def a_mail(client: Client, variant: Variant) -> Deed:
    return page(client, paid({variant: 2}), "resend", mail="confirmation:")


def a_payment(client: Client, variant: Variant) -> Deed:
    return step(client, placed({variant: 2}), "mark_paid")


def cash_after_its_parcel(client: Client, variant: Variant) -> Deed:
    order = placed({variant: 2}, payment_method="cash_on_delivery")
    ship_rest(order=order)
    return button(client, order, "mark_paid")


def all_of_it(client: Client, variant: Variant) -> Deed:
    return step(client, paid({variant: 2}), "fulfil")


def a_cancelling(client: Client, variant: Variant) -> Deed:
    return button(client, placed({variant: 2}), "cancel")


def a_full_refund(client: Client, variant: Variant) -> Deed:
    return step(client, paid({variant: 2}), "refund")


def all_that_is_on_the_shelf(client: Client, variant: Variant) -> Deed:
    """Sent again, it would take away more than is there."""
    address = reverse("admin:shop_stockitem_change", args=[variant.stock.pk])
    form = {"on_hand": 0, "initial-on_hand": 10, "kind": "adjusted", "reason": "a flood"}
    key = str(uuid4())
    return Deed(key, lambda: client.post(address, form | {"key": key}))


DEEDS: Final = (
    a_parcel,
    a_refund,
    a_return,
    a_mail,
    a_payment,
    cash_after_its_parcel,
    all_of_it,
    a_cancelling,
    a_full_refund,
    all_that_is_on_the_shelf,
)


@pytest.fixture
def staff() -> Customer:
    return boss()


@pytest.fixture
def client(staff: Customer) -> Client:
    return client_of(staff)


@pytest.fixture
def outcomes() -> Outcomes:
    return Outcomes()


@pytest.mark.parametrize("deed", DEEDS)
def test_pressed_twice_it_counts_one_duplicate(
    client: Client,
    variant: Variant,
    deed: Callable[[Client, Variant], Deed],
    outcomes: Outcomes,
    caplog: pytest.LogCaptureFixture,
) -> None:
    done = deed(client, variant)

    with caplog.at_level(logging.INFO, logger="shop.outcomes"):
        done.press()
        first = outcomes.since()
        done.press()

    assert (first, outcomes.since()) == ({"done": 1}, {"done": 1, "replayed": 1})
    logged = [each.getMessage() for each in caplog.records if each.name == "shop.outcomes"]
    assert logged == [f"idempotency: replayed key {done.key}"]


@pytest.mark.parametrize("deed", [a_parcel, a_refund, a_return, a_mail, a_full_refund])
def test_pressed_twice_it_is_in_the_admins_history_once(
    client: Client, variant: Variant, deed: Callable[[Client, Variant], Deed]
) -> None:
    done = deed(client, variant)

    for _ in range(2):
        done.press()

    assert LogEntry.objects.count() == 1


def test_a_form_of_its_own_is_no_duplicate(
    client: Client, variant: Variant, outcomes: Outcomes
) -> None:
    """The control: the same asked for once more, and meant."""
    order = paid({variant: 2})

    for _ in range(2):
        page(client, order, "refund", amount="90", reason="dent").press()

    assert outcomes.since() == {"done": 2}


def test_another_amount_under_the_same_form_is_a_key_used_again(
    client: Client, variant: Variant, outcomes: Outcomes
) -> None:
    order = paid({variant: 2})
    sent = fill(client, order, "refund", amount="90", reason="dent")

    confirm(client, order, "refund", sent)
    confirm(client, order, "refund", sent | {"amount": "91"})
    client.post(url(order, "ship"), fill(client, order, "ship") | {"confirmed": "1"})
    act(client, "cancel", order, confirmed="1")

    assert outcomes.since() == {"done": 2, "reused": 1, "declined": 1}


@pytest.mark.parametrize("deed", [a_parcel, a_cancelling, all_that_is_on_the_shelf])
def test_without_its_home_nothing_is_counted(
    client: Client,
    variant: Variant,
    deed: Callable[[Client, Variant], Deed],
    outcomes: Outcomes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The control: it is this one place that counts, and nothing else on the way."""
    for module in (page_views, steps, stock_admin):
        monkeypatch.setattr(module, "counted", lambda *_, **__: nullcontext(Ending()))
    done = deed(client, variant)

    for _ in range(2):
        done.press()

    assert outcomes.since() == {}


def press_at_once(staff: Customer, order: Order, times: int) -> None:
    sent = fill(client_of(staff), order, "ship", tracking="TW123")
    clients = [client_of(staff) for _ in range(times)]
    at_once(
        *(
            lambda client=client: client.post(url(order, "ship"), sent | {"confirmed": "1"})
            for client in clients
        )
    )


@LIVE
def test_four_clicks_at_once_are_one_deed_and_three_duplicates(
    staff: Customer, variant: Variant, outcomes: Outcomes
) -> None:
    press_at_once(staff, paid({variant: 2}), 4)

    assert outcomes.since() == {"done": 1, "replayed": 3}


@LIVE
def test_without_the_lock_a_duplicate_at_the_same_moment_is_none(
    staff: Customer,
    variant: Variant,
    outcomes: Outcomes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The control: each looks for the form's parcel before the other has written it."""
    order = paid({variant: 2})
    both = threading.Barrier(2, timeout=20)
    check = fulfilment.check_units

    def unlocked(order: Order) -> dict[int, OrderLine]:
        order.refresh_from_db(fields=["status"])
        return {line.pk: line for line in OrderLine.objects.filter(order=order)}

    def check_together(*given: Any) -> dict[int, int]:
        both.wait()
        return check(*given)

    monkeypatch.setattr(fulfilment, "lock_lines", unlocked)
    monkeypatch.setattr(fulfilment, "check_units", check_together)

    press_at_once(staff, order, 2)

    assert outcomes.since() == {"done": 1, "failed": 1}
