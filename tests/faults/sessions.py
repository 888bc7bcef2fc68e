"""Shoppers who carry their cookies from region to region, and ways to take the stores from them."""

import base64
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.cookiejar import CookieJar, DefaultCookiePolicy
from statistics import median
from typing import Any, Final, Self
from urllib.parse import urlsplit

import httpx
from django.test import override_settings
from redis import Redis, RedisError

from regions.embedded.plan import VALKEY_NAME
from regions.embedded.ports import LOOPBACK
from sessions_ext import dynamodb_store, keys, redis_store
from sessions_ext.conf import conf
from sessions_ext.dynamodb_store import Found
from sessions_ext.record import Record
from settings.env import HostPort
from tests.sessions_ext.outage import forget_clients
from tests.shopper import forms_of, new_email
from tests.stack import Stack, wait_until

PASSWORD: Final = "Lantern-Quay-88"
SKU: Final = "DKTOTE-OAT-DAY"
LIMIT: Final = 25.0
"""Seconds. A request that takes longer fails the test: httpx raises ReadTimeout."""
WAIT: Final = 60.0
"""Seconds for a store to come back on a busy machine."""
NAMESPACE: Final = "anyport"

QUICK: Final = 0.5
"""Seconds that half of the requests may take while a store is gone. Waiting for it would cost each
of them more: Redis' clients give up after 2 or 3 times 0.5 s, DynamoDB's after twice 0.5 s."""

type State = tuple[str | None, str, int]
"""E-mail of who is signed in, currency, units in the cart."""

# It keeps no cookie: the last shopper's would go with each look at /metrics, and be counted there.
_keep_none = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
_http = httpx.Client(timeout=LIMIT, cookies=_keep_none)


@dataclass
class Shopper:
    """Talks to whichever address it is told; its cookies go with it."""

    cookies: dict[str, str] = field(default_factory=dict)
    took: list[tuple[float, str]] = field(default_factory=list)
    """Seconds and path of each request."""

    def copy(self) -> Self:
        """The same cookies, kept by somebody."""
        return type(self)(dict(self.cookies))

    def send(self, method: str, url: str, **options: Any) -> httpx.Response:
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        started = time.monotonic()
        response = _http.request(method, url, headers={"Cookie": cookie}, **options)
        self.took.append((time.monotonic() - started, f"{method} {urlsplit(url).path}"))
        for name, value in response.cookies.items():
            self.cookies[name] = value
        for header in response.headers.get_list("Set-Cookie"):
            name, _, rest = header.partition("=")
            if rest.startswith((";", '"";')):  # taken away
                self.cookies.pop(name, None)
        return response

    def ask(self, method: str, base: str, path: str, **options: Any) -> dict[str, Any]:
        """Of the JSON API, which must be able to answer."""
        response = self.send(method, f"{base}/api/{path}", **options)
        assert response.is_success, f"{method} {path}: {response.status_code} {response.text[:300]}"
        answer: dict[str, Any] = response.json()
        return answer

    def state(self, base: str) -> State:
        seen = self.ask("GET", base, "session")
        return seen["email"], seen["currency"], seen["cart_units"]

    def prefer(self, base: str, currency: str) -> None:
        self.ask("PATCH", base, "session", json={"currency": currency})

    def add(self, base: str) -> None:
        self.ask("POST", base, "cart/items", json={"sku": SKU, "quantity": 1})

    def submit(self, base: str, path: str, **fields: str) -> httpx.Response:
        page = self.send("GET", f"{base}{path}")
        assert page.status_code == 200, f"{path}: {page.status_code}"
        form = next(
            form
            for form in forms_of(page.text)
            if form.method == "post" and (form.action or path).split("?")[0] == path
        )
        return self.send("POST", f"{base}{path}", data=form.fields | fields)

    def sign_up(self, base: str) -> str:
        email = new_email()
        answer = self.submit(base, "/accounts/signup/", email=email, password1=PASSWORD)
        assert answer.status_code == 302, answer.text[:500]
        return email

    def log_in(self, base: str, email: str) -> None:
        answer = self.submit(base, "/accounts/login/", login=email, password=PASSWORD)
        assert answer.status_code == 302, answer.text[:500]

    def log_out(self, base: str) -> None:
        assert self.submit(base, "/accounts/logout/").status_code == 302

    @property
    def digest(self) -> str:
        return keys.digest_of(self.cookies["SESSION"])


def bases(stack: Stack) -> list[str]:
    """The front door and each region's own."""
    return [stack.front, *(region["web"] for region in stack.regions.values())]


# --- The live shop's stores, for this process --------------------------------------------------


@contextmanager
def inside(stack: Stack) -> Iterator[None]:
    """This process uses the live shop's sessions as one of its own would."""
    given = stack.plan.environment(stack.plan.regions[0])
    sentinels = [HostPort(*_split(each)) for each in given["REDIS_SENTINELS"].split(",")]
    ring = dict(each.split(":") for each in given["SESSION_KEYS"].split(","))
    with override_settings(
        REDIS_URL="",
        REDIS_SENTINELS=sentinels,
        REDIS_LOCAL_URL="",
        REDIS_DB=0,
        DYNAMODB_ENDPOINT_URL=given["AWS_ENDPOINT_URL"],
        ANYPORT_NAMESPACE=NAMESPACE,
        SESSION_KEY_PREFIX=f"{NAMESPACE}:session",
        SESSION_DYNAMODB_TABLE=f"{NAMESPACE}-sessions",
        SESSION_KEYS={name: base64.b64decode(key) for name, key in ring.items()},
        SECRET_KEY=given["SECRET_KEY"],
    ):
        forget_clients()
        yield
    forget_clients()


def _split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host, int(port)


def copies_of(digest: str) -> tuple[Record | None, Found]:
    """What Redis and DynamoDB hold of it; call it `inside`."""
    dynamodb = conf.dynamodb()
    assert dynamodb is not None
    return redis_store.read(conf.redis(), digest), dynamodb_store.read(dynamodb, digest)


def flush_redis(stack: Stack) -> None:
    with stack.valkey(stack.roles["valkey"]) as primary:
        primary.flushall()


def loads_of(stack: Stack, region: str, source: str) -> int:
    """How many sessions the region's web process has had from there."""
    wanted = f'sessions_loads_total{{source="{source}"}}'
    for line in _http.get(f"{stack.regions[region]['web']}/metrics").text.splitlines():
        if line.startswith(wanted):
            return int(float(line.rsplit(" ", 1)[1]))
    return 0


# --- Taking the stores away ----------------------------------------------------------------------


@contextmanager
def frozen(*pids: int) -> Iterator[None]:
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


@contextmanager
def behind(stack: Stack, *regions: str) -> Iterator[None]:
    """Their replicas answer and follow nobody; Sentinels would lead them back after 4 s."""
    _give_sentinels(stack, 600_000)
    for region in regions:
        with stack.valkey(region) as replica:
            replica.replicaof(LOOPBACK, 1)  # where nobody listens
    try:
        yield
    finally:
        _give_sentinels(stack, 4_000)


def _give_sentinels(stack: Stack, milliseconds: int) -> None:
    for region in stack.regions:
        with Redis(host=LOOPBACK, port=stack.plan.port("sentinel", region)) as sentinel:
            sentinel.sentinel_set(VALKEY_NAME, "failover-timeout", milliseconds)


def lead_back(stack: Stack, *regions: str) -> None:
    for region in regions:
        with stack.valkey(region) as replica:
            replica.replicaof(LOOPBACK, stack.plan.port("valkey", stack.roles["valkey"]))
    wait_for_primary(stack)


@contextmanager
def loses_last_writes(stack: Stack) -> Iterator[None]:
    """What is written meanwhile is acknowledged by a primary that nobody follows; then it dies."""
    region = stack.roles["valkey"]
    with stack.valkey(region) as primary:
        primary.config_set("min-replicas-to-write", 0)  # else it would refuse to do that
    with behind(stack, *(name for name in stack.regions if name != region)):
        yield
    pid = stack.kill("valkey", region)
    wait_until(lambda: stack.roles["valkey"] != region, WAIT, "a replica is promoted")
    stack.wait_restarted("valkey", region, pid, WAIT)
    wait_for_primary(stack)


@contextmanager
def killed(stack: Stack, *names: str, at_the_end: bool = False) -> Iterator[None]:
    """Every process of these names, with SIGKILL, and nobody starts them again before the end.

    Those that are killed only then are frozen until then: what they were sent, they never do.
    """
    here: dict[str, tuple[str | None, ...]] = {"aws": (None,)}
    parts = [(name, region) for name in names for region in here.get(name, tuple(stack.regions))]
    for name, region in parts:
        stack.kill(name, region, signal.SIGSTOP)  # so that it makes nothing of being told to stop
    if not at_the_end:
        _kill(stack, parts)
    try:
        yield
    finally:
        if at_the_end:
            _kill(stack, parts)
        for name, region in parts:
            stack.supervisor.start(f"{name}-{region}" if region else name)
        for name, region in parts:
            stack.wait_ready(name, region, WAIT)
        if "valkey" in names:
            wait_for_primary(stack)


def _kill(stack: Stack, parts: list[tuple[str, str | None]]) -> None:
    for name, region in parts:
        stack.supervisor.stop(f"{name}-{region}" if region else name)
    for name, region in parts:
        stack.kill(name, region)
    for name, region in parts:
        stack.stop_process(name, region)


def wait_for_primary(stack: Stack) -> None:
    """Until one takes writes and the others follow it, not only being filled."""

    def is_whole() -> bool:
        try:
            with stack.valkey(stack.roles["valkey"]) as primary:
                primary.set("nothing", "to be confirmed")
                followers = primary.wait(len(stack.regions) - 1, 500)
        except RedisError:
            return False
        return bool(followers == len(stack.regions) - 1)

    wait_until(is_whole, WAIT, "a primary with all its replicas", interval=0.2)


def wait_for_trust(stack: Stack) -> None:
    """Until every region's web process asks Redis again, and no more than Redis."""
    for region in stack.regions:

        def is_trusted(region: str = region) -> bool:
            shopper, base = Shopper(), stack.regions[region]["web"]
            asked = shopper.send("PATCH", f"{base}/api/session", json={"currency": "USD"})
            if asked.status_code == 503:
                return False  # it has not seen yet that a store is back
            before = loads_of(stack, region, "dynamodb")
            if shopper.send("GET", f"{base}/api/session").status_code == 503:
                return False
            return loads_of(stack, region, "dynamodb") == before

        wait_until(is_trusted, WAIT, f"{region} asks Redis", interval=0.25)


# --- What must hold ------------------------------------------------------------------------------


class Shoppers:
    """A guest and three customers, and what each of them is to find wherever they come."""

    def __init__(self, shop: Stack) -> None:
        self.shop = shop
        self.ended: list[Shopper] = []
        """Cookies kept from before a log-out or a log-in."""
        self.people = {name: Shopper() for name in ("guest", "stays", "leaves", "returns")}
        self.expected: dict[str, State] = {}
        for name, shopper in self.people.items():
            email = shopper.sign_up(shop.front) if name != "guest" else None
            shopper.prefer(shop.front, "JPY")
            shopper.add(shop.front)
            self.expected[name] = (email, "JPY", 1)
        self.assert_complete()

    def go_on(self) -> None:
        """What people do, each step in another region than the one before."""
        one, two, three = (region["web"] for region in self.shop.regions.values())
        guest, stays, leaves, returns = self.people.values()
        guest.prefer(one, "USD")
        guest.add(two)
        self._expect("guest", "USD", 2)
        stays.add(three)
        stays.prefer(one, "SGD")
        self._expect("stays", "SGD", 2)
        for shopper, base in ((leaves, two), (returns, three)):
            self.ended.append(shopper.copy())
            shopper.log_out(base)
        self.expected["leaves"] = leaves.state(one)
        assert self.expected["leaves"][::2] == (None, 0)
        returns.prefer(one, "USD")
        self.ended.append(returns.copy())
        returns.log_in(two, str(self.expected["returns"][0]))
        self._expect("returns", "USD", 1)

    def _expect(self, name: str, currency: str, units: int) -> None:
        self.expected[name] = (self.expected[name][0], currency, units)

    def assert_complete(self) -> None:
        """Each finds all of it in every region, and nobody is there who has left."""
        for base in bases(self.shop):
            assert {name: each.state(base) for name, each in self.people.items()} == self.expected
            seen = [kept.copy().state(base)[::2] for kept in self.ended]
            assert seen == [(None, 0)] * len(self.ended), f"somebody came back at {base}"

    def wait_for_dynamodb(self) -> None:
        """Until each region uses it again: each learns of its return by itself."""
        for base in bases(self.shop):
            wait_until(partial(self._is_copied, base), 30, f"{base} copies to DynamoDB")

    def _is_copied(self, base: str) -> bool:
        visitor = Shopper()
        visitor.prefer(base, "USD")
        with inside(self.shop):
            return isinstance(copies_of(visitor.digest)[1], Record)

    def forget_times(self) -> None:
        """Each process finds out once that a store is gone; who asks then may wait for it."""
        for base in bases(self.shop):
            Shopper().prefer(base, "USD")
        for each in self.people.values():
            each.took.clear()

    def assert_quick(self, what: str) -> None:
        took = sorted(each for person in self.people.values() for each in person.took)
        middle = median(seconds for seconds, _ in took)
        print(f"{what}: {len(took)} requests, median {middle:.3f} s, longest {took[-3:]}")
        assert middle < QUICK
