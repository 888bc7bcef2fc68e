from regions.routing import ReplicaRouter, reads_replica, replica_reads
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
