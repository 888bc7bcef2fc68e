"""Documents of which of two writers one wins."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from django.test import override_settings

from storage import clients, control
from storage.control import Conflict, ControlUnreachable, Document


def test_a_document_that_nobody_wrote_has_version_0() -> None:
    name = f"test|{uuid4()}"

    assert control.read(name) == Document(name, 0, {})


def test_what_is_written_is_read() -> None:
    written = control.write(Document(f"test|{uuid4()}"), {"drained": True, "by": "Mei 美"})

    assert written.version == 1
    assert control.read(written.name) == written


def test_of_two_that_were_made_from_one_version_the_first_stands() -> None:
    first = control.write(Document(f"test|{uuid4()}"), {"by": "nobody"})
    control.write(first, {"by": "one"})

    with pytest.raises(Conflict):
        control.write(first, {"by": "other"})

    assert control.read(first.name) == Document(first.name, 2, {"by": "one"})


def test_a_write_whose_answer_was_lost_is_recognised(monkeypatch: pytest.MonkeyPatch) -> None:
    """As botocore does it: the same call again, which the condition then refuses."""
    client, put = clients.dynamodb(), clients.dynamodb().put_item
    monkeypatch.setattr(client, "put_item", lambda **call: (put(**call), put(**call))[1])

    written = control.write(Document(f"test|{uuid4()}"), {"by": "one"})

    assert control.read(written.name) == written


def test_changes_of_many_at_once_all_count() -> None:
    name = f"test|{uuid4()}"

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: control.change(name, _one_more), range(8)))

    assert control.read(name).data == {"count": 8}


def test_without_the_condition_changes_are_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: two that were made from one version both stand, so one counts for nothing."""
    client, put = clients.dynamodb(), clients.dynamodb().put_item
    guards = {"ConditionExpression", "ExpressionAttributeNames", "ExpressionAttributeValues"}
    guards |= {"ReturnValuesOnConditionCheckFailure"}
    monkeypatch.setattr(
        client,
        "put_item",
        lambda **call: put(**{name: value for name, value in call.items() if name not in guards}),
    )
    start = Document(f"test|{uuid4()}")

    control.write(start, _one_more(start.data))
    control.write(start, _one_more(start.data))

    assert control.read(start.name).data == {"count": 1}


def _one_more(data: Any) -> dict[str, int]:
    return {"count": data.get("count", 0) + 1}


def test_nobody_to_ask_is_an_error_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "dynamodb", clients.dynamodb.__wrapped__)
    with override_settings(
        DYNAMODB_ENDPOINT_URL="http://127.0.0.1:9",
        DYNAMODB_TIMEOUTS={"connect_timeout": 0.2, "read_timeout": 0.2},
    ):
        with pytest.raises(ControlUnreachable):
            control.read("test|nobody")
        with pytest.raises(ControlUnreachable):
            control.write(Document("test|nobody"), {})
