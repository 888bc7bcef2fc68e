"""`/health/deep`: for operators, cheap, and silent about secrets."""

import socket
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import httpx
import pytest
from django.test import Client

from regions.embedded.plan import Secrets
from tests.stack import Stack

FORWARDED = {"X-Forwarded-For": "192.0.2.1"}


@pytest.mark.parametrize("kind", ["web", "ws"])
def test_every_instance_tells_what_it_sees(stack: Stack, kind: str) -> None:
    for region, addresses in stack.regions.items():
        url = addresses[kind].replace("ws://", "http://")

        document = httpx.get(f"{url}/health/deep", timeout=60).json()

        assert document["region"] == region
        assert document["received"] <= document["sent"]
        told = {found["check"] for found in document["checks"]}
        assert told >= {"postgres.role", "postgres.writer", "redis.primary", "dynamodb.lease"}
        assert told >= {"sessions.stores", "channels.echo", "audit.caches"}
        assert {f["region"] for f in document["checks"] if f["check"] == "s3.round-trip"} == {
            region
        }
        assert not told & {"region.view", "sessions.elsewhere", "jobs.any"}


@pytest.mark.parametrize("limit", ["", "nan", "-1", "1e999", "x" * 2000])
def test_a_limit_that_is_none_is_not_taken(stack: Stack, limit: str) -> None:
    url = f"{stack.regions['tokyo']['web']}/health/deep"

    assert httpx.get(url, params={"limit": limit}, timeout=60).status_code == 200


def test_it_tells_fingerprints_and_no_secret(stack: Stack) -> None:
    text = httpx.get(f"{stack.regions['tokyo']['web']}/health/deep", timeout=60).text
    secrets = Secrets.of(stack.state)

    assert '"session_keys": [{"id": "k1", "fingerprint": "' in text
    known = (
        secrets.django,
        secrets.session_keys.partition(":")[2],
        secrets.database,
        secrets.stripe_key,
        secrets.stripe_webhook,
    )
    assert [secret for secret in known if secret in text] == []


def test_many_who_ask_at_once_make_it_look_once_or_twice(stack: Stack) -> None:
    url = f"{stack.regions['taiwan']['web']}/health/deep"

    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: httpx.get(url, timeout=60), range(24)))

    looks = [a.json()["sent"] - a.json()["age"] for a in answers if a.status_code == 200]
    assert {answer.status_code for answer in answers} <= {200, 503}  # 503: the first is under way
    elapsed = max(looks) - min(looks)
    distinct = {round(look, 1) for look in looks}
    assert len(distinct) <= 2 * (1 + elapsed / 2)  # one in two seconds; rounding may split each


@pytest.mark.parametrize("path", ["deep", "deep/object/tokyo/2e0341a1-2634-4f8f-b48b-5a81618f03a9"])
def test_whoever_came_through_a_proxy_is_not_answered(client: Client, path: str) -> None:
    response = client.get(f"/health/{path}", headers=FORWARDED)

    assert (response.status_code, response.content) == (404, b"")
    assert client.post(f"/health/{path}").status_code == 405


def test_an_object_of_a_check_is_found_where_it_is_and_nowhere_else(client: Client) -> None:
    name = uuid4()
    missing = client.get(f"/health/deep/object/tokyo/{name}")
    nowhere = client.get(f"/health/deep/object/osaka/{name}")
    other = client.get("/health/deep/object/tokyo/invoices%2FAP-1.pdf")

    assert missing.json() == {"found": False}
    assert (nowhere.status_code, other.status_code) == (404, 404)


@pytest.mark.parametrize(
    "path",
    [
        "/health/deep",
        "/health/deep?a=1",
        "/health/deep/",
        "//health/deep",
        "/health//deep",
        "/health/%64eep",
        "/HEALTH/DEEP",
        "/shop/../health/deep",
        "/ws/../health/deep",
        "/health/deep%00",
        "/health/deep/object/tokyo/2e0341a1-2634-4f8f-b48b-5a81618f03a9",
    ],
)
def test_the_front_door_does_not_lead_there(stack: Stack, path: str) -> None:
    """Over a bare socket: a client would tidy the path up."""
    front = httpx.URL(stack.front)
    with socket.create_connection((front.host, front.port or 80), timeout=10) as door:
        door.sendall(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
        answer = b"".join(iter(lambda: door.recv(65536), b""))

    assert answer.split(b" ", 2)[1] in (b"400", b"404")
    assert b"postgres.role" not in answer
    assert b'"found"' not in answer
