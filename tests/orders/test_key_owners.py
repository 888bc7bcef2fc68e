"""A form's key is its owner's: under somebody else's, should it be the same, it is another key."""

from collections.abc import Callable
from uuid import UUID, uuid4

import pytest
from django.db import IntegrityError, transaction

from orders.models import Order, Payment, Refund, Return, ReturnLine, Shipment, ShipmentLine
from orders.services import fulfilment, refunds
from orders.services.fulfilment import request_return, ship, ship_rest
from orders.services.refunds import request_refund
from shop.models import Customer, Variant
from tests.factories import make_customer
from tests.orders.life import line_ids, lines, paid, stock

pytestmark = pytest.mark.django_db

type Deed = Callable[[Order, UUID], Shipment | Return]


def send_one(order: Order, key: UUID) -> Shipment:
    return ship(order=order, units={line_ids(order)[0]: 1}, key=key)


def want_one_back(order: Order, key: UUID) -> Return:
    if not order.shipments.exists():
        ship_rest(order=order)
    return request_return(order=order, units={line_ids(order)[0]: 1}, reason="dent", key=key)


def refund_of(order: Order, actor: Customer, key: UUID) -> Refund:
    payment = order.payments.get()
    return request_refund(payment=payment, amount=90, reason="dent", actor=actor, key=key)


@pytest.mark.parametrize("deed", [send_one, want_one_back])
def test_a_key_of_another_order_is_another_key(variant: Variant, deed: Deed) -> None:
    first, second = paid({variant: 2}), paid({variant: 2})
    key = uuid4()

    rows = [deed(order, key) for order in (first, second, first)]

    assert [row.was_there for row in rows] == [False, False, True]
    assert [row.order for row in rows] == [first, second, first]


@pytest.mark.parametrize("deed", [send_one, want_one_back])
def test_a_key_that_all_orders_share_leaves_the_second_without(
    variant: Variant, deed: Deed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: the id is the key alone."""
    monkeypatch.setattr(fulfilment, "keyed_id", lambda key, *owners: key)
    first, second = paid({variant: 2}), paid({variant: 2})
    ship_rest(order=second) if deed is want_one_back else None
    key = uuid4()
    deed(first, key)

    with pytest.raises(IntegrityError), transaction.atomic():
        deed(second, key)


def test_a_key_of_another_clerk_is_another_key(variant: Variant) -> None:
    order, key = paid({variant: 2}), uuid4()
    one, other = (make_customer(is_staff=True) for _ in range(2))

    rows = [refund_of(order, clerk, key) for clerk in (one, other, one)]

    assert [row.was_there for row in rows] == [False, False, True]
    assert [row.actor for row in rows] == [one, other, one]
    assert Payment.objects.get().refunded_amount == 180


def test_a_key_that_all_clerks_share_leaves_the_second_without(
    variant: Variant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control."""
    monkeypatch.setattr(refunds, "keyed_id", lambda key, *owners: key)
    order, key = paid({variant: 2}), uuid4()
    one, other = (make_customer(is_staff=True) for _ in range(2))
    refund_of(order, one, key)

    with pytest.raises(IntegrityError), transaction.atomic():
        refund_of(order, other, key)


def test_a_form_that_an_older_release_took_is_known_after_the_upgrade(variant: Variant) -> None:
    """Its rows have the key for an id."""
    order, clerk, key = paid({variant: 3}), make_customer(is_staff=True), uuid4()
    line = line_ids(order)[0]
    parcel = Shipment.objects.create(pk=key, order=order)
    ShipmentLine.objects.create(shipment=parcel, line_id=line, quantity=1)
    wish = Return.objects.create(pk=key, order=order, reason="dent")
    ReturnLine.objects.create(request=wish, line_id=line, quantity=1)
    money = Refund.objects.create(
        pk=key, payment=order.payments.get(), amount=90, reason="dent", actor=clerk
    )

    sent, wished, paid_back = (
        send_one(order, key),
        want_one_back(order, key),
        refund_of(order, clerk, key),
    )

    assert (sent, wished, paid_back) == (parcel, wish, money)
    assert (sent.was_there, wished.was_there, paid_back.was_there) == (True, True, True)
    assert (lines(order), stock(variant)) == ([(3, 0, 0)], (10, 3))
