"""How far a secondary cluster of Aurora was behind, as its region's CloudWatch was last told."""

import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

from regions.regions import Region
from storage.clients import cloudwatch

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.type_defs import DimensionFilterTypeDef

logger = logging.getLogger(__name__)

METRIC: Final = "AuroraGlobalDBRPOLag"
"""Milliseconds, of user transactions; Aurora writes it in secondary regions only."""
WINDOW: Final = timedelta(minutes=15)
PERIOD: Final = 60  # seconds


def last_lag(where: Region, cluster_arn: str) -> float | None:
    """Seconds, the worst of the last minute that is known; None when nobody can say."""
    cluster: DimensionFilterTypeDef = {
        "Name": "DBClusterIdentifier",
        "Value": cluster_arn.rpartition(":")[2],
    }
    now = datetime.now(UTC)
    try:
        # By all that it is filed under: the region that it lags behind is among that.
        known = cloudwatch(where).list_metrics(
            Namespace="AWS/RDS", MetricName=METRIC, Dimensions=[cluster]
        )["Metrics"]
        points = [
            point
            for metric in known
            for point in cloudwatch(where).get_metric_statistics(
                Namespace="AWS/RDS",
                MetricName=METRIC,
                Dimensions=metric["Dimensions"],
                StartTime=now - WINDOW,
                EndTime=now,
                Period=PERIOD,
                Statistics=["Maximum"],
            )["Datapoints"]
        ]
    except (BotoCoreError, ClientError) as error:  # the promotion goes on without
        logger.warning("CloudWatch does not say how far %s was behind: %s", where.name, error)
        return None
    if not points:
        return None
    last = max(point["Timestamp"] for point in points)
    return max(point["Maximum"] for point in points if point["Timestamp"] == last) / 1000
