"""Goods that come back: asked for once, settled once, and on the shelf if they are fit for it."""

from uuid import UUID, uuid4

import pytest

from orders.errors import NoUnits, ReturnOpen, ReturnSettled, TooManyUnits, WrongStatus
from orders.idempotency import KeyReused
from orders.models import Order, Return
from orders.queries import order_steps
from orders.services.fulfilment import request_return, settle_return, ship_rest
from orders.services.refunds import advance_refund, request_refund
from orders.services.status import change_status
from shop.models import StockMovement, Variant
from tests.factories import make_customer
from tests.orders.life import at_once, books_are_right, line_ids, lines, mails, paid, stock

pytestmark = pytest.mark.django_db


@pytest.fixture
def order(variant: Variant) -> Order:
    """Three bags that have left."""
    order = paid({variant: 3})
    ship_rest(order=order)
    return order


def ask(order: Order, units: int = 2, key: UUID | None = None) -> Return:
    wanted = {line_ids(order)[0]: units}
    return request_return(order=order, units=wanted, reason="too small", key=key or uuid4())


def test_what_comes_back_is_sold_again(order: Order, variant: Variant) -> None:
    clerk = make_customer(is_staff=True)

    request = ask(order)
    assert (request.state, lines(order), stock(variant)) == ("requested", [(3, 3, 0)], (7, 0))
    settle_return(request=request, received=True, restock=True, answer="Thank you", actor=clerk)

    assert (lines(order), stock(variant)) == ([(3, 3, 2)], (9, 0))
    assert (request.state, request.restocked, request.actor) == ("received", True, clerk)
    movement = StockMovement.objects.latest("sequence")
    assert (movement.kind, movement.mover, movement.reason, movement.order_number) == (
        "received",
        "staff",
        "too small",
        order.number,
    )
    assert mails(order) == ["shipped", "return_settled"]
    assert [(str(step.label), step.note) for step in order_steps(order)][-2:] == [
        ("You asked to return", "too small"),
        ("Your return is here", "Thank you"),
    ]
    assert books_are_right()


def test_what_is_broken_comes_back_without_being_sold(order: Order, variant: Variant) -> None:
    settle_return(request=ask(order), received=True, restock=False)

    assert (lines(order), stock(variant)) == ([(3, 3, 2)], (7, 0))


def test_a_declined_return_moves_nothing_and_may_be_asked_again(
    order: Order, variant: Variant
) -> None:
    declined = settle_return(request=ask(order), received=False, restock=True, answer="Worn")

    assert (declined.state, declined.restocked, lines(order)) == ("declined", False, [(3, 3, 0)])
    assert stock(variant) == (7, 0)
    assert str(order_steps(order)[-1].label) == "We cannot take it back"
    assert ask(order, units=3).state == "requested"


def test_the_same_key_is_the_same_return(order: Order) -> None:
    key = uuid4()

    first, again = ask(order, key=key), ask(order, key=key)
    with pytest.raises(KeyReused):
        ask(order, key=key, units=1)
    settle_return(request=first, received=True)
    late = ask(order, key=key)

    assert first == again == late
    assert late.state == "received"


def test_only_what_was_sent_and_is_not_back_may_come_back(order: Order, variant: Variant) -> None:
    with pytest.raises(TooManyUnits):
        ask(order, units=4)
    with pytest.raises(NoUnits):
        ask(order, units=0)
    request = ask(order, units=2)
    with pytest.raises(ReturnOpen):
        ask(order, units=1)
    settle_return(request=request, received=True)
    with pytest.raises(TooManyUnits):
        ask(order, units=2)
    with pytest.raises(WrongStatus):
        ask(paid({variant: 1}), units=1)

    assert ask(order, units=1).state == "requested"


def test_a_return_is_settled_once(order: Order, variant: Variant) -> None:
    request = ask(order)

    for _ in range(2):
        settle_return(request=request, received=True, restock=True)
    with pytest.raises(ReturnSettled):
        settle_return(request=request, received=False)
    with pytest.raises(ReturnSettled):
        settle_return(request=request, received=True, restock=False)

    assert (lines(order), stock(variant)) == ([(3, 3, 2)], (9, 0))
    assert mails(order) == ["shipped", "return_settled"]


def test_goods_of_a_refunded_order_still_come_back(order: Order, variant: Variant) -> None:
    change_status(order=order, to=Order.Status.REFUNDED)

    settle_return(request=ask(order, units=3), received=True, restock=True)

    assert stock(variant) == (10, 0)
    assert books_are_right()


@pytest.mark.django_db(transaction=True)
def test_eight_who_settle_at_once_take_the_goods_in_once(order: Order, variant: Variant) -> None:
    request = ask(order)
    copies = [Return.objects.get(pk=request.pk) for _ in range(8)]

    results = at_once(
        *(
            lambda copy=copy: settle_return(request=copy, received=True, restock=True)
            for copy in copies
        )
    )

    assert results == [request] * 8
    assert (lines(order), stock(variant)) == ([(3, 3, 2)], (9, 0))


@pytest.mark.django_db(transaction=True)
def test_a_return_read_before_it_is_written_is_taken_in_twice(
    order: Order, variant: Variant
) -> None:
    """The control: what the conditional update in `settle_return` is for."""
    request = ask(order, units=1)
    stale = [Return.objects.get(pk=request.pk) for _ in range(2)]

    for copy in stale:
        assert copy.state == "requested"  # "still open", thinks each
        Return.objects.filter(pk=copy.pk).update(state="requested")
        settle_return(request=copy, received=True, restock=True)

    assert stock(variant) == (9, 0)  # one unit left the shopper, two came back


# --- What the shopper sees of the money ---------------------------------------------------------


def send_back(order: Order, amount: int) -> None:
    refund = request_refund(
        payment=order.payments.get(), amount=amount, reason="x", actor=None, key=uuid4()
    )
    advance_refund(refund.pk)


def test_each_sum_sent_back_is_a_step_and_the_last_one_ends_the_order(order: Order) -> None:
    send_back(order, 90)
    partly = order_steps(order)
    send_back(order, order.total_amount - 90)
    order.refresh_from_db()
    ended = order_steps(order)

    assert [str(step.label) for step in partly][-2:] == ["On its way", "NT$90 sent back"]
    assert [str(step.label) for step in ended][-2:] == ["NT$90 sent back", "Refunded"]
    assert [step.is_current for step in ended][-2:] == [False, True]
