"""Watchers of a stack that runs without, and what they say."""

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3

from regions.embedded.plan import AWS_REGIONS, REPOSITORY
from regions.embedded.processes import dies_with_parent
from tests.promotions import command, environment
from tests.stack import Stack, wait_until

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

BLIND = {"DATABASE_HOSTS": "127.0.0.1:1,127.0.0.1:2"}
"""Nobody listens there."""


@dataclass
class Watchers:
    stack: Stack
    logs: Path
    processes: dict[str, subprocess.Popen[bytes]]

    def kill(self, region: str) -> None:
        self.processes[region].kill()
        self.processes[region].wait()

    @property
    def said(self) -> str:
        return "\n".join(path.read_text() for path in sorted(self.logs.glob("watch-*.log")))

    def wait_said(self, words: str) -> None:
        wait_until(lambda: words in self.said, 180, f"a watcher says: {words}")

    @cached_property
    def _dynamodb(self) -> "DynamoDBClient":
        return boto3.session.Session().client(
            "dynamodb",
            region_name=AWS_REGIONS["tokyo"],
            endpoint_url=f"http://127.0.0.1:{self.stack.plan.ports['aws']}",
            aws_access_key_id="anyport",
            aws_secret_access_key="anyport-local",
        )

    def view(self, region: str) -> dict[str, Any]:
        """What that region's watcher sees; empty before it looked."""
        item = self._dynamodb.get_item(
            TableName="anyport-control", Key={"name": {"S": f"view|{region}"}}
        ).get("Item")
        return json.loads(item["data"]["S"]) if item else {}

    def wait_missing(self, *regions: str, seconds: float) -> None:
        """Until each of them has seen no writer for so long."""
        for region in regions:
            wait_until(
                lambda region=region: self.view(region).get("missing_for", 0) >= seconds,  # type: ignore[misc]  # its default
                90,
                f"{region} misses the writer",
                interval=0.3,
            )


@contextmanager
def watching(stack: Stack, logs: Path, *, blind: str = "", patch: str = "") -> Iterator[Watchers]:
    """A watcher in each region, from when one leads and all of them see what they can see."""
    logs.mkdir()
    processes = {}
    for region in stack.regions:
        with (logs / f"watch-{region}.log").open("wb") as log:
            processes[region] = subprocess.Popen(
                [*dies_with_parent(signal.SIGKILL), *command("watch", patch=patch)],
                cwd=REPOSITORY,
                env=environment(stack, region) | (BLIND if region == blind else {}),
                stdout=log,
                stderr=log,
            )
    watchers = Watchers(stack, logs, processes)
    try:
        watchers.wait_said("watch: leads")
        wait_until(
            lambda: watchers.said.count("watch: follows the leader") >= len(processes) - 1,
            180,
            "the others follow whoever leads",
        )
        for region in {*stack.regions} - {blind}:
            wait_until(lambda region=region: watchers.view(region).get("writer"), 180, region)  # type: ignore[misc]  # its default
        yield watchers
    finally:
        for process in processes.values():
            process.kill()
        for process in processes.values():
            process.wait()
        print(watchers.said)
