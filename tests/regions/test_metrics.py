"""Counters for operators, asked of each instance and of no front door."""

import os
import re
import socket
import subprocess
import sys
from math import isnan
from pathlib import Path

import httpx
import pytest
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from tests.stack import Stack
from tests.valkey import Valkey, as_primary


def values(text: str) -> dict[str, float]:
    return {
        sample.name: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if not sample.labels
    }


def samples(instance: str, name: str) -> list[Sample]:
    address = instance.replace("ws://", "http://")
    families = text_string_to_metric_families(httpx.get(f"{address}/metrics", timeout=60).text)
    return [sample for family in families for sample in family.samples if sample.name == name]


def build(instance: str) -> tuple[str, str]:
    """The region and version that it says it is."""
    (told,) = samples(instance, "anyport_build_info")
    return told.labels["region"], told.labels["version"]


def requests(web: str) -> dict[str, float]:
    """Answered so far, by class of status."""
    return {one.labels["status"]: one.value for one in samples(web, "anyport_requests_total")}


def test_metrics_answer_without_any_store(client: Client, tmp_path: Path) -> None:
    # No database mark: pytest-django lets every query fail.
    with as_primary(Valkey(tmp_path)):  # never started
        response = client.get("/metrics")

    assert response.status_code == 200
    assert response.headers["Content-Type"].startswith("text/plain; version=")
    assert "no-store" in response.headers["Cache-Control"]
    assert "SESSION" not in response.cookies
    counted = values(response.content.decode())
    assert counted["process_start_time_seconds"] > 0
    assert isnan(counted["orders_outbox_waiting"])  # it could not be asked


def test_metrics_are_not_for_whoever_came_through_a_proxy(client: Client) -> None:
    response = client.get("/metrics", headers={"X-Forwarded-For": "192.0.2.1"})

    assert (response.status_code, response.content) == (404, b"")


def test_metrics_take_only_safe_methods(client: Client) -> None:
    assert client.post("/metrics").status_code == 405


@pytest.mark.parametrize("kind", ["web", "ws"])
def test_every_instance_answers_by_itself(stack: Stack, kind: str) -> None:
    for region, addresses in stack.regions.items():
        response = httpx.get(f"{addresses[kind]}/metrics", timeout=60)

        assert response.headers["Anyport-Region"] == region
        assert values(response.text)["process_cpu_seconds_total"] > 0


def test_every_instance_names_its_region_and_code(stack: Stack) -> None:
    found = {
        region: [build(address) for address in (addresses["web"], addresses["ws"])]
        for region, addresses in stack.regions.items()
    }

    ((_, version),) = found["taiwan"][:1]
    assert re.fullmatch("src-[0-9a-f]{8}", version)
    assert found == {region: [(region, version)] * 2 for region in stack.regions}


def test_requests_are_counted_by_class_of_status(stack: Stack) -> None:
    web = stack.regions["tokyo"]["web"]
    before = requests(web)

    codes = [
        httpx.get(f"{web}{path}", timeout=60).status_code
        for path in ("/search/", "/search", "/no-such-page/", "/health/ready", "/metrics")
    ]

    assert codes == [200, 301, 404, 200, 200]
    after = requests(web)
    counted = {status: after[status] - count for status, count in before.items()}
    assert counted == {"2xx": 1, "3xx": 1, "4xx": 1, "5xx": 0}


@pytest.mark.parametrize(
    "path",
    [
        "/metrics",
        "/metrics?a=1",
        "/metrics/",
        "//metrics",
        "/%6detrics",
        "/METRICS",
        "/shop/../metrics",
        "/./metrics",
        "/metrics%2f",
        "/metrics%00",
        "/ws/../metrics",
    ],
)
def test_the_front_door_does_not_lead_there(stack: Stack, path: str) -> None:
    """Over a bare socket: a client would tidy the path up."""
    front = httpx.URL(stack.front)
    with socket.create_connection((front.host, front.port or 80), timeout=60) as door:
        door.sendall(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
        answer = b"".join(iter(lambda: door.recv(65536), b""))

    assert answer.split(b" ", 2)[1] in (b"400", b"404")
    assert b"process_" not in answer


COUNT = """
import django; django.setup()
from prometheus_client import Counter
Counter("counted", "In several processes").inc()
"""
SHOW = """
import django; django.setup()
from django.test import Client
print(Client(HTTP_HOST="localhost").get("/metrics").content.decode())
"""


def test_processes_that_share_a_directory_answer_for_each_other(tmp_path: Path) -> None:
    environment = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}

    def run(code: str) -> str:
        return subprocess.run(
            [sys.executable, "-c", code], env=environment, check=True, text=True, stdout=-1
        ).stdout

    run(COUNT)
    run(COUNT)

    assert values(run(SHOW))["counted_total"] == 2
