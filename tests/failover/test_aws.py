"""Aurora and ElastiCache as botocore's Stubber answers: what they are asked, what goes wrong."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.stub import ANY, Stubber
from django.db import connection

from failover.promotion.errors import Refused, Unfinished
from failover.promotion.machine import Request, prepare, promote
from failover.promotion.plan import planned_steps
from failover.promotion.steps import STEPS
from failover.providers import aws
from failover.providers.aurora_lag import METRIC, last_lag
from failover.providers.aws import AwsProvider
from regions.regions import all_regions, region
from regions.servers import ProviderError
from storage import control
from storage.clients import cloudwatch, elasticache, rds
from tests.failover.tables import own_tables

GLOBAL, DATASTORE = "anyport-global", "anyport-datastore"
CODES = {where.name: where.aws_region for where in all_regions()}
ARNS = {name: f"arn:aws:rds:{code}:111122223333:cluster:anyport" for name, code in CODES.items()}


class Aws:
    """Stubs of each region's control planes. Every answer must be asked for, in its order."""

    def __init__(self) -> None:
        self.rds = {name: Stubber(rds(region(name))) for name in CODES}
        self.elasticache = {name: Stubber(elasticache(region(name))) for name in CODES}
        self.cloudwatch = {name: Stubber(cloudwatch(region(name))) for name in CODES}
        for stubber in self.all:
            stubber.activate()

    @property
    def all(self) -> list[Stubber]:
        return [*self.rds.values(), *self.elasticache.values(), *self.cloudwatch.values()]

    def end(self) -> None:
        for stubber in self.all:
            stubber.deactivate()

    def is_done(self) -> None:
        for stubber in self.all:
            stubber.assert_no_pending_responses()

    def is_global(self, writer: str, **state: Any) -> None:
        """The global cluster, as it answers the next question."""
        members = [
            {
                "DBClusterArn": arn,
                "IsWriter": name == writer,
                "SynchronizationStatus": "connected",
            }
            for name, arn in ARNS.items()
        ]
        cluster = {
            "GlobalClusterIdentifier": GLOBAL,
            "Status": "available",
            "GlobalClusterMembers": members,
        }
        self.rds["taiwan"].add_response(
            "describe_global_clusters",
            {"GlobalClusters": [cluster | state]},
            {"GlobalClusterIdentifier": GLOBAL},
        )

    def is_moving(self, old: str, new: str, status: str) -> None:
        state = {
            "Status": status,
            "FromDbClusterArn": ARNS[old],
            "ToDbClusterArn": ARNS[new],
        }
        self.is_global(old, Status=status, FailoverState=state)

    def are_clusters(self, **status: str) -> None:
        for name in self.rds:
            self.is_cluster(name, (f"{name}.example", 5432), status.get(name, "available"))

    def is_cluster(self, name: str, address: tuple[str, int], status: str = "available") -> None:
        found = {"Status": status, "Endpoint": address[0], "Port": address[1]}
        self.rds[name].add_response(
            "describe_db_clusters", {"DBClusters": [found]}, {"DBClusterIdentifier": ARNS[name]}
        )

    def was_behind(self, name: str, *milliseconds: float) -> None:
        """From minute to minute, the last one last; without any, nothing is known."""
        filed = [
            {"Name": "DBClusterIdentifier", "Value": "anyport"},
            {"Name": "SourceRegion", "Value": CODES["taiwan"]},
        ]
        stubber, named = self.cloudwatch[name], {"Namespace": "AWS/RDS", "MetricName": METRIC}
        stubber.add_response(
            "list_metrics",
            {"Metrics": [named | {"Dimensions": filed}] if milliseconds else []},
            named | {"Dimensions": filed[:1]},
        )
        if milliseconds:
            began = datetime(2026, 11, 30, tzinfo=UTC)
            points = [
                {"Timestamp": began + timedelta(minutes=minute), "Maximum": value}
                for minute, value in enumerate(milliseconds)
            ]
            stubber.add_response(
                "get_metric_statistics",
                {"Datapoints": points[::-1]},
                named
                | {"Dimensions": filed, "Period": 60, "Statistics": ["Maximum"]}
                | {"StartTime": ANY, "EndTime": ANY},
            )

    def is_datastore(self, primary: str, status: str = "available") -> None:
        members = [
            {
                "ReplicationGroupId": f"anyport-{name}",
                "ReplicationGroupRegion": code,
                "Role": "PRIMARY" if name == primary else "SECONDARY",
            }
            for name, code in CODES.items()
        ]
        group = {"GlobalReplicationGroupId": DATASTORE, "Status": status, "Members": members}
        self.elasticache["taiwan"].add_response(
            "describe_global_replication_groups", {"GlobalReplicationGroups": [group]}
        )


@pytest.fixture
def cloud(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    settings.AURORA_GLOBAL_CLUSTER, settings.ELASTICACHE_GLOBAL_GROUP = GLOBAL, DATASTORE
    monkeypatch.setattr(aws, "sleep", lambda seconds: None)
    cloud = Aws()
    yield cloud
    cloud.end()
    cloud.is_done()


def switchover(cloud: Aws) -> dict[str, str]:
    return {"GlobalClusterIdentifier": GLOBAL, "TargetDbClusterIdentifier": ARNS["tokyo"]}


def test_a_planned_move_is_a_switchover_and_waits_for_it(cloud: Aws) -> None:
    cloud.is_global("taiwan")
    cloud.rds["tokyo"].add_response("switchover_global_cluster", {}, switchover(cloud))
    cloud.is_moving("taiwan", "tokyo", "switching-over")
    cloud.is_global("tokyo")

    AwsProvider().promote("tokyo", 1, planned=True)


def test_an_unplanned_one_allows_the_loss_and_asks_the_chosen_region(cloud: Aws) -> None:
    cloud.is_global("taiwan")
    cloud.rds["tokyo"].add_response(
        "failover_global_cluster", {}, switchover(cloud) | {"AllowDataLoss": True}
    )
    cloud.is_global("tokyo")

    AwsProvider().promote("tokyo", 1, planned=False)


def test_a_move_that_runs_is_taken_up_and_not_asked_for_again(cloud: Aws) -> None:
    cloud.is_moving("taiwan", "tokyo", "failing-over")
    cloud.is_moving("taiwan", "tokyo", "failing-over")
    cloud.is_global("tokyo")

    AwsProvider().promote("tokyo", 2, planned=False)


def test_a_move_to_another_region_is_left_alone(cloud: Aws) -> None:
    cloud.is_moving("taiwan", "singapore", "switching-over")

    with pytest.raises(ProviderError, match=r"is moving the writer to arn:.*ap-southeast-1"):
        AwsProvider().promote("tokyo", 1, planned=True)


def test_what_is_done_is_not_done_again(cloud: Aws) -> None:
    cloud.is_global("tokyo")
    cloud.is_global("tokyo")

    AwsProvider().promote("tokyo", 1, planned=True)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("GlobalClusterNotFoundFault", "AURORA_GLOBAL_CLUSTER names no global cluster"),
        ("InvalidGlobalClusterStateFault", "cannot be moved as it is now: why"),
        ("InvalidDBClusterStateFault", "cannot be promoted as it is now: why"),
        ("DBClusterNotFoundFault", "no longer a member"),
        ("AccessDenied", "lack a permission"),
        ("SomethingNew", "SomethingNew: why"),
    ],
)
def test_a_refusal_is_explained(cloud: Aws, code: str, told: str) -> None:
    cloud.is_global("taiwan")
    cloud.rds["tokyo"].add_client_error("switchover_global_cluster", code, "why")
    if code.endswith("StateFault"):  # does it move already?
        cloud.is_global("taiwan")

    with pytest.raises(ProviderError, match=told):
        AwsProvider().promote("tokyo", 1, planned=True)


def test_a_move_that_was_accepted_without_an_answer_is_not_refused(cloud: Aws) -> None:
    """botocore has asked again by itself, and is told that the cluster is not available."""
    cloud.is_global("taiwan")
    cloud.rds["tokyo"].add_client_error(
        "switchover_global_cluster", "InvalidGlobalClusterStateFault"
    )
    cloud.is_moving("taiwan", "tokyo", "switching-over")
    cloud.is_moving("taiwan", "tokyo", "switching-over")
    cloud.is_global("tokyo")

    AwsProvider().promote("tokyo", 1, planned=True)


def test_a_busy_aws_is_asked_again(cloud: Aws) -> None:
    cloud.is_global("taiwan")
    cloud.rds["tokyo"].add_client_error("switchover_global_cluster", "Throttling")
    cloud.rds["tokyo"].add_client_error("switchover_global_cluster", "ThrottlingException")
    cloud.rds["tokyo"].add_response("switchover_global_cluster", {}, switchover(cloud))
    for name in CODES:  # nobody answers one of the questions how far it is
        cloud.rds[name].add_client_error("describe_global_clusters", "RequestLimitExceeded")
    cloud.is_global("tokyo")

    AwsProvider().promote("tokyo", 1, planned=True)


def test_an_aws_that_stays_busy_is_given_up(cloud: Aws) -> None:
    cloud.is_global("taiwan")
    for _ in range(4):
        cloud.rds["tokyo"].add_client_error("switchover_global_cluster", "Throttling")

    with pytest.raises(ProviderError, match="AWS is busy"):
        AwsProvider().promote("tokyo", 1, planned=True)


def test_a_move_that_takes_too_long_is_bounded(cloud: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws, "PATIENCE", 0.0)
    cloud.is_moving("taiwan", "tokyo", "failing-over")
    cloud.is_moving("taiwan", "tokyo", "failing-over")

    with pytest.raises(ProviderError, match="did not move the writer to tokyo within 0 minutes"):
        AwsProvider().promote("tokyo", 1, planned=False)


def test_a_move_that_aurora_cancels_is_told(cloud: Aws) -> None:
    cloud.is_moving("taiwan", "tokyo", "switching-over")
    cloud.is_moving("taiwan", "tokyo", "cancelling")

    with pytest.raises(ProviderError, match="goes back to what was before"):
        AwsProvider().promote("tokyo", 1, planned=True)


def test_another_control_plane_is_asked_when_this_regions_is_gone(cloud: Aws) -> None:
    cloud.rds["taiwan"].add_client_error("describe_global_clusters", "ServiceUnavailable")
    cluster = {"GlobalClusterIdentifier": GLOBAL, "GlobalClusterMembers": []}
    cloud.rds["tokyo"].add_response("describe_global_clusters", {"GlobalClusters": [cluster]})

    assert AwsProvider().followers("taiwan") == set()


def test_servers_tell_who_writes_and_who_is_away(cloud: Aws) -> None:
    cloud.is_global("taiwan")
    cloud.are_clusters(singapore="failing-over")

    found = AwsProvider().servers()

    assert (found["taiwan"].takes_writes, found["taiwan"].answers) == (True, True)
    assert (found["tokyo"].takes_writes, found["tokyo"].follows) == (False, True)
    assert (found["singapore"].answers, found["singapore"].problem) == (False, "is failing-over")


@pytest.mark.usefixtures("provisioned")
def test_without_the_writer_nothing_is_promoted_unless_the_loss_is_allowed(cloud: Aws) -> None:
    for _ in range(3):
        cloud.is_global("taiwan")
        cloud.are_clusters(taiwan="inaccessible-encryption-credentials")
        cloud.was_behind("tokyo", 90_000, 420)
        cloud.was_behind("singapore")
    cloud.is_datastore("taiwan")

    with pytest.raises(Refused, match="acknowledged here before another region has it"):
        prepare(Request("tokyo", "tests"), AwsProvider())
    record = prepare(Request(None, "tests", allow_data_loss=True), AwsProvider())
    steps = planned_steps(record, AwsProvider().servers(), AwsProvider())

    assert (record.old, record.planned) == ("taiwan", False)
    assert "tokyo was 0.42 s behind when last seen" in steps["Choose the new one"]


def test_a_silent_cloudwatch_stops_nothing_and_is_told(
    cloud: Aws, caplog: pytest.LogCaptureFixture
) -> None:
    cloud.cloudwatch["tokyo"].add_client_error("list_metrics", "AccessDenied")

    assert last_lag(region("tokyo"), ARNS["tokyo"]) is None
    assert "CloudWatch does not say how far tokyo was behind" in caplog.text
    assert "AccessDenied" in caplog.text


def looks(cloud: Aws) -> None:
    cloud.is_global("taiwan")
    cloud.are_clusters()


@pytest.mark.usefixtures("provisioned")
@pytest.mark.django_db(transaction=True)
def test_a_planned_move_that_was_refused_is_taken_up_and_ends(cloud: Aws) -> None:
    """What Aurora moves to is, for once, the writer of the tests."""
    connection.ensure_connection()
    writer = connection.connection.info.host, connection.connection.info.port
    request, steps = Request("tokyo", "tests", redis=False), []
    for answer in ("InvalidGlobalClusterStateFault", ""):
        for _ in ("whether it can be done", "fence", "choose"):
            looks(cloud)
        cloud.is_global("taiwan")
        if answer:
            cloud.rds["tokyo"].add_client_error("switchover_global_cluster", answer)
            cloud.is_global("taiwan")
    cloud.rds["tokyo"].add_response("switchover_global_cluster", {}, switchover(cloud))
    for _ in ("it moved", "others follow"):
        cloud.is_global("tokyo")
    cloud.is_datastore("taiwan")
    for _ in ("begin a generation", "verify by a write"):
        cloud.is_global("tokyo")
        cloud.is_cluster("tokyo", writer)
    for _ in ("all follow", *CODES):
        cloud.is_global("tokyo")

    with own_tables():
        with pytest.raises(Unfinished, match="cannot be moved as it is now"):
            promote(request, AwsProvider(), lambda *told: None)
        record = promote(request, AwsProvider(), lambda step, *told: steps.append(step.name))
        told = control.read("writer").data

    assert steps == [step.name for step in STEPS]
    assert (record.old, record.target, record.generation) == ("taiwan", "tokyo", 1)
    assert (told["region"], told["generation"]) == ("tokyo", 1)


def test_redis_follows(cloud: Aws) -> None:
    cloud.is_datastore("taiwan")
    cloud.elasticache["tokyo"].add_response(
        "failover_global_replication_group",
        {},
        {
            "GlobalReplicationGroupId": DATASTORE,
            "PrimaryRegion": CODES["tokyo"],
            "PrimaryReplicationGroupId": "anyport-tokyo",
        },
    )
    cloud.is_datastore("taiwan", "modifying")
    cloud.is_datastore("tokyo")
    cloud.is_datastore("tokyo")

    assert AwsProvider().promote_redis("tokyo") == "moved to tokyo"
    assert AwsProvider().promote_redis("tokyo") == "tokyo is the primary already"


def test_a_datastore_that_is_being_changed_is_told(cloud: Aws) -> None:
    cloud.is_datastore("taiwan")
    cloud.elasticache["tokyo"].add_client_error(
        "failover_global_replication_group",
        "InvalidGlobalReplicationGroupStateFault",
        "modifying",
        expected_params={
            "GlobalReplicationGroupId": ANY,
            "PrimaryRegion": ANY,
            "PrimaryReplicationGroupId": ANY,
        },
    )
    cloud.is_datastore("taiwan")

    with pytest.raises(ProviderError, match="is being changed already: modifying"):
        AwsProvider().promote_redis("tokyo")
