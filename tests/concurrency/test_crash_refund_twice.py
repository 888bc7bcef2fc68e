"""Two clerks who click at the same moment, each in a process of their own."""

from collections import Counter
from http import HTTPStatus
from typing import Final
from uuid import uuid4

import pytest

from tests.concurrency.journey import MOST, PART
from tests.concurrency.rounds import CENTS, PART_BACK, Rounds

pytestmark = pytest.mark.django_db(transaction=True)

BOTH: Final = [HTTPStatus.CREATED, HTTPStatus.CREATED]


def test_one_click_that_is_sent_twice_is_one_refund(rounds: Rounds) -> None:
    key = uuid4()

    clicks, answers = rounds.click_twice("refund", key, key)

    assert answers == BOTH
    assert rounds.books([clicks]) == [PART_BACK]


def test_one_click_whose_key_is_looked_for_first_is_two_refunds(rounds: Rounds) -> None:
    """The control."""
    key = uuid4()

    clicks, answers = rounds.click_twice("refund", key, key, careless="look_together")

    (books,) = rounds.books([clicks])
    assert answers == BOTH
    assert books.sent_back == Counter({PART * CENTS: 2})


def test_two_clicks_send_back_no_more_than_was_taken(rounds: Rounds) -> None:
    clicks, answers = rounds.click_twice("refund_most", uuid4(), uuid4())

    (books,) = rounds.books([clicks])
    assert sorted(answers) == [HTTPStatus.CREATED, HTTPStatus.CONFLICT]
    assert books.refunds == Counter([("done", MOST)])
    assert books.sent_back == Counter([MOST * CENTS])
    assert [refunded for _, _, refunded in books.payments] == [MOST]


def test_two_clicks_that_count_first_promise_more_than_was_taken(rounds: Rounds) -> None:
    """The control. Stripe itself refuses the second, and the shop's count is wrong."""
    clicks, answers = rounds.click_twice("refund_most", uuid4(), uuid4(), careless="count_together")

    (books,) = rounds.books([clicks])
    assert answers == BOTH
    assert books.refunds == Counter([("done", MOST), ("failed", MOST)])
    assert [refunded for _, _, refunded in books.payments] != [MOST]
