import psycopg
import pytest
from django.db import OperationalError, connections

from regions.postgres import writer
from regions.postgres.writer import Line
from regions.routing import ReplicaRouter, outlives_writer, reads_replica, replica_reads
from shop.models import Cart, Product

router = ReplicaRouter()


def test_catalogue_is_read_from_the_replica_only_where_a_view_says_so() -> None:
    assert router.db_for_read(Product) == "default"
    with replica_reads():
        assert router.db_for_read(Product) == "replica"
    assert router.db_for_read(Product) == "default"


def test_a_shoppers_own_data_is_never_read_from_the_replica() -> None:
    with replica_reads():
        assert router.db_for_read(Cart) == "default"


def test_writes_go_to_the_writer_inside_replica_reads_too() -> None:
    with replica_reads():
        assert router.db_for_write(Product) == "default"


def test_decorator_ends_with_the_view_also_when_it_raises() -> None:
    @reads_replica
    def view() -> str:
        if router.db_for_read(Product) == "replica":
            raise LookupError
        return "not routed"

    try:
        view()
    except LookupError:
        pass
    else:
        raise AssertionError("the view did not read from the replica")

    assert router.db_for_read(Product) == "default"


@pytest.mark.django_db(databases=["default", "replica"], transaction=True)
def test_view_whose_server_dies_while_it_reads_is_answered_by_another_connection() -> None:
    calls = []

    @reads_replica
    def view() -> int:
        calls.append("called")
        with connections["replica"].cursor() as cursor:
            if len(calls) == 1:  # as an administrator, or a server that goes down, ends it
                cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
            cursor.execute("SELECT 47")
            return int(cursor.fetchone()[0])

    assert view() == 47
    assert len(calls) == 2


@pytest.mark.django_db(databases=["default", "replica"], transaction=True)
def test_view_that_fails_twice_has_failed() -> None:
    calls = []

    @reads_replica
    def view() -> None:
        calls.append("called")
        raise OperationalError from psycopg.OperationalError("nobody answers")

    with pytest.raises(OperationalError):
        view()
    assert len(calls) == 2


def _who_is_asked() -> str:
    if router.db_for_read(Cart) == "default":
        raise OperationalError("no server takes writes")
    return router.db_for_read(Cart)


def test_standby_is_asked_when_the_writer_cannot_be() -> None:
    assert outlives_writer(_who_is_asked)() == "replica"
    with pytest.raises(OperationalError):  # the control
        _who_is_asked()


def test_writer_that_is_known_to_be_missing_is_tried_once_a_second(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    def note() -> None:
        asked.append(router.db_for_read(Cart))

    line = Line()
    monkeypatch.setattr(writer, "line", line)
    monkeypatch.setattr(writer, "ASKED_EVERY", 600.0)  # it is over when we say so
    outlives_writer(note)()
    line.missing = True
    outlives_writer(note)()
    monkeypatch.setattr(line, "_asked_again_at", 0.0)  # what a second does
    outlives_writer(note)()
    outlives_writer(note)()

    assert asked == ["default", "replica", "default", "replica"]
