"""What the console shows of a request that failed."""

import io
import logging
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.db import OperationalError
from django.http import HttpResponse
from django.test import RequestFactory
from django.utils.log import log_response


@pytest.fixture
def console() -> Iterator[io.StringIO]:
    """What the shop's own handler writes, with the filters that its settings name."""
    handler = logging.getLogger().handlers
    ours = [each for each in handler if type(each) is logging.StreamHandler and each.filters]
    assert len(ours) == 1, "the console's handler has a filter"
    written = io.StringIO()
    before = ours[0].setStream(written)
    yield written
    ours[0].setStream(before)


def answered(status: int) -> None:
    try:
        raise OperationalError("no server\ntakes writes")
    except OperationalError as error:
        log_response(
            "%s: %s",
            "Told",
            "/checkout/",
            response=HttpResponse(status=status),
            request=RequestFactory().get("/checkout/"),
            exception=error,
        )


def test_outage_takes_one_line(console: io.StringIO) -> None:
    answered(503)

    (line,) = console.getvalue().splitlines()
    assert line.endswith("Told: /checkout/: OperationalError: no server takes writes")
    assert settings.ANYPORT_REGION in line


def test_mistake_of_ours_keeps_its_trace_back(console: io.StringIO) -> None:
    answered(500)

    assert "Traceback (most recent call last)" in console.getvalue()
