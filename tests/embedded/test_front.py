"""The front door: any region serves any request, and the death of one is not noticed."""

import signal
import socket

import boto3
import httpx
import psutil
import pytest

from regions.embedded.plan import AWS_REGIONS
from storage.files import asset_key
from tests.embedded.load import Load
from tests.stack import APPLICATION, Stack, wait_until

LONGEST_OUTAGE = 2.0  # seconds, as promised
FAR = asset_key(b"from far", ".txt")


def test_every_region_serves_in_turn(stack: Stack) -> None:
    """Unless one has just missed a look at its health, on a busy machine."""
    served: list[httpx.Response] = []

    def is_in_turn() -> bool:
        served[:] = [httpx.get(f"{stack.front}/health/live", timeout=20) for _ in range(6)]
        names = [response.headers.get("Anyport-Region", "") for response in served]
        return sorted(names) == sorted([*stack.regions, *stack.regions])

    wait_until(is_in_turn, 60, "each region serves in turn")
    assert {"Server", "Via"}.isdisjoint(served[0].headers)


def test_front_door_answers_on_both_loopback_addresses(stack: Stack) -> None:
    port = httpx.URL(stack.front).port
    assert stack.answers(f"http://127.0.0.1:{port}/health/live")
    if socket.has_ipv6 and "::1" in {a.address for v in psutil.net_if_addrs().values() for a in v}:
        assert stack.answers(f"http://[::1]:{port}/health/live")


def test_load_notices_an_outage(stack: Stack) -> None:
    """The control: were the front door away, the tests below would see it."""
    with Load(stack.front) as load:
        wait_until(lambda: load.served(stack.front) > 20, 60, "requests are served")
        old = stack.kill("caddy")
        stack.wait_restarted("caddy", None, old)
        served = load.served(stack.front)
        wait_until(lambda: load.served(stack.front) > served + 20, 120, "requests are served again")

    assert load.accounts[stack.front].failures > 0


@pytest.mark.parametrize("who", ["main process", "worker process", "region"])
def test_death_of_processes_is_not_noticed(stack: Stack, who: str) -> None:
    victim, *others = stack.regions
    direct = [stack.regions[region]["web"] for region in others]
    with Load(stack.front, *direct) as load:
        wait_until(lambda: load.served(stack.front) > 20, 60, "requests are served")
        old = {name: stack.pid(name, victim) for name in APPLICATION}
        names: tuple[str, ...] = ("web",)
        if who == "main process":
            stack.kill("web", victim)
        elif who == "worker process":
            (worker,) = psutil.Process(old["web"]).children()
            worker.kill()
        else:
            stack.kill_region(victim)
            names = APPLICATION
        for name in names:
            stack.wait_restarted(name, victim, old[name])
        served = load.served(stack.front)
        wait_until(lambda: load.served(stack.front) > served + 50, 120, "requests are served on")

    assert load.accounts[stack.front].longest_outage() < LONGEST_OUTAGE
    assert [load.accounts[address].failures for address in direct] == [0, 0]


def test_frozen_process_leaves_the_rotation_and_returns(stack: Stack) -> None:
    victim = next(iter(stack.regions))
    (worker,) = psutil.Process(stack.pid("web", victim)).children()

    worker.send_signal(signal.SIGSTOP)
    try:
        wait_until(lambda: victim not in asked(stack, 6), 120, f"{victim} is passed over")
    finally:
        worker.send_signal(signal.SIGCONT)

    wait_until(lambda: victim in asked(stack, 6), 120, f"{victim} serves again")


def asked(stack: Stack, times: int) -> set[str]:
    """The regions that answered that many requests."""
    answers = set()
    for _ in range(times):
        try:
            response = httpx.get(f"{stack.front}/health/live", timeout=3)
        except httpx.TimeoutException:  # it was sent to the frozen one
            continue
        answers.add(response.headers.get("Anyport-Region", ""))
    return answers


def test_assets_come_from_any_region_and_are_kept_for_ever(stack: Stack) -> None:
    put(stack, "singapore", FAR, b"from far")

    found = httpx.get(f"{stack.front}/assets/{FAR}")
    head = httpx.head(f"{stack.front}/assets/{FAR}")

    assert (found.status_code, found.text) == (200, "from far")
    assert found.headers["Content-Type"] == "text/plain"
    assert found.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert (head.status_code, head.headers["Content-Length"]) == (200, "8")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/assets/"),
        ("GET", "/assets/sha256/"),
        ("GET", f"/assets/{asset_key(b'never stored', '.png')}"),
        ("GET", "/assets/?list-type=2"),
        ("GET", "/assets/%3flist-type=2"),
        ("GET", "/assets/%3Fversions="),
        ("GET", "/assets/%253flist-type=2"),
        ("GET", f"/assets/{FAR}%3facl"),
        ("GET", f"/assets/{FAR}%0a"),
        ("GET", f"/assets/{FAR}/"),
        ("GET", f"/assets/{FAR.upper()}"),
        ("GET", "/assets/embedded/other.txt"),
        ("GET", "/assets/%2e%2e/anyport-backups-taiwan/secret.txt"),
        ("GET", "/assets/%2e%2e%2fanyport-backups-taiwan%2fsecret.txt"),
        ("POST", f"/assets/{FAR}"),
        ("PUT", f"/assets/{FAR}"),
        ("DELETE", f"/assets/{FAR}"),
    ],
)
def test_assets_show_files_only(stack: Stack, method: str, path: str) -> None:
    put(stack, "singapore", FAR, b"from far")
    for region in stack.regions:
        put(stack, region, "embedded/other.txt", b"of no public name")

    refused = httpx.request(method, f"{stack.front}{path}")

    assert refused.status_code == 404
    assert "immutable" not in refused.headers.get("Cache-Control", "")
    assert "ListBucketResult" not in refused.text
    assert httpx.get(f"{stack.front}/assets/{FAR}").text == "from far"


def test_asset_is_named_by_its_path_alone(stack: Stack) -> None:
    put(stack, "singapore", FAR, b"from far")
    headers = {
        "Host": "anyport-backups-taiwan.s3.amazonaws.com",
        "X-Amz-Target": "DynamoDB_20120810.ListTables",
        "Content-Type": "application/x-amz-json-1.0",
    }

    found = httpx.request(
        "GET", f"{stack.front}/assets/{FAR}?acl&list-type=2", headers=headers, content=b"{}"
    )

    assert (found.status_code, found.text) == (200, "from far")


def put(stack: Stack, region: str, key: str, body: bytes) -> None:
    client = boto3.client(
        "s3",
        region_name=AWS_REGIONS[region],
        endpoint_url=stack.description["stores"]["aws"],
        aws_access_key_id="anyport",
        aws_secret_access_key="anyport-local",
    )
    client.put_object(
        Bucket=f"anyport-assets-{region}", Key=key, Body=body, ContentType="text/plain"
    )


def test_kind_page_while_no_region_is_ready(stack: Stack) -> None:
    for region in stack.regions:
        stack.stop_process("web", region)
    try:
        page = httpx.get(f"{stack.front}/", timeout=10)
        problem = httpx.post(f"{stack.front}/api/orders", json={}, timeout=10)
    finally:
        for region in stack.regions:
            stack.start_process("web", region)

    assert (page.status_code, page.headers["Retry-After"]) == (503, "5")
    assert "Your cart and your orders are safe" in page.text
    assert page.headers["Cache-Control"] == "no-store"
    assert (problem.status_code, problem.headers["Retry-After"]) == (503, "5")
    assert problem.headers["Content-Type"] == "application/problem+json"
    assert problem.json()["status"] == 503
    wait_until(lambda: stack.answers(f"{stack.front}/health/ready"), 60, "the front door answers")
