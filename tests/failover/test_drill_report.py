"""What a drill makes of the operations that it saw: outages, verdict, tables, picture, page."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from xml.etree import ElementTree

import pytest
from django.core.management import CommandError, call_command

from failover.actions.drill import exit_code
from failover.drills import all_scenarios
from failover.drills.account import Account
from failover.drills.html import as_html
from failover.drills.operations import FRONT, Kind, Operation, Outcome
from failover.drills.outages import Outage, find_outages, unavailable
from failover.drills.results import Mark, Result, State, percentile
from failover.drills.tables import as_markdown
from failover.drills.timeline import draw


def operation(
    began: float,
    ended: float,
    *,
    ok: bool,
    kind: Kind = Kind.READING,
    door: str = FRONT,
) -> Operation:
    outcome = Outcome.OK if ok else Outcome.FAILED
    return Operation(kind, "page", door, began, ended, outcome, 200 if ok else 503, "tokyo")


def result(*operations: Operation, account: Account | None = None, **targets: float) -> Result:
    """Of a drill of ten seconds, judged."""
    made = Result("region-loss", "abc", datetime(2026, 11, 29, tzinfo=UTC), State.NOT_RUN)
    made.targets = {Kind(name): seconds for name, seconds in targets.items()}
    made.operations = list(operations)
    made.outages = {FRONT: unavailable(operations)}
    made.account = account or Account(acknowledged=7, sessions=5)
    made.marks = [Mark(1, "fault"), Mark(6, "healing")]
    made.ended = 10
    made.judge()
    return made


def test_scenarios_promise_what_is_promised_to_shoppers() -> None:
    """Seconds without reading, writing and sessions; nothing is promised where none stand."""
    promised = {
        name: tuple(
            scenario.targets.get(kind) for kind in (Kind.READING, Kind.WRITING, Kind.SESSIONS)
        )
        for name, scenario in all_scenarios().items()
    }

    assert promised == {
        "database-loss": (2, 15, None),
        "drain": (0, 0, 0),
        "dynamodb-loss": (0, 0, 0),
        "freeze": (None, None, None),
        "instance-loss": (0, 0, 0),
        "partition": (None, None, None),
        "redis-flush": (0, None, 5),
        "redis-primary-loss": (0, None, 5),
        "region-loss": (2, 2, 2),
        "rolling-restart": (0, 0, 0),
        "switchover": (None, 5, None),
        "writer-region-loss": (2, 15, None),
    }


@pytest.mark.parametrize(
    ("states", "code"),
    [
        ([State.PASSED], 0),
        ([State.PASSED, State.NOT_RUN], 0),
        ([State.NOT_RUN], 4),
        ([State.PASSED, State.MISSED, State.BROKEN], 1),
        ([State.BROKEN, State.PASSED], 3),
    ],
)
def test_exit_code_is_of_the_worst(states: list[State], code: int) -> None:
    made = [replace(result(), state=state) for state in states]

    assert exit_code(made) == code


def test_another_stack_is_not_shopped_at_while_this_one_is_broken() -> None:
    with pytest.raises(CommandError, match="--fault-command") as refused:
        call_command("failover", "drill", "instance-loss", "--url", "https://shop.example")

    assert refused.value.returncode == 2


def test_outage_reaches_from_the_first_failures_begin_to_the_next_success() -> None:
    found = find_outages(
        [
            operation(0, 0.1, ok=True),
            operation(1, 3, ok=False),
            operation(2, 2.5, ok=True),  # of another shopper, while the first one still waits
            operation(3.2, 3.3, ok=True),
        ]
    )

    assert found == [Outage(1, 3.3, 1)]


def test_failures_with_less_than_a_second_of_success_between_are_one_outage() -> None:
    near = [operation(0, 0.1, ok=False), operation(0.5, 0.6, ok=True)]
    far = [operation(1.0, 1.1, ok=False), operation(1.5, 1.6, ok=True)]
    later = [operation(3.0, 3.1, ok=False), operation(3.5, 3.6, ok=True)]

    found = find_outages([*near, *far, *later])

    assert found == [Outage(0, 1.6, 2), Outage(3.0, 3.6, 1)]


def test_outage_without_a_later_success_is_not_over_and_a_miss() -> None:
    lasting = result(operation(0, 1, ok=True), operation(2, 3, ok=False))

    assert lasting.outages[FRONT][Kind.READING] == [Outage(2, 3, 1, over=False)]
    assert lasting.misses == ["reading did not come back"]


def test_target_that_is_missed_is_named_with_by_how_much() -> None:
    operations = [operation(1, 3, ok=False), operation(3.2, 3.5, ok=True)]

    late, met = result(*operations, reading=2), result(*operations, reading=2.5)

    assert late.state is State.MISSED
    assert late.misses == ["reading unavailable for 2.50 s, target 2 s: 0.50 s too long"]
    assert (met.state, met.misses) == (State.PASSED, [])


def test_failures_at_a_region_itself_are_no_miss() -> None:
    elsewhere = operation(1, 3, ok=False, door="tokyo")

    assert result(elsewhere, reading=0).state is State.PASSED


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("lost", "acknowledged orders lost"),
        ("duplicates", "duplicate orders"),
        ("oversold", "units oversold"),
        ("sessions_lost", "sessions lost"),
        ("replays_differ", "orders answered otherwise when sent again"),
    ],
)
def test_every_loss_is_a_miss(name: str, words: str) -> None:
    account = Account(acknowledged=7)
    setattr(account, name, 3)

    assert result(account=account).misses == [f"3 {words}, target 0"]


def test_drill_without_an_order_proves_nothing() -> None:
    assert result(account=Account()).state is State.MISSED


def test_percentiles_are_values_that_were_measured() -> None:
    values = [float(number) for number in range(20, 0, -1)]

    found = [percentile(values, share) for share in (0.5, 0.95, 1.0)]

    assert found == [10, 19, 20]
    assert percentile([3.0], 0.5) == 3


def test_table_leaves_no_repeat_out() -> None:
    missed = result(operation(1, 3, ok=False), operation(3.2, 3.5, ok=True), reading=2)
    broken = Result("region-loss", "x", missed.started, State.BROKEN, told="not whole")

    table = as_markdown([result(reading=2), missed, broken])

    (row,) = table.splitlines()[2:]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[:3] == ["region-loss", "1 of 3, 1 broken", "0.00 / 2.50 / 2.50 (2)"]
    assert cells[5:] == ["14", "0", "0", "0", "0 of 10"]


def test_picture_marks_the_fault_and_shades_the_outage() -> None:
    picture = draw(result(operation(1, 3, ok=False), operation(3.2, 3.5, ok=True)))

    root = ElementTree.fromstring(picture)  # noqa: S314 (ours)
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"fault", "healing", "reading", "writing", "sessions", "1 failed"} <= set(texts)
    (shade,) = re.findall(
        r'<rect x="([\d.]+)" y="34" width="([\d.]+)" height="\d+" fill="#f6d9cd"', picture
    )
    assert (float(shade[0]), float(shade[1])) == (177.2, 213.0)  # seconds 1 to 3.5 of 10


def test_page_tells_the_misses_and_escapes_what_a_server_said() -> None:
    account = Account(acknowledged=7, lost=1, problems=["the order of <b>x</b> is not there"])

    page = as_html(result(account=account))

    assert "1 acknowledged orders lost, target 0" in page
    assert "&lt;b&gt;x&lt;/b&gt;" in page
    assert "<svg" in page
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")  # it needs nothing else
