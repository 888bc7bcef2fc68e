"""Which reads the local standby may answer: the catalogue's, where a view says so."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any

from django.db import InterfaceError, OperationalError, connections
from django.db.models import Model

from regions.postgres import writer

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
    """View decorator form of `replica_reads`. The view must render before it returns.

    Its server may die or fall silent while it answers: the view is then called once more, and
    reads another one. It changes nothing, so that is harmless.
    """

    @wraps(view)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        with replica_reads():
            try:
                return view(*args, **kwargs)
            except (OperationalError, InterfaceError):
                connections["replica"].close()  # the pool looks at it before it is used again
                return view(*args, **kwargs)

    return wrapped


def outlives_writer[**P, R](ask: Callable[P, R]) -> Callable[P, R]:
    """Decorator: when no server takes writes, `ask` is called again and reads a standby.

    For who is signed in, and for the operators' page that tells what is wrong. It changes nothing
    in the database, and leaves nothing to be read later. A writer that is known to be missing is
    tried once a second, and not waited for.
    """

    @wraps(ask)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        if writer.line.is_worth_asking():
            waits_not = writer.dispensable.set(True)
            try:
                return ask(*args, **kwargs)
            except (OperationalError, InterfaceError):
                pass  # whatever it was, a standby may know
            finally:
                writer.dispensable.reset(waits_not)
        token = _without_writer.set(True)
        try:
            return ask(*args, **kwargs)
        finally:
            _without_writer.reset(token)

    return wrapped


def without_writer() -> bool:
    """Whether `outlives_writer` asks a standby now, which may be a moment behind."""
    return _without_writer.get()


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
