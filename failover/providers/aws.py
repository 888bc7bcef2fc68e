"""Aurora Global Database and ElastiCache Global Datastore.

What Aurora promises: a switchover waits until the chosen cluster has everything and loses
nothing; it needs a healthy writer. A failover takes what the chosen cluster has. Replication
between regions is asynchronous, so acknowledged commits of the last moment may be lost: usually
less than a second's, at most `rds.global_db_rpo` seconds' where that is set. Aurora itself stops
writes on the old cluster as soon as it can, and makes it follow when its region is back.

Only one such operation runs at a time on a global cluster, whoever asks: that is its fence, and
the attempt has none to be shown to.
"""

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings

from failover.providers.aurora_lag import last_lag
from regions.regions import Region, all_regions, local_first, region
from regions.servers import Fence, ProviderError, Server
from storage.clients import elasticache, rds

if TYPE_CHECKING:
    from mypy_boto3_elasticache.type_defs import GlobalReplicationGroupTypeDef
    from mypy_boto3_rds.type_defs import GlobalClusterTypeDef

logger = logging.getLogger(__name__)

PATIENCE: Final = 15 * 60.0
"""Seconds for Aurora, or ElastiCache, to do what it was asked; they take one to a few minutes."""
POLL: Final = 5.0
_BUSY: Final = {"Throttling", "ThrottlingException", "RequestLimitExceeded", "ServiceUnavailable"}
_BY_STATE: Final = {
    "InvalidGlobalClusterStateFault",
    "InvalidDBClusterStateFault",
    "InvalidGlobalReplicationGroupStateFault",
}
"""Refusals of what is under way already, also because it was just asked for."""
_EXPLANATIONS: Final = {
    "GlobalClusterNotFoundFault": "AURORA_GLOBAL_CLUSTER names no global cluster of this account",
    "DBClusterNotFoundFault": "the chosen cluster is no longer a member of the global cluster",
    "InvalidGlobalClusterStateFault": "the global cluster cannot be moved as it is now",
    "InvalidDBClusterStateFault": "the chosen cluster cannot be promoted as it is now",
    "GlobalReplicationGroupNotFoundFault": "ELASTICACHE_GLOBAL_GROUP names no global datastore",
    "InvalidGlobalReplicationGroupStateFault": "the global datastore is being changed already",
    "AccessDenied": "the credentials lack a permission: see docs/operations.md",
    "AccessDeniedException": "the credentials lack a permission: see docs/operations.md",
}


class AwsProvider:
    """Satisfies failover.providers.base.Provider."""

    name = "aws"
    confirmed_by_standby = False
    moves_whole = True

    # --- What is ----------------------------------------

    def servers(self) -> dict[str, Server]:
        members = _members(_global_cluster())
        with ThreadPoolExecutor(len(settings.ANYPORT_REGIONS)) as pool:
            found = list(
                pool.map(lambda where: _server(where, members.get(where.name)), all_regions())
            )
            if not any(server.takes_writes for server in found):  # what is lost is asked next
                found = list(pool.map(lambda server: _with_lag(server, members), found))
        return {server.region: server for server in found}

    def address(self, region_name: str) -> tuple[str, int]:
        member = _members(_global_cluster()).get(region_name)
        if member is None:
            raise ProviderError(f"{region_name} has no cluster in {settings.AURORA_GLOBAL_CLUSTER}")
        cluster = _cluster(region(region_name), member["DBClusterArn"])
        return cluster["Endpoint"], cluster["Port"]

    def followers(self, writer: str) -> set[str]:
        return {
            name
            for name, member in _members(_global_cluster()).items()
            if name != writer and member.get("SynchronizationStatus") == "connected"
        }

    # --- What Aurora does by itself ----------------------------------------

    def prepare(self, writer: str, target: str) -> None:
        """Nothing can be shortened."""

    def fence(self, writer: str, *, gently: bool) -> Fence:
        return Fence(stopped=False, detail="Aurora stops it while it promotes the other")

    def detach(self, region_name: str, attempt: int) -> None:
        """Clusters are detached by Aurora."""

    def catch_up(self, region_name: str, source: str, position: int) -> None:
        raise ProviderError("Aurora's secondary clusters receive from the writer only")

    def attach(self, region_name: str, writer: str) -> None:
        """Clusters follow by themselves, the old writer's when its region is back."""

    def release(self, region_name: str) -> None:
        """Nothing was set."""

    def restart(self, writer: str) -> None:
        """Nothing was stopped."""

    # --- Moving ----------------------------------------

    def promote(self, region_name: str, attempt: int, *, planned: bool) -> None:
        """Takes up an operation towards the region that runs already."""
        where = region(region_name)
        cluster = _global_cluster()
        target = _members(cluster).get(region_name)
        if target is None:
            raise ProviderError(f"{region_name} has no cluster in {settings.AURORA_GLOBAL_CLUSTER}")
        arn = target["DBClusterArn"]
        running = cluster.get("FailoverState", {}).get("ToDbClusterArn")
        if running and running != arn:
            raise ProviderError(f"Aurora is moving the writer to {running} already: wait for that")
        if not running and not target.get("IsWriter"):
            _until_accepted(lambda: _ask_to_move(where, arn, planned=planned), lambda: _moves(arn))
        _await(lambda: _progress(arn), f"Aurora did not move the writer to {region_name}")

    def redis_primary(self) -> str | None:
        try:
            members = _datastore().get("Members", [])
        except ProviderError:
            return None
        return next((_named(m["ReplicationGroupRegion"]) for m in members if _leads(m)), None)

    def promote_redis(self, region_name: str) -> str:
        where = region(region_name)
        member = next(
            (
                member
                for member in _datastore().get("Members", [])
                if member["ReplicationGroupRegion"] == where.aws_region
            ),
            None,
        )
        if member is None:
            raise ProviderError(f"{region_name} is no member of the global datastore")
        if _leads(member):
            return f"{region_name} is the primary already"
        with_group = {
            "GlobalReplicationGroupId": settings.ELASTICACHE_GLOBAL_GROUP,
            "PrimaryRegion": where.aws_region,
            "PrimaryReplicationGroupId": member["ReplicationGroupId"],
        }
        _until_accepted(
            lambda: elasticache(where).failover_global_replication_group(**with_group),
            lambda: self.redis_primary() == region_name,
        )
        _await(lambda: _redis_progress(region_name), f"ElastiCache did not move to {region_name}")
        return f"moved to {region_name}"


# --- Aurora ----------------------------------------


def _global_cluster() -> "GlobalClusterTypeDef":
    """As the first region says whose control plane answers, this one first."""
    answer = _first_answer(
        lambda where: rds(where).describe_global_clusters(
            GlobalClusterIdentifier=settings.AURORA_GLOBAL_CLUSTER
        )
    )
    found: GlobalClusterTypeDef = answer["GlobalClusters"][0]
    return found


def _members(cluster: "GlobalClusterTypeDef") -> dict[str, Any]:
    """By our names of their regions, which their ARNs tell."""
    by_code = {m["DBClusterArn"].split(":")[3]: m for m in cluster.get("GlobalClusterMembers", [])}
    return {
        where.name: by_code[where.aws_region]
        for where in all_regions()
        if where.aws_region in by_code
    }


def _cluster(where: Region, arn: str) -> Any:
    try:
        return rds(where).describe_db_clusters(DBClusterIdentifier=arn)["DBClusters"][0]
    except (BotoCoreError, ClientError) as error:
        raise _explained(error) from error


def _server(where: Region, member: Any) -> Server:
    if member is None:
        return Server(where.name, answers=False, problem="has no cluster in the global cluster")
    try:
        status = _cluster(where, member["DBClusterArn"])["Status"]
    except ProviderError as error:
        return Server(where.name, answers=False, problem=str(error))
    if status != "available":
        return Server(where.name, answers=False, problem=f"is {status}")
    follows = member.get("SynchronizationStatus") == "connected"
    return Server(where.name, True, bool(member.get("IsWriter")), follows=follows)


def _with_lag(server: Server, members: dict[str, Any]) -> Server:
    if not server.answers:
        return server
    arn = members[server.region]["DBClusterArn"]
    return replace(server, behind=last_lag(region(server.region), arn))


def _ask_to_move(where: Region, arn: str, *, planned: bool) -> None:
    """Of the chosen region's control plane: the old writer's may be gone with it."""
    name = settings.AURORA_GLOBAL_CLUSTER
    if planned:
        rds(where).switchover_global_cluster(
            GlobalClusterIdentifier=name, TargetDbClusterIdentifier=arn
        )
    else:
        rds(where).failover_global_cluster(
            GlobalClusterIdentifier=name, TargetDbClusterIdentifier=arn, AllowDataLoss=True
        )


def _moves(arn: str) -> bool:
    """Whether what was asked, and not answered, was done."""
    cluster = _global_cluster()
    return cluster.get("FailoverState", {}).get("ToDbClusterArn") == arn or _is_writer(cluster, arn)


def _is_writer(cluster: "GlobalClusterTypeDef", arn: str) -> bool:
    members = cluster.get("GlobalClusterMembers", [])
    return any(m["DBClusterArn"] == arn and m.get("IsWriter") for m in members)


def _progress(arn: str) -> tuple[bool, str]:
    cluster = _global_cluster()
    state = cluster.get("FailoverState", {})
    if state.get("Status") == "cancelling":
        raise ProviderError("Aurora gave it up and goes back to what was before")
    moving = bool(state.get("ToDbClusterArn"))
    return _is_writer(cluster, arn) and not moving, str(state.get("Status") or cluster["Status"])


# --- ElastiCache ----------------------------------------


def _datastore() -> "GlobalReplicationGroupTypeDef":
    answer = _first_answer(
        lambda where: elasticache(where).describe_global_replication_groups(
            GlobalReplicationGroupId=settings.ELASTICACHE_GLOBAL_GROUP, ShowMemberInfo=True
        )
    )
    found: GlobalReplicationGroupTypeDef = answer["GlobalReplicationGroups"][0]
    return found


def _leads(member: Any) -> bool:
    return str(member.get("Role", "")).upper() == "PRIMARY"


def _named(code: str) -> str | None:
    return next((where.name for where in all_regions() if where.aws_region == code), None)


def _redis_progress(region_name: str) -> tuple[bool, str]:
    group = _datastore()
    leads = any(
        _leads(m) and _named(m["ReplicationGroupRegion"]) == region_name for m in group["Members"]
    )
    return leads and group["Status"] in {"available", "primary-only"}, group["Status"]


# --- Asking ----------------------------------------


def _first_answer(ask: Callable[[Region], Any]) -> Any:
    """Raises ProviderError with the last region's reason when none answers."""
    problem: ProviderError | None = None
    for where in local_first():
        try:
            return ask(where)
        except (BotoCoreError, ClientError) as error:
            problem = _explained(error)
    raise problem or ProviderError("there is no region to ask")


def _until_accepted(ask: Callable[[], object], was_done: Callable[[], bool]) -> None:
    """Ask, again where AWS is busy; what was not answered may have been done."""
    for pause in _pauses():
        try:
            ask()
        except ClientError as error:
            if error.response["Error"]["Code"] not in _BUSY or pause is None:
                # botocore asks again by itself where an answer is late: it may have been accepted.
                if error.response["Error"]["Code"] in _BY_STATE and was_done():
                    return
                raise _explained(error) from error
        except BotoCoreError as error:
            if was_done():
                return
            if pause is None:
                raise _explained(error) from error
        else:
            return
        sleep(pause)


def _pauses() -> Iterator[float | None]:
    yield from (1.0, 2.0, 4.0, None)


def _await(progress: Callable[[], tuple[bool, str]], problem: str) -> None:
    """Until it says that it is done; each new state is logged. One question may fail."""
    deadline, said = monotonic() + PATIENCE, ""
    while True:
        try:
            done, state = progress()
        except _Unanswered as error:
            done, state = False, str(error)
        if done:
            return
        if state != said:
            logger.info("%s …", state)
            said = state
        if monotonic() > deadline:
            raise ProviderError(f"{problem} within {PATIENCE / 60:.0f} minutes; it is {state}")
        sleep(POLL)


class _Unanswered(ProviderError):
    """AWS was busy, or nobody answered: it may be asked again."""


def _explained(error: Exception) -> ProviderError:
    if not isinstance(error, ClientError):
        return _Unanswered(f"AWS did not answer: {error}")
    code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
    if code in _BUSY:
        return _Unanswered(f"AWS is busy: {code}")
    return ProviderError(f"{_EXPLANATIONS.get(code, code)}: {message}".rstrip(": "))
