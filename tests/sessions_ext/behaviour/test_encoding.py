"""Serialising: what Django's methods for it answer, and what each engine can store."""

import base64
import logging
from datetime import UTC, datetime
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.sessions.serializers import JSONSerializer
from django.core.signing import TimestampSigner

from tests.sessions_ext.behaviour.twin import CACHE, CACHED_DB, OURS, Engine


def test_the_serialiser_is_the_settings(engine: Engine, settings: LazySettings) -> None:
    assert engine.open().store.serializer is JSONSerializer

    settings.SESSION_SERIALIZER = f"{__name__}.OtherSerializer"

    assert engine.open().store.serializer is OtherSerializer


class OtherSerializer(JSONSerializer):
    pass


def test_decode_returns_what_encode_was_given(engine: Engine) -> None:
    store = engine.open().store

    assert store.decode(store.encode({"currency": "JPY"})) == {"currency": "JPY"}


def test_another_process_decodes_what_this_one_encoded(engine: Engine) -> None:
    encoded = engine.open().store.encode({"currency": "JPY"})

    assert engine.open().store.decode(encoded) == {"currency": "JPY"}


@pytest.mark.parametrize(
    "encoded",
    [base64.b64encode(b"somebody:made this").decode(), "made:by:somebody", ""],
    ids=["base64", "text", "empty"],
)
def test_decode_of_a_forgery_is_empty_and_logged(
    engine: Engine, caplog: pytest.LogCaptureFixture, encoded: str
) -> None:
    with caplog.at_level(logging.WARNING, "django.security.SuspiciousSession"):
        assert engine.open().store.decode(encoded) == {}

    assert [record.getMessage() for record in caplog.records] == ["Session data corrupted"]


def test_decode_of_what_is_signed_and_not_json_is_empty(engine: Engine) -> None:
    store = engine.open().store

    assert store.decode(TimestampSigner(salt=store.key_salt).sign("not JSON")) == {}


MOMENT = datetime(2026, 11, 23, tzinfo=UTC)

# The cache's serialiser writes dates as text, so what comes back is not what was stored.
STORED: dict[str, dict[str, Any]] = {
    "datetime": {OURS: TypeError, CACHED_DB: TypeError, CACHE: "2026-11-23T00:00:00Z"},
    "set": {OURS: TypeError, CACHED_DB: TypeError, CACHE: TypeError},
    "bytes": {OURS: TypeError, CACHED_DB: TypeError, CACHE: TypeError},
}


@pytest.mark.parametrize("value", [MOMENT, {1, 2}, b"bytes"], ids=STORED)
def test_a_value_that_json_lacks(engine: Engine, value: Any) -> None:
    session = engine.open()
    session.set("value", value)
    expected = engine.expected(STORED[type(value).__name__])

    if expected is TypeError:
        with pytest.raises(TypeError):
            session.save()
    else:
        session.save()
        assert engine.content(session.key) == {"value": expected}


def test_an_attribute_whose_name_is_a_number_comes_back_as_text(engine: Engine) -> None:
    session = engine.open()
    session.set(1, "one")
    assert session.get(1) == "one"  # until then it is a number

    session.save()

    assert engine.content(session.key) == {"1": "one"}
