"""Orders, payments and refunds whose process is killed after each step in turn.

Whoever waits asks again with the same key, in another region; jobs run and time passes; then it is
counted what there is: at the shop, at Stripe, and in the shopper's mailbox.
"""

from collections import Counter
from itertools import count
from typing import Any, Final

import pytest

from orders.models import Order
from tests.concurrency.journey import PART
from tests.concurrency.rounds import CENTS, EXPECTED, GUEST, KILLED_IN, PART_BACK, Round, Rounds
from tests.orders.life import books_are_right
from tests.stack import Stack

pytestmark = pytest.mark.django_db(transaction=True)

FEWEST: Final = {"order": 20, "pay": 20, "come_back": 25, "refund": 25, "relay": 15, "complete": 50}
"""Steps that an act has at least: were there fewer, they would not be seen."""


def test_all_happens_once_wherever_a_process_was_killed(
    rounds: Rounds, capsys: pytest.CaptureFixture[str]
) -> None:
    went: list[Round] = []
    for acts in KILLED_IN:
        for at in count(1):
            went.append(rounds.go(acts, at))
            if not went[-1].was_killed:
                break

    last_steps = Counter(each.steps[-1].partition(":")[0] for each in went if each.was_killed)
    with capsys.disabled():
        told = ", ".join(f"{act} {steps}" for act, steps in last_steps.items())
        print(f"\nkilled at {last_steps.total()} boundaries: {told}")
    assert {act: last_steps[act] >= fewest for act, fewest in FEWEST.items()} == dict.fromkeys(
        FEWEST, True
    )
    wrong = [
        (each.email, each.steps[-1], books)
        for each, books in zip(went, rounds.books(went), strict=True)
        if books != EXPECTED[each.acts]
    ]
    assert wrong == []
    assert books_are_right()
    regions = Counter(Order.objects.values_list("region", flat=True))
    assert regions.keys() == {"taiwan", "tokyo"}  # some died before the commit, some after it


def test_whoever_asks_again_does_so_in_another_region(rounds: Rounds, stack: Stack) -> None:
    """With its standby, its Redis and its name at the writer; the stores may tell it old news."""
    assert rounds.where() == [
        {
            "region": region,
            "sessions": region,
            "postgres": stack.plan.port("postgres", region),
            "writes_as": f"anyport-{region}",
            "valkey": stack.plan.port("valkey", region),
        }
        for region in ("taiwan", "tokyo")
    ]


@pytest.mark.parametrize(
    ("careless", "killed_after", "wrong"),
    [
        pytest.param(
            "bypass_guard",
            "order: COMMIT",
            {"orders": Counter(paid=2), "movements": Counter(allocated=2)},
            id="a key that is written after the effect",
        ),
        pytest.param(
            "key_per_attempt",
            "pay: answered POST /v1/checkout/sessions",
            {
                "pages": 2,
                "charges": PART_BACK.charges + Counter([("succeeded", 0, 0)]),
            },
            id="a gateway's key of each attempt's own",
        ),
        pytest.param(
            "ask_then_write",
            "refund: answered POST /v1/refunds",
            {"refunds": PART_BACK.refunds, "sent_back": Counter({PART * CENTS: 2})},
            id="a refund that is written down when it is done",
        ),
        pytest.param(
            "mail_at_once",
            "order: mail",
            {"orders": PART_BACK.orders, "mails": Counter(confirmation=2, refunded=1)},
            id="a mail that is sent before the commit",
        ),
        pytest.param(
            "mail_after_commit",
            "order: COMMIT",
            {"orders": PART_BACK.orders, "mails": Counter(refunded=1)},
            id="a mail that is sent after the commit",
        ),
    ],
)
def test_the_count_shows_what_a_crash_does_without_the_guard(
    rounds: Rounds, careless: str, killed_after: str, wrong: dict[str, Any]
) -> None:
    """The controls: one guard is bypassed in every process. Nothing shows until one dies."""
    lived = rounds.go(GUEST, counted=GUEST, careless=careless)
    at = lived.steps.index(killed_after) + 1

    killed = rounds.go(GUEST, at, counted=GUEST, careless=careless)

    before, after = rounds.books([lived, killed])
    assert before == PART_BACK
    assert {name: getattr(after, name) for name in wrong} == wrong
