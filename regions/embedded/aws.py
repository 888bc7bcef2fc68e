"""S3 and DynamoDB on one machine: moto's server, made durable. `python -m regions.embedded.aws`.

moto keeps everything in memory. Here each write is appended to a journal before it is answered,
and played again at the next start, so `kill -9` loses nothing that was acknowledged; a snapshot
replaces a long journal and is made at each orderly stop. Nothing runs while nobody writes.

Writes are served one at a time. moto checks a condition and stores the item in two steps, so two
simultaneous conditional puts could both succeed, which DynamoDB never does.
"""

import contextlib
import copy
import functools
import inspect
import io
import logging
import os
import pickle
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Never

from moto import backends
from moto.backends import get_backend
from moto.core import responses
from moto.core.common_models import BaseModel
from moto.core.serialize import AttributePicker, AttributePickerContext
from moto.core.utils import method_names_from_class
from moto.dynamodb.models.dynamo_type import DynamoType, Item
from moto.dynamodb.models.table import Table
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import make_server
from werkzeug.test import create_environ, run_wsgi_app

from regions.embedded.plan import Plan
from regions.embedded.ports import LOOPBACK

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_SERVICES: dict[str, Any] = {"s3": get_backend("s3"), "dynamodb": get_backend("dynamodb")}
_LONGEST_JOURNAL = 32 << 20  # bytes; replaying it takes about a second
_DYNAMODB_READS = ("GetItem", "BatchGetItem", "Query", "Scan", "Describe", "List", "TransactGet")
_TYPES = frozenset(("S", "N", "B", "SS", "NS", "BS", "M", "L", "NULL", "BOOL"))
_QUERY = inspect.signature(Table.query)
_log = logging.getLogger("anyport.aws")


class Entry(NamedTuple):
    """A request that changed something."""

    environ: dict[str, str]
    body: bytes


class Store:
    """moto's state on disk: the last snapshot, and the journal of what was written since."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._snapshot = directory / f"moto-{version('moto')}.pickle"
        self._journal = directory / "journal.pickle"
        self._file = self._journal.open("ab")

    def append(self, entry: Entry) -> None:
        pickle.dump(tuple(entry), self._file)
        self._file.flush()  # to the kernel: it survives us, if not a power cut

    @property
    def is_long(self) -> bool:
        return self._file.tell() > _LONGEST_JOURNAL

    def save(self) -> None:
        """Replace snapshot and journal by a snapshot of now. Nobody may write meanwhile."""
        state = {
            name: {account: dict(regions) for account, regions in service.items()}
            for name, service in _SERVICES.items()
        }
        draft = self._snapshot.with_suffix(".new")
        with draft.open("wb") as file:
            pickle.dump(state, file, pickle.HIGHEST_PROTOCOL)
        draft.replace(self._snapshot)
        self._file.seek(0)
        self._file.truncate()

    def load(self) -> Iterator[Entry]:
        """Restore the snapshot, then yield what was written after it, oldest first.

        What follows the last whole entry is cut off: an append behind it could not be read.
        """
        if self._snapshot.exists():
            state = pickle.loads(self._snapshot.read_bytes())
            for name, accounts in state.items():
                for account, regions in accounts.items():
                    dict.update(_SERVICES[name][account], regions)
        whole = 0
        # Cut off in the middle of its last entry, the file ends with one of these errors.
        broken = contextlib.suppress(EOFError, pickle.UnpicklingError)
        with self._journal.open("rb") as file, broken:
            while True:
                entry = Entry(*pickle.load(file))
                whole = file.tell()
                yield entry
        self._file.seek(whole)
        self._file.truncate()


class Durable:
    """WSGI middleware: serves writes one at a time, and keeps them in the store."""

    def __init__(self, application: "WSGIApplication", store: Store) -> None:
        self._application = application
        self._store = store
        self._writing = threading.Lock()

    def replay(self) -> None:
        count = 0
        for count, entry in enumerate(self._store.load(), start=1):  # noqa: B007  # counted after the loop
            self._serve(entry.environ, entry.body)
        if count:
            _log.info("restored %d writes from the journal", count)
            self._store.save()

    def warm_up(self) -> None:
        """Ask each service something: moto loads it at its first request, which takes a second."""
        for service, target in (("s3", ""), ("dynamodb", "DynamoDB_20120810.ListTables")):
            environ = create_environ(
                "/", method="POST" if target else "GET", content_type="application/x-amz-json-1.0"
            )
            environ["HTTP_AUTHORIZATION"] = (
                f"AWS4-HMAC-SHA256 Credential=anyport/20260101/us-east-1/{service}/aws4_request, "
                "SignedHeaders=host, Signature=0"
            )
            if target:
                environ["HTTP_X_AMZ_TARGET"] = target
            _, status, _ = self._serve(environ, b"{}" if target else b"")
            _log.info("%s is loaded: %s", service, status)

    def stop(self) -> None:
        """Take a last snapshot, and never answer a write again."""
        self._writing.acquire()
        self._store.save()

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        if _is_read(environ):
            return self._application(environ, start_response)
        body = _read_body(environ)
        with self._writing:
            answer, status, headers = self._serve(environ, body)
            if not status.startswith(("4", "5")):
                self._keep(environ, body)
        start_response(status, headers)
        return [answer]

    def _serve(
        self, environ: "WSGIEnvironment", body: bytes
    ) -> tuple[bytes, str, list[tuple[str, str]]]:
        served = {**environ, "CONTENT_LENGTH": str(len(body))}
        served["wsgi.input"] = io.BytesIO(body)
        served.setdefault("wsgi.errors", sys.stderr)
        served.pop("HTTP_TRANSFER_ENCODING", None)
        answer, status, headers = run_wsgi_app(self._application, served, buffered=True)
        return b"".join(answer), status, list(headers)

    def _keep(self, environ: "WSGIEnvironment", body: bytes) -> None:
        # Uploads in parts and versions carry identifiers that moto draws at random: played
        # again they would name nothing, so the result is kept instead of the request.
        query = environ.get("QUERY_STRING", "")
        random_names = "uploadId=" in query or "versionId=" in query
        if random_names or self._store.is_long:
            self._store.save()
        elif "uploads" not in query.split("&"):
            self._store.append(Entry({k: v for k, v in environ.items() if _is_plain(k, v)}, body))


def _is_plain(name: str, value: object) -> bool:
    return isinstance(value, str | tuple | int) and not name.startswith("werkzeug.")


def _is_read(environ: "WSGIEnvironment") -> bool:
    if environ["REQUEST_METHOD"] in {"GET", "HEAD", "OPTIONS"}:
        return True
    _, _, operation = environ.get("HTTP_X_AMZ_TARGET", "").partition(".")
    return bool(operation.startswith(_DYNAMODB_READS))


def _read_body(environ: "WSGIEnvironment") -> bytes:
    length = environ.get("CONTENT_LENGTH")
    if environ.get("wsgi.input_terminated") and not length:
        return bytes(environ["wsgi.input"].read())
    return bytes(environ["wsgi.input"].read(int(length or 0)))


def _without_tracking(cls: type[BaseModel], *arguments: Any, **keywords: Any) -> BaseModel:
    """moto remembers every object ever made, for its dashboard; that is a leak in a server."""
    return object.__new__(cls)


def _items_in_order(table: Table) -> list[Item]:
    """moto's `Table.all_items`, which works out both values anew for every comparison."""
    partitions = _in_order(table.items)
    if not table.range_key_attr:
        return partitions
    return [item for partition in partitions for item in _in_order(partition)]


def _in_order(values: Mapping[DynamoType, Any]) -> list[Any]:
    return [value for _, value in sorted(values.items(), key=lambda pair: pair[0].cast_value)]


def _query_partition(query: Callable[..., Any]) -> Callable[..., Any]:
    """moto's `Table.query` sorts the whole table, and then leaves out all but one partition.

    With twelve thousand sessions that was half of a processor, and the shop took it for dead.
    """

    def query_partition(table: Table, hash_key: DynamoType | None, *how: Any, **more: Any) -> Any:
        bound = _QUERY.bind(table, hash_key, *how, **more)
        if bound.arguments.get("index_name") is None:
            partition, table = table.items.get(hash_key), copy.copy(table)
            table.items = {} if partition is None else {hash_key: partition}  # type: ignore[assignment]  # a defaultdict there
        return query(table, hash_key, *how, **more)

    return query_partition


def quicken() -> None:
    """Spare moto what it spends half of its time on."""
    Table.query = _query_partition(Table.query)  # type: ignore[method-assign]  # the point of it
    Table.all_items = _items_in_order  # type: ignore[method-assign, assignment]  # so is this
    # It reads a directory to answer each request.
    modules = frozenset(backends.list_of_moto_modules())
    backends.list_of_moto_modules = lambda: modules
    # It lists the methods of a class to answer each request.
    names = functools.cache(method_names_from_class)
    responses.method_names_from_class = names  # type: ignore[attr-defined]  # moto has no types
    # Of each value in an item it asks under many names for all the types that it is not of.
    pick = AttributePicker.__call__

    def pick_quickly(self: AttributePicker, context: AttributePickerContext) -> Any:
        value = context.obj
        if type(value) is dict and len(value) == 1 and not _TYPES.isdisjoint(value):
            return value.get(context.key)
        return pick(self, context)

    AttributePicker.__call__ = pick_quickly  # type: ignore[method-assign]  # the point of it
    BaseModel.__new__ = _without_tracking  # type: ignore[method-assign]  # the point of it


def main() -> None:
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    quicken()
    plan = Plan.load(Path(os.environ["ANYPORT_STATE"]))
    # moto asks for these when it makes an address of itself or a client of its own.
    os.environ["MOTO_PORT"] = str(plan.ports["aws"])
    application = Durable(
        DomainDispatcherApplication(create_backend_app), Store(plan.state / "aws")
    )
    application.replay()
    application.warm_up()

    def stop(number: int, frame: object) -> Never:
        # A thread: the interrupted main thread might hold the lock that the stop waits for.
        closing = threading.Thread(target=application.stop)
        closing.start()
        closing.join()
        os._exit(0)

    server = make_server(
        LOOPBACK,
        plan.ports["aws"],
        application,
        threaded=True,
        request_handler=MotoRequestHandler,
    )
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    _log.info("listening on port %d", plan.ports["aws"])
    server.serve_forever()


if __name__ == "__main__":
    main()
