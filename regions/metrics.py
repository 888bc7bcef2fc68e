"""What every serving process counts: its requests, and which code it runs."""

from typing import Final

from django.conf import settings
from prometheus_client import Counter, Gauge

from regions.version import code_version

REQUESTS: Final = Counter(
    "anyport_requests",
    "HTTP requests answered, by class of status; without health and metrics.",
    ["region", "status"],
)
_BUILD: Final = Gauge(
    "anyport_build_info",
    "1, with the code version of this process.",
    ["region", "version"],
    multiprocess_mode="max",
)
_CLASSES: Final = ("2xx", "3xx", "4xx", "5xx")


def answered() -> dict[int, Counter]:
    """The counters by first digit of the status, each at 0 until then: a rate needs a first value.

    A label that is looked up each time would cost more than the counting.
    """
    return {int(status[0]): REQUESTS.labels(settings.ANYPORT_REGION, status) for status in _CLASSES}


def tell_version() -> None:
    _BUILD.labels(settings.ANYPORT_REGION, code_version()).set(1)
