"""A stack that the fault tests of sessions share: each of them leaves it whole."""

from collections.abc import Iterator

import pytest

from tests.stack import Booted, Stack


@pytest.fixture(scope="package")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    booted = Booted(tmp_path_factory.mktemp("sessions") / "stack")
    try:
        yield booted.wait_ready()
    finally:
        booted.stop()
