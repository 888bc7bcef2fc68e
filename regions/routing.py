"""Which reads the local standby may answer: the catalogue's, where a view says so."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any

from django.db import InterfaceError, OperationalError
from django.db.models import Model

_reading_replica: ContextVar[bool] = ContextVar("reading_replica", default=False)
_without_writer: ContextVar[bool] = ContextVar("without_writer", default=False)


@contextmanager
def replica_reads() -> Iterator[None]:
    """Inside, models marked `replica_reads = True` are read from this region's standby.

    A standby may be a moment behind. A shopper's own data (cart, orders, account) is therefore
    never marked, whatever the view does.
    """
    token = _reading_replica.set(True)
    try:
        yield
    finally:
        _reading_replica.reset(token)


def reads_replica[**P, R](view: Callable[P, R]) -> Callable[P, R]:
    """View decorator form of `replica_reads`. The view must render before it returns."""

    @wraps(view)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        with replica_reads():
            return view(*args, **kwargs)

    return wrapped


def outlives_writer[**P, R](view: Callable[P, R]) -> Callable[P, R]:
    """View decorator: when no server takes writes, the view is called again and reads a standby.

    For the operators' page that tells so: who asks, and what they may see, is read then, too. The
    view changes nothing, and renders before it returns.
    """

    @wraps(view)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return view(*args, **kwargs)
        except (OperationalError, InterfaceError):
            token = _without_writer.set(True)
            try:
                return view(*args, **kwargs)
            finally:
                _without_writer.reset(token)

    return wrapped


class ReplicaRouter:
    """Database router: the writer for everything, but for the reads that are named above."""

    def db_for_read(self, model: type[Model], **hints: Any) -> str:
        if _without_writer.get():
            return "replica"
        if _reading_replica.get() and getattr(model, "replica_reads", False):
            return "replica"
        return "default"

    def db_for_write(self, model: type[Model], **hints: Any) -> str:
        return "default"

    def allow_relation(self, first: Model, second: Model, **hints: Any) -> bool:
        return True

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return db == "default"
