"""The whole inventory, and how Django's `manage.py check` is told of it."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, Final

from django.core.checks import CheckMessage, Error, Warning

from failover.audit.baseline import Baseline, read_baseline
from failover.audit.code import code
from failover.audit.files import file_fields, logs, mail, storages
from failover.audit.messaging import celery, channel_layers
from failover.audit.parts import Part
from failover.audit.stores import caches, databases, sessions

TAG: Final = "stateless"
"""`manage.py check --tag stateless`."""

type Rule = Callable[[], Iterable[Part]]

SETTINGS: Final[Mapping[str, tuple[Rule, ...]]] = {
    "caches": (caches,),
    "sessions": (sessions,),
    "files": (storages, file_fields),
    "channel-layers": (channel_layers,),
    "celery": (celery,),
    "databases": (databases,),
    "mail-and-logs": (mail, logs),
}
"""By subject. None of them reads more than settings and models."""


def of_settings(subject: str) -> list[Part]:
    return [part for rule in SETTINGS[subject] for part in rule()]


def of_everything() -> list[Part]:
    return [*(part for subject in SETTINGS for part in of_settings(subject)), *code()]


def problems_of_baseline(baseline: Baseline, parts: Iterable[Part]) -> list[Part]:
    return [*baseline.problems, *baseline.stale(parts)]


def check_settings(**kwargs: Any) -> list[CheckMessage]:
    parts = (part for subject in SETTINGS for part in of_settings(subject))
    return list(_messages(read_baseline().remaining(parts)))


def check_code(**kwargs: Any) -> list[CheckMessage]:
    """Reads the code, and what the baseline accepts that is not there."""
    baseline, in_code = read_baseline(), list(code())
    of_all = [*(part for subject in SETTINGS for part in of_settings(subject)), *in_code]
    return list(_messages(baseline.remaining(in_code) + problems_of_baseline(baseline, of_all)))


def _messages(parts: Iterable[Part]) -> Iterator[CheckMessage]:
    for part in parts:
        message = partial(Error if part.is_error else Warning, part.problem)
        yield message(hint=part.hint, obj=part.where, id=part.id)
